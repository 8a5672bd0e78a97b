package smrtest

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/smr-go/smr/internal/contract"
	"github.com/smr-go/smr/internal/sim"
	"github.com/smr-go/smr/internal/sim/fault"
)

// scenario determines one run: by a schedule and, if a seed chooses the faults, its hazards.
type scenario struct {
	*sim.Schedule
	hazards *sim.Hazards
	careful bool   // states are compared after every operation
	suspect uint64 // the op whose answer the model is expected to reject; 0: none
	watcher sim.Watcher
}

// chance draws the scenario of a seed.
func (x *trial) chance(seed uint64, careful bool) scenario {
	p, hazards := sim.Draw(seed)
	r := rand.New(rand.NewPCG(seed, 0))
	p.Replicas, p.Qr, p.Qv, p.Volatile = cmp.Or(x.Replicas, []int{3, 3, 3, 5}[r.IntN(4)]), 0, 0, false
	p.Trouble, p.CompareEvery = x.Virtual, 16
	p.Callers.PerReplica = cmp.Or(x.Callers, p.Callers.PerReplica)
	sim.Restrict(p, hazards, x.Faults.class())
	return scenario{Schedule: &sim.Schedule{Setup: *p}, hazards: hazards, careful: careful}
}

// scheduled returns the scenario of a schedule.
func scheduled(s *sim.Schedule) scenario { return scenario{Schedule: s, careful: true} }

// run runs a scenario.
func (x *trial) run(t *testing.T, c scenario) (r *sim.Report) {
	left := elsewhere(t, func(far func(do func())) {
		w := x.workOf(far, c.careful)
		w.Watch, w.Suspect = timed(ofSeed(x.name, c.Setup.Seed)), c.suspect
		r = sim.Run(c.Schedule, c.hazards, w, c.watcher)
	})
	if left != nil && r.Violation == nil {
		r.Violation = &sim.Violation{Rule: contract.NoGoroutine.Name, Text: left.Error(), At: r.Virtual}
	}
	return r
}

// workOf returns the work of one run. far runs code in another year; copies of the machine live there.
func (x *trial) workOf(far func(do func()), careful bool) *sim.Work {
	w := x.work
	var names sync.Map // a shrinking schedule has several runs at the same time
	made := func(o sim.Operation) sim.Operation {
		if o.Body != nil {
			names.Store(string(o.Body), o.Name)
		}
		o.Describe = x.Describe
		return o
	}
	w.Next = func(r *rand.Rand) sim.Operation {
		return made(x.Workload[r.IntN(len(x.Workload))].make(r.Uint64()))
	}
	w.Named = func(name string, seed uint64, body []byte) (sim.Operation, error) {
		o, err := x.named(name, seed, body)
		return made(o), err
	}
	describe := x.Describe
	if describe == nil {
		describe = func(body []byte) string {
			name, _ := names.Load(string(body))
			text, _ := name.(string)
			return strings.TrimPrefix(text+" "+quote(body), " ")
		}
	}
	w.Describe = numbered(describe)
	w.Elsewhere, w.Careful = far, careful
	return &w
}

// named returns the operation of a schedule, which has its body or a seed.
func (x *trial) named(name string, seed uint64, body []byte) (sim.Operation, error) {
	i := slices.IndexFunc(x.Workload, func(o Operation) bool { return o.name == name })
	if i < 0 {
		var names []string
		for _, o := range x.Workload {
			names = append(names, o.name)
		}
		slices.Sort(names)
		return sim.Operation{}, fmt.Errorf("Workload has no operation %q: it has %s", name, fault.List(slices.Compact(names)))
	}
	switch o := &x.Workload[i]; {
	case body == nil:
		return o.make(seed), nil
	case o.fits != nil:
		return sim.Operation{}, fmt.Errorf("%q is a Query now, and was a Command", name)
	}
	return sim.Operation{Name: name, Body: body, Input: body}, nil
}

// elsewhere calls use with a function far. far runs its argument in a bubble where time.Now is in the
// year 2000 and advances by more than a minute between calls, so that a state machine that reads the
// clock gets different answers there. The error reports goroutines that were left there.
func elsewhere(t *testing.T, use func(far func(do func()))) (left error) {
	todo, ended, over := make(chan func()), make(chan bool), make(chan struct{})
	go func() {
		defer close(over)
		left = bubble(t, func() {
			for do := range todo {
				time.Sleep(stride)
				done := make(chan struct{}) // waiting for it lets time pass for a machine that sleeps
				go func() {
					defer close(done)
					finish(do, ended)
				}()
				<-done
			}
		})
	}()
	defer func() {
		close(todo)
		<-over
	}()
	var one sync.Mutex
	use(func(do func()) {
		one.Lock()
		defer one.Unlock()
		if todo <- do; <-ended {
			runtime.Goexit() // as do would have done here
		}
	})
	return nil
}

