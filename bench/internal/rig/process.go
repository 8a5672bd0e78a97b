package rig

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
)

// Process is a kv server, running or not. A single goroutine starts and ends it; the other methods
// may be called concurrently.
type Process struct {
	ID      string
	url     string
	program string
	args    []string
	log     string // file to which the process appends its log
	cmd     *exec.Cmd
	exited  chan struct{} // closed when cmd has ended
}

// Start starts the process, which must not be running.
func (p *Process) Start() error {
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close() // the process has its own copy
	cmd, exited := exec.Command(p.program, p.args...), make(chan struct{})
	cmd.Stderr = log
	diesWithUs(cmd)
	if err := cmd.Start(); err != nil {
		return err
	}
	go func() {
		defer close(exited)
		_ = cmd.Wait() // the result is in ProcessState
	}()
	p.cmd, p.exited = cmd, exited
	return nil
}

// PID returns the process ID of the last process started.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Signal sends a signal. It has no effect on a process that has ended.
func (p *Process) Signal(s os.Signal) { _ = p.cmd.Process.Signal(s) }

// Exit waits for the end of the process and returns its exit status, which is -1 if a signal ended
// it.
func (p *Process) Exit(ctx context.Context) (int, error) {
	err := await(ctx, "the end of "+p.ID, func(context.Context) bool { return p.dead() })
	if err != nil {
		return 0, err
	}
	return p.cmd.ProcessState.ExitCode(), nil
}

func (p *Process) dead() bool {
	select {
	case <-p.exited:
		return true
	default:
		return false
	}
}

// kill ends the process if it was started, and waits for its end.
func (p *Process) kill() {
	if p.cmd != nil {
		_ = p.cmd.Process.Kill()
		<-p.exited
	}
}

// Status is the part of the answer to GET /status that the benchmarks use.
type Status struct {
	ID, Phase, Primary    string
	View, Commit, Applied uint64
}

// Status requests the status of the process, with the given query or, if it is "", without one.
func (p *Process) Status(ctx context.Context, query string) (s Status, err error) {
	answer, err := p.send(ctx, http.MethodGet, "/status?"+query, "")
	if err != nil {
		return s, err
	}
	defer finish(answer)
	if answer.StatusCode != http.StatusOK {
		return s, fmt.Errorf("GET /status at %s: %s", p.ID, answer.Status)
	}
	return s, json.NewDecoder(answer.Body).Decode(&s)
}

// Put writes a key. It returns an error unless the write was accepted.
func (p *Process) Put(ctx context.Context, key, value string) error {
	answer, err := p.send(ctx, http.MethodPut, "/kv/"+key, value)
	if err != nil {
		return err
	}
	defer finish(answer)
	if answer.StatusCode != http.StatusNoContent {
		return fmt.Errorf("PUT %s at %s: %s", key, p.ID, answer.Status)
	}
	return nil
}

func (p *Process) send(ctx context.Context, method, path, body string) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, method, p.url+path, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	return web.Do(request)
}

var web = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}

// finish makes the connection available for the next request.
func finish(answer *http.Response) {
	_, _ = io.Copy(io.Discard, answer.Body) // on error the connection is closed
	_ = answer.Body.Close()
}
