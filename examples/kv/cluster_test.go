//go:build linux

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr"
)

// asProgram lets the test binary run as kv, so that tests kill real processes, which are built like the
// tests, with or without the race detector.
const asProgram = "KV_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) == "" {
		os.Exit(m.Run())
	}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(3) // the test is gone, and nothing else would end this process
	}()
	main()
}

// patience is the time that tests wait for something that must happen, on a machine busy with other tests.
const patience = 20 * time.Second

// process is one "kv serve", running or not.
type process struct {
	t      testing.TB
	id     smr.ID
	dir    string
	url    string // of its HTTP server
	args   []string
	logs   *bytes.Buffer // must not be read before exited is closed
	cmd    *exec.Cmd
	exited chan struct{} // closed when cmd has ended
}

func (p *process) start() {
	p.t.Helper()
	program, err := os.Executable()
	require.NoError(p.t, err)
	cmd, exited := exec.Command(program, p.args...), make(chan struct{})
	cmd.Env = append(os.Environ(), asProgram+"=1")
	cmd.Stderr = p.logs
	_, err = cmd.StdinPipe() // open until the test is gone
	require.NoError(p.t, err)
	require.NoError(p.t, cmd.Start())
	go func() {
		defer close(exited)
		_ = cmd.Wait()
	}()
	p.cmd, p.exited = cmd, exited
}

func (p *process) signal(s syscall.Signal) { _ = p.cmd.Process.Signal(s) }

// kill ends the process by SIGKILL and waits until it has ended.
func (p *process) kill() {
	p.signal(syscall.SIGKILL)
	<-p.exited
}

// end kills the process and shows its log if the test has failed.
func (p *process) end() {
	p.kill()
	if p.t.Failed() {
		p.t.Logf("log of %s:\n%s", p.id, p.logs)
	}
}

// exit waits until the process ends by itself, and returns its exit status.
func (p *process) exit() int {
	p.t.Helper()
	select {
	case <-p.exited:
	case <-time.After(patience):
		require.Fail(p.t, "the process does not end", "%s %v", p.id, p.args)
	}
	return p.cmd.ProcessState.ExitCode()
}

// cluster is a group of three processes.
type cluster struct {
	t         testing.TB
	processes []*process
	web       *http.Client
}

// newCluster starts a group with additional flags, in which {id} stands for the ID of each process. Its
// addresses are on a host of its own, so that no other program takes a port while a process is dead.
func newCluster(t testing.TB, flags ...string) *cluster {
	t.Helper()
	c := &cluster{t: t, web: &http.Client{Timeout: 3 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 64}}}
	t.Cleanup(c.web.CloseIdleConnections)
	addrs, dir := freeAddrs(t, fmt.Sprintf("127.%d.%d.%d", 1+rand.IntN(254), rand.IntN(256), 2+rand.IntN(250)), 6), t.TempDir()
	members := fmt.Sprintf("a=%s,b=%s,c=%s", addrs[0], addrs[1], addrs[2])
	for i, id := range []string{"a", "b", "c"} {
		p := &process{t: t, id: smr.ID(id), dir: filepath.Join(dir, id), url: "http://" + addrs[3+i], logs: new(bytes.Buffer)}
		p.args = []string{"serve", "-id", id, "-members", members, "-http", addrs[3+i], "-timeout", "1s", "-dir", p.dir}
		for _, flag := range flags {
			p.args = append(p.args, strings.ReplaceAll(flag, "{id}", id))
		}
		p.start()
		t.Cleanup(p.end)
		c.processes = append(c.processes, p)
	}
	return c
}

// freeAddrs returns n addresses on the host on which no program listens.
func freeAddrs(t testing.TB, host string, n int) (addrs []string) {
	t.Helper()
	for range n {
		listener, err := net.Listen("tcp", host+":0")
		require.NoError(t, err)
		defer listener.Close()
		addrs = append(addrs, listener.Addr().String())
	}
	return addrs
}

// eventually waits until the condition holds.
func (c *cluster) eventually(condition func() bool, message string, args ...any) {
	c.t.Helper()
	require.Eventuallyf(c.t, condition, patience, 5*time.Millisecond, message, args...)
}

// status returns a replica's status, or false if it does not answer.
func (c *cluster) status(p *process) (st statusJSON, ok bool) {
	response, err := c.web.Get(p.url + "/status")
	if err != nil {
		return st, false
	}
	defer response.Body.Close()
	return st, json.NewDecoder(response.Body).Decode(&st) == nil
}

// awaitPrimary waits until another process follows a primary. It returns the primary and its view.
func (c *cluster) awaitPrimary() (primary *process, view uint64) {
	c.t.Helper()
	c.eventually(func() bool {
		normal := map[uint64]int{}
		for _, p := range c.processes {
			st, ok := c.status(p)
			if !ok || st.Phase != smr.Normal {
				continue
			}
			if normal[st.View]++; st.Primary == p.id {
				primary, view = p, st.View
			}
		}
		return primary != nil && normal[view] >= 2
	}, "no primary is followed by another replica")
	return primary, view
}

// other returns a process other than p.
func (c *cluster) other(p *process) *process {
	for _, i := range rand.Perm(len(c.processes)) {
		if c.processes[i] != p {
			return c.processes[i]
		}
	}
	return nil
}

// ask sends a request to a process. The code is 0 if there is no answer.
func (c *cluster) ask(p *process, method, path, body string) (code int, got string) {
	request, err := http.NewRequest(method, p.url+path, strings.NewReader(body))
	if err != nil {
		return 0, err.Error()
	}
	response, err := c.web.Do(request)
	if err != nil {
		return 0, err.Error()
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, err.Error()
	}
	return response.StatusCode, string(text)
}

// must sends a request to a process until the answer has the code want, and returns the body.
func (c *cluster) must(want int, p *process, method, path, body string) (got string) {
	c.t.Helper()
	c.eventually(func() bool {
		var code int
		code, got = c.ask(p, method, path, body)
		return code == want
	}, "%s %s at %s is not answered %d", method, path, p.id, want)
	return got
}
