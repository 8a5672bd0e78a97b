package smrtest

import (
	"bytes"
	"cmp"
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
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/smr-go/smr"
	"github.com/smr-go/smr/internal/contract"
	"github.com/smr-go/smr/smrtest/internal/suite"
)

// call is a call of TestStateMachine: the nth of a test.
type call struct {
	Test string
	Nth  int64
}

var calls sync.Map // from *testing.T to *atomic.Int64

// callOf counts the calls of a test. With -count, each run of the test counts from 1.
func callOf(t *testing.T) call {
	n, known := calls.LoadOrStore(t, new(atomic.Int64))
	if !known {
		t.Cleanup(func() { calls.Delete(t) })
	}
	return call{t.Name(), n.(*atomic.Int64).Add(1)}
}

func ignoresProcess(t *testing.T, m machines) error {
	if working := flag.Lookup("test.fuzzworker"); working != nil && working.Value.String() == "true" {
		return suite.Unable("the fuzzer made up this test: another process does not have it")
	}
	err := m.alike(func(steps [][]smr.Op) ([]side, error) {
		here, err1 := m.applied(0)
		there, err2 := m.inProcess(t, steps)
		return []side{{"in this process", here}, {"in another process", there}}, cmp.Or(err1, err2)
	})
	if err == nil || suite.IsUnable(err) {
		return err
	}
	return fmt.Errorf("%w\nreplicas are processes: nothing may reach state or result in which two processes differ, such as hash seeds, process ids, addresses, time zones, or what else the package keeps in variables", err)
}

// A child is a second process of the test binary. It runs the same test up to the same call of TestStateMachine, makes a
// machine there, has it perform the steps, writes an answer to each, and exits. Its environment has the name of a directory,
// which has the request.
type childProcess struct {
	Call  call
	Steps [][]smr.Op // the operations to apply; if there are none, the state is wanted

	dir string
}

const (
	childVariable = "SMRTEST_CHILD"
	requestFile   = "request"
	answersFile   = "answers" // is there once the child has come to the call
)

type answer struct {
	Results [][]byte // those before an error
	State   []byte
	Error   string
}

// child is set if this process is one.
var child = asChild()

// asChild takes the directory from the environment, so that processes which this one starts are no children.
func asChild() *childProcess {
	dir := os.Getenv(childVariable)
	if dir == "" {
		return nil
	}
	os.Unsetenv(childVariable)
	c := &childProcess{dir: dir}
	text, err := os.ReadFile(filepath.Join(dir, requestFile))
	if err == nil {
		err = json.Unmarshal(text, c)
	}
	c.exitOn(err)
	return c
}

// serve performs the steps if this is the call that the process is for. It does not return then.
func (c *childProcess) serve(is call, new func() smr.StateMachine) {
	if is != c.Call {
		return
	}
	file, err := os.Create(filepath.Join(c.dir, answersFile))
	c.exitOn(err)
	var x local
	x.Machine, err = kitOf(new).Make(contract.Clean)
	for _, ops := range c.Steps {
		var a answer
		switch {
		case err != nil:
		case len(ops) > 0:
			a.Results, err = x.apply(ops)
		default:
			a.State, err = x.Encode()
		}
		if err != nil {
			a.Error = err.Error()
		}
		c.exitOn(json.NewEncoder(file).Encode(a))
	}
	os.Exit(0)
}

func (c *childProcess) exitOn(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "smrtest: cannot answer the process that started this one:", err)
		os.Exit(1)
	}
}

// process is a machine that has performed steps in another process.
type process struct {
	steps   [][]smr.Op // to which answers are still to be taken
	answers *json.Decoder
	state   []byte // the last
	end     error  // how the process has ended
}

