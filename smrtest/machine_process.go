package smrtest

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// processPatience is how long another process may take, TestMain included.
const processPatience = time.Minute

func ignoresProcess(t *testing.T, m machines) error {
	const why = "a run in this process and one in another"
	err := m.sameElsewhere(t, why, 1)
	if _, parted := errors.AsType[*parting](err); parted {
		err = m.sameElsewhere(t, why, manyLooks) // snapshots may vary by themselves
	}
	if _, parted := errors.AsType[*parting](err); parted {
		return fmt.Errorf("%w\nreplicas are processes: nothing may reach state or result in which two processes differ, such as hash seeds, process ids, addresses, time zones, or what else the package keeps in variables",
			m.earlier(err, why, machines.run, inProcess(t)))
	}
	return err
}

// sameElsewhere compares a run here with one in another process. It compares their last states by that many snapshots.
func (m machines) sameElsewhere(t *testing.T, why string, looks int) error {
	m.watch = lookout{Every: len(m.ops), Looks: looks}
	here, err := m.run()
	if err != nil {
		return err
	}
	there, err := inProcess(t)(m)
	if err != nil {
		return err
	}
	if p := here.parts(there, why); p != nil {
		return p
	}
	return here.sameEncore(there, why+", with all operations applied once more,")
}

// inProcess returns the way to run in another process of the test binary, which reaches the same call of TestStateMachine by
// the same test.
func inProcess(t *testing.T) way {
	return func(m machines) (*run, error) {
		if working := flag.Lookup("test.fuzzworker"); working != nil && working.Value.String() == "true" {
			return nil, unable("the fuzzer made up this test: another process does not have it")
		}
		if home.err != nil {
			return nil, unable("this process did not know its directory when it began: " + home.err.Error())
		}
		dir, err := os.MkdirTemp("", "smrtest")
		if err != nil {
			return nil, unable("no directory for another process: " + err.Error())
		}
		defer os.RemoveAll(dir)
		return m.send(t, dir)
	}
}

// home is the directory in which this process began. The other process must begin there too.
var home = func() (h struct {
	dir string
	err error
}) {
	h.dir, h.err = os.Getwd()
	return h
}()

// send runs the errand in another process, and returns the run that it reports.
func (m machines) send(t *testing.T, dir string) (*run, error) {
	if err := m.order(dir); err != nil {
		return nil, err
	}
	patience := m.patienceOf(t)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd, err := m.caller.command(ctx, dir)
	if err != nil {
		return nil, unable("no other process can be started: " + err.Error())
	}
	output, err := os.Create(filepath.Join(dir, "output"))
	if err != nil {
		return nil, err
	}
	defer output.Close()
	cmd.Stdout, cmd.Stderr = output, output
	if err := cmd.Start(); err != nil {
		return nil, unable("no other process can be started: " + err.Error())
	}
	ended := cmd.Wait()
	if ctx.Err() != nil {
		ended = fmt.Errorf("it was killed after %v", patience)
	}
	return m.fetch(dir, ended, output)
}

// patienceOf leaves the test some of its remaining time.
func (m machines) patienceOf(t *testing.T) time.Duration {
	if end, ok := t.Deadline(); ok {
		return min(m.patience, time.Until(end)/2)
	}
	return m.patience
}

// order writes the errand.
func (m machines) order(dir string) error {
	o := errandOrder{For: m.caller, Watch: m.watch}
	for _, op := range m.ops {
		o.Bodies = append(o.Bodies, op.Body)
	}
	text, err := json.Marshal(o)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, errandFile), text, 0o600)
}

// command runs the test binary with the flags of this process except those of package testing, so that the two write to
// different files. Files that it leaves behind when it exits at the call are removed with the directory.
func (c caller) command(ctx context.Context, dir string) (*exec.Cmd, error) {
	binary, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, binary, "-test.run="+c.pattern(), "-test.count=1", "-test.timeout="+(2*processPatience).String())
	flag.Visit(func(f *flag.Flag) {
		if !strings.HasPrefix(f.Name, "test.") || f.Name == "test.short" {
			cmd.Args = append(cmd.Args, "-"+f.Name+"="+f.Value.String())
		}
	})
	cmd.Args = append(append(cmd.Args, "--"), flag.Args()...)
	cmd.Dir = home.dir
	cmd.Env = append(os.Environ(), errandVariable+"="+dir, "TZ="+otherZone(),
		"TMPDIR="+dir, "TMP="+dir, "TEMP="+dir, "GOCOVERDIR="+dir,
		"GORACE="+os.Getenv("GORACE")+" atexit_sleep_ms=0") // without, the race detector ends a process with a second's sleep
	return cmd, nil
}

// pattern matches the test and those that it is in, and no other.
func (c caller) pattern() string {
	names := strings.Split(c.Test, "/")
	for i, name := range names {
		names[i] = "^" + regexp.QuoteMeta(name) + "$"
	}
	return strings.Join(names, "/")
}

// otherZone returns a time zone that few machines are in, or UTC if this machine is in it or does not know it.
func otherZone() string {
	const zone = "Asia/Kathmandu"
	if time.Local.String() == zone || os.Getenv("TZ") == zone {
		return "UTC"
	}
	return zone
}

// fetch reads the report. ended is how the process did.
func (m machines) fetch(dir string, ended error, output io.ReadSeeker) (*run, error) {
	text, err := os.ReadFile(filepath.Join(dir, reportFile))
	var report errandReport
	if err == nil {
		err = json.Unmarshal(text, &report)
	}
	if err != nil {
		return nil, m.noReport(dir, ended, tail(output))
	}
	if report.Error != "" {
		return nil, fmt.Errorf("in another process: %s", report.Error)
	}
	return &run{machines: m, next: len(m.ops), results: report.Results, encored: report.Encored, states: report.States}, nil
}

// noReport explains why the process wrote no report. If it did not reach the call, that is not the state machine's fault: a
// test may begin in another way in its second run.
func (m machines) noReport(dir string, ended error, output string) error {
	how := "it ended"
	if ended != nil {
		how = ended.Error()
	}
	if _, err := os.Stat(filepath.Join(dir, reachedFile)); err != nil {
		return unable(fmt.Sprintf("another process of this test did not come to call %d of TestStateMachine in %s: %s. Its output: %s", m.caller.Nth, m.caller.Test, how, output))
	}
	return fmt.Errorf("another process did not come to the end of the operations: %s. Its output: %s", how, output)
}

// tail returns the end of the output.
func tail(output io.ReadSeeker) string {
	const most = 4 << 10
	if _, err := output.Seek(-most, io.SeekEnd); err != nil {
		output.Seek(0, io.SeekStart)
	}
	text, err := io.ReadAll(output)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%q", text)
}
