package smrtest

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/smr-go/smr"
)

// caller is a call of TestStateMachine: the nth of a test.
type caller struct {
	Test string
	Nth  int
}

var calls = struct {
	sync.Mutex
	of map[*testing.T]int
}{of: map[*testing.T]int{}}

// callerOf counts the calls of a test. With -count, each run of the test counts from 1.
func callerOf(t *testing.T) caller {
	calls.Lock()
	defer calls.Unlock()
	if calls.of[t] == 0 {
		t.Cleanup(func() {
			calls.Lock()
			defer calls.Unlock()
			delete(calls.of, t)
		})
	}
	calls.of[t]++
	return caller{t.Name(), calls.of[t]}
}

// An errand is the task of a second process of the test binary: to run the same test up to the same call of TestStateMachine,
// to apply the operations there, and to write the results. The two processes share a directory, whose name is in the
// environment:
//
//	errand  JSON of errandOrder, by the sender
//	reached empty, made when the call is reached
//	report  JSON of errandReport
type errandOrder struct {
	For    caller
	Bodies [][]byte
	Watch  lookout
}

type errandReport struct {
	Error   string // instead of all others
	Results [][]byte
	Encored [][]byte
	States  map[int][][]byte
}

const (
	errandVariable = "SMRTEST_ERRAND"
	errandFile     = "errand"
	reachedFile    = "reached"
	reportFile     = "report"
)

// errand is the errand of this process, or nil.
var errand = takeErrand()

type errandRun struct {
	errandOrder
	dir string
}

// takeErrand reads the order. Processes that this one starts have errands of their own.
func takeErrand() *errandRun {
	dir := os.Getenv(errandVariable)
	if dir == "" {
		return nil
	}
	os.Unsetenv(errandVariable)
	e := &errandRun{dir: dir}
	text, err := os.ReadFile(filepath.Join(dir, errandFile))
	if err == nil {
		err = json.Unmarshal(text, &e.errandOrder)
	}
	e.exitOn(err)
	return e
}

// run does the errand and ends the process, if c is the call that it is for.
func (e *errandRun) run(c caller, new func() smr.StateMachine) {
	if c != e.For {
		return
	}
	e.exitOn(e.write(reachedFile, nil))
	m := withOps(new, e.Bodies)
	m.watch = e.Watch
	text, err := json.Marshal(m.report())
	e.exitOn(err)
	e.exitOn(e.write(reportFile, text))
	os.Exit(0)
}

func (e *errandRun) write(name string, text []byte) error {
	return os.WriteFile(filepath.Join(e.dir, name), text, 0o600)
}

func (e *errandRun) exitOn(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "smrtest: cannot report to the process that started this one:", err)
		os.Exit(1)
	}
}

// report applies all operations, and then a second round.
func (m machines) report() errandReport {
	r, err := m.run()
	if err != nil {
		return errandReport{Error: err.Error()}
	}
	encored, err := r.encore()
	if err != nil {
		return errandReport{Error: err.Error()}
	}
	return errandReport{Results: r.results, Encored: encored, States: r.states}
}