// stride changes every part of a clock's time except for the year.
const stride = time.Minute + time.Second + time.Millisecond + time.Microsecond

// finish calls do and reports whether do ended the goroutine.
func finish(do func(), ended chan<- bool) {
	exits := true
	defer func() { ended <- exits }()
	do()
	exits = false
}

// replay runs the schedule in a file and reports whether it passed. If not, the test fails.
func (x *trial) replay(t *testing.T, file string) bool {
	t.Helper()
	r, failure := x.replayed(t, file)
	if failure != "" {
		t.Error(failure)
		return false
	}
	t.Logf("%s: passed; %v of virtual time with %d faults; %d commands and %d reads answered", file, r.Virtual, r.Stats.Faults, r.Stats.Answers, r.Stats.Reads)
	return true
}

// replayed runs the schedule in a file and returns why it fails: it finds a bug, it cannot be run, or it does not do
// what it did. "": it passes.
func (x *trial) replayed(t *testing.T, file string) (r *sim.Report, failure string) {
	s, err := x.readSchedule(file)
	if err != nil {
		return nil, fmt.Sprintf("smrtest: the schedule %s cannot be run: %v", file, err)
	}
	r, f := x.runSchedule(t, s, "the schedule "+file)
	switch {
	case f != nil:
		failure = f.text()
	case len(r.Ineffective)+len(r.Changed) > 0:
		failure = notAsItWas(file, s, r)
	}
	return r, failure
}

// runSchedule runs a schedule and returns its failure, nil if it passes. origin describes the schedule.
func (x *trial) runSchedule(t *testing.T, s *sim.Schedule, origin string) (*sim.Report, *failure) {
	r, recording := x.record(t, scheduled(s))
	if r.Violation == nil {
		return r, nil
	}
	f := &failure{x: x, report: r, origin: origin}
	f.write(t, "", recording)
	return r, f
}

// readSchedule reads a schedule whose operations the workload has.
func (x *trial) readSchedule(file string) (*sim.Schedule, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	s, err := sim.ReadSchedule(f)
	if err != nil {
		return nil, err
	}
	if s.Setup.Callers != (sim.Callers{}) {
		return nil, errors.New("it has callers without operations, as an earlier version of smrtest wrote it, " +
			"so that it shows something else after each change of Workload. " + findAgain)
	}
	if err := s.Fits(x.workOf(nil, false)); err != nil {
		return nil, fmt.Errorf("%w\nCorrect the line, or remove it if it does not matter. %s", err, findAgain)
	}
	return s, nil
}

const findAgain = "To find the failure again, use Explore without the schedule: with its seed, " +
	"which the comment in the file may name, or with -smrtest.time"

// kept returns the directory of the schedules that belong to this test.
func (x *trial) kept() string {
	return filepath.Join("testdata", "smrtest", filepath.FromSlash(x.name))
}

// runKept runs the schedules that belong to this test and reports whether all passed.
func (x *trial) runKept(t *testing.T) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(x.kept(), "*.schedule"))
	well := err == nil
	for _, file := range files {
		well = x.replay(t, file) && well
	}
	return well
}

// notAsItWas describes what a schedule that passed no longer does. It would pass with the bug in place that it was kept
// for.
func notAsItWas(file string, s *sim.Schedule, r *sim.Report) string {
	var b strings.Builder
	fmt.Fprintf(&b, "smrtest: the schedule %s passed, but it no longer does what it did, so it may not show the bug that it was kept for. "+
		"%d of its %d faults had no effect, and %d of its %d operations did not begin, or not take effect in the same order:",
		file, len(r.Ineffective), len(s.Faults), len(r.Changed), len(s.Calls))
	for i := range r.Ineffective {
		fmt.Fprintf(&b, "\n  %s: %s", &r.Ineffective[i].Fault, r.Ineffective[i].Why)
	}
	for _, line := range r.Changed {
		fmt.Fprintf(&b, "\n  %s", line)
	}
	b.WriteString("\nPut the bug back in for a moment, and change these lines until the schedule fails again; " +
		"or remove those that do not matter. " + findAgain)
	return b.String()
}