// inProcess has a machine perform the steps in another process.
func (m machines) inProcess(t *testing.T, steps [][]smr.Op) (*process, error) {
	patience := m.patience
	if end, ok := t.Deadline(); ok { // leave the test some of its remaining time
		patience = min(patience, time.Until(end)/2)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	dir, err := os.MkdirTemp("", "smrtest")
	if err != nil {
		return nil, suite.Unable("no other process can be started: " + err.Error())
	}
	defer os.RemoveAll(dir)
	cmd, err := m.call.command(ctx, dir, steps)
	if err != nil {
		return nil, suite.Unable("no other process can be started: " + err.Error())
	}
	output, err := cmd.CombinedOutput()
	p := &process{steps: steps, end: ending(ctx, err, output, patience)}
	answers, err := os.ReadFile(filepath.Join(dir, answersFile))
	if err != nil { // that is not the state machine's fault: a test may begin in another way in its second run
		return nil, suite.Unable(fmt.Sprintf("another process of this test did not come to call %d of TestStateMachine in %s: %v", m.call.Nth, m.call.Test, p.end))
	}
	p.answers = json.NewDecoder(bytes.NewReader(answers))
	return p, nil
}

// home is the directory in which this process began. The other process must begin there too.
var home, homeErr = os.Getwd()

// command runs the test binary with the flags of this process except those of package testing, so that the two write to
// different files. Files that it leaves behind when it exits at the call are removed with the directory.
func (c call) command(ctx context.Context, dir string, steps [][]smr.Op) (*exec.Cmd, error) {
	binary, err1 := os.Executable()
	request, err2 := json.Marshal(&childProcess{Call: c, Steps: steps})
	err3 := os.WriteFile(filepath.Join(dir, requestFile), request, 0o600)
	if err := cmp.Or(homeErr, err1, err2, err3); err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, binary, "-test.run="+c.pattern(), "-test.count=1", "-test.timeout=1h")
	flag.Visit(func(f *flag.Flag) {
		if !strings.HasPrefix(f.Name, "test.") || f.Name == "test.short" {
			cmd.Args = append(cmd.Args, "-"+f.Name+"="+f.Value.String())
		}
	})
	cmd.Args = append(append(cmd.Args, "--"), flag.Args()...)
	cmd.Dir, cmd.WaitDelay = home, time.Second // a process that it started may keep its output open
	cmd.Env = append(os.Environ(), childVariable+"="+dir, "TZ="+otherZone(),
		"TMPDIR="+dir, "TMP="+dir, "TEMP="+dir, "GOCOVERDIR="+dir,
		"GORACE="+os.Getenv("GORACE")+" atexit_sleep_ms=0") // without, the race detector ends a process with a second's sleep
	return cmd, nil
}

// pattern matches the test and those that it is in, and no other.
func (c call) pattern() string {
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

// ending describes how the process ended, with the end of its output.
func ending(ctx context.Context, err error, output []byte, patience time.Duration) error {
	how := "it ended"
	switch {
	case ctx.Err() != nil:
		how = fmt.Sprintf("it was killed after %v", patience)
	case err != nil:
		how = err.Error()
	}
	const most = 4 << 10
	return fmt.Errorf("%s. Its output: %q", how, output[max(0, len(output)-most):])
}

func (p *process) apply([]smr.Op) (results [][]byte, err error) {
	a, err := p.next()
	return a.Results, err
}

// Encode returns the state. Another call in the same step returns the same bytes.
func (p *process) Encode() ([]byte, error) {
	if len(p.steps) == 0 || len(p.steps[0]) > 0 {
		return p.state, nil
	}
	a, err := p.next()
	p.state = a.State
	return a.State, err
}

// next returns the answer to the next step.
func (p *process) next() (a answer, err error) {
	p.steps = p.steps[1:]
	err = p.answers.Decode(&a)
	switch {
	case err == io.EOF, err == io.ErrUnexpectedEOF:
		return a, fmt.Errorf("it did not come to the end of the operations: %w", p.end)
	case err == nil && a.Error != "":
		err = errors.New(a.Error)
	}
	return a, err
}
