package sim

import (
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr"
	"github.com/smr-go/smr/internal/contract"

	"github.com/smr-go/smr/internal/sim/fault"
)

// faulty is smr's own state machine with a bug.
type faulty struct {
	testMachine
	last    smr.Op
	applied int
	wrong   error
	bug     func(m *faulty, op smr.Op) error
	forget  bool // Restore forgets a key
}

func (m *faulty) Apply(op smr.Op) []byte {
	if m.applied++; m.bug != nil && m.applied > 10 {
		m.wrong = m.bug(m, op)
	}
	m.last = op
	return m.testMachine.Apply(op)
}

func (m *faulty) Restore(r io.Reader) error {
	m.applied, m.wrong = 0, nil
	err := m.testMachine.Restore(r)
	if m.forget {
		m.keys[3] = list{}
	}
	return err
}

func workOf(template faulty) *Work {
	w := listWork(10, 0, 0) // its reads expect the test machine
	w.New = func() smr.StateMachine { m := template; return &m }
	w.Digest = func(m smr.StateMachine) uint64 { return m.(*faulty).digest }
	w.Model = nil
	w.Invariant = func(m smr.StateMachine) error { return m.(*faulty).wrong }
	return w
}

func always(w *Work) func(*Setup) *Work { return func(*Setup) *Work { return w } }

// The bugs: one shows only in a view change, the other only when clocks jump.
var (
	views = faulty{bug: func(m *faulty, op smr.Op) error {
		if op.Number > m.last.Number+2 {
			return fmt.Errorf("ops %d and %d", m.last.Number, op.Number)
		}
		return nil
	}}
	clocks = faulty{bug: func(m *faulty, op smr.Op) error {
		if d := op.Time.Sub(m.last.Time); d > 2*time.Hour {
			return fmt.Errorf("%v have gone by", d)
		}
		return nil
	}}
)

// fails runs seeds, with clocks that jump often, until that many break the rule.
func fails(t *testing.T, w *Work, rule string, count int) (failed []*Report) {
	for seed := uint64(1); len(failed) < count; seed++ {
		require.Less(t, seed, uint64(200), "no more seeds fail")
		p, hazards := Draw(seed)
		p.Trouble, hazards.Every[clockJumps] = min(p.Trouble, 15*time.Second), time.Second
		if r := Run(&Schedule{Setup: *p}, hazards, w, nil); r.Violation != nil && r.Violation.Rule == rule {
			failed = append(failed, r)
		}
	}
	return failed
}

// A shrunk schedule holds only what the failure needs.
func TestShrink(t *testing.T) {
	for _, test := range []struct {
		name     string
		machine  faulty
		rule     string
		calls    int
		faults   int
		replicas int
	}{
		{"a restored state lacks a key", faulty{forget: true}, contract.Restores.Name, 1, 0, 1},
		{"the view changes", views, contract.Invariant.Name, 11, 2, 4},
		{"the clock jumps", clocks, contract.Invariant.Name, 11, 2, 3},
	} {
		t.Run(test.name, func(t *testing.T) {
			count := 3
			if testing.Short() {
				count = 1
			}
			w := workOf(test.machine)
			for _, r := range fails(t, w, test.rule, count) {
				x, got, _ := Shrink(r.Schedule, always(w), r.Violation, 400, nil)
				var text strings.Builder
				x.WriteTo(&text)
				t.Logf("%d faults, %d replicas, %v:\n%s", len(r.Schedule.Faults), r.Schedule.Setup.Replicas,
					r.Schedule.Setup.Trouble, &text)
				require.NotNil(t, got.Violation)
				assert.Equal(t, test.rule, got.Violation.Rule)
				assert.LessOrEqual(t, len(x.Calls), test.calls)
				assert.LessOrEqual(t, len(x.Faults), test.faults)
				assert.LessOrEqual(t, x.Setup.Replicas, test.replicas)

				read, err := ReadSchedule(strings.NewReader(text.String()))
				require.NoError(t, err)
				assert.Equal(t, x, *read)
				again := Run(read, nil, w, nil)
				assert.Equal(t, got.Violation, again.Violation)
				assert.Equal(t, got.Hash, again.Hash)
			}
		})
	}
}

// The result is the same on one core and on many.
func TestShrinkIsDeterministic(t *testing.T) {
	w := workOf(views)
	r := fails(t, w, contract.Invariant.Name, 1)[0]
	var schedules [2]Schedule
	for i, cores := range []int{1, 4} {
		func() {
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(cores))
			schedules[i], _, _ = Shrink(r.Schedule, always(w), r.Violation, 25, nil)
		}()
	}
	assert.Equal(t, schedules[0], schedules[1])
	assert.NotEqual(t, textOf(&r.Schedule), textOf(&schedules[0]))
}

// A search of long runs ends early, after the same number of runs on one core and on many.
func TestShrinkOfLongRunsEnds(t *testing.T) {
	w := workOf(views)
	r := fails(t, w, contract.Invariant.Name, 1)[0]
	var changes []change
	for i := range 100 {
		changes = append(changes, func(x *Schedule) { x.Setup.Heartbeat += time.Duration(i + 1) })
	}
	var made []int
	for _, cores := range []int{1, 4} {
		k := &shrinker{work: always(w), want: &Violation{Rule: "11.2"}, budget: 5 * r.Cost, stop: func() bool { return false }, cores: cores, best: r.Schedule, report: r, seen: map[string]bool{}}
		assert.Equal(t, -1, k.first(changes...))
		made = append(made, len(k.seen))
	}
	assert.Equal(t, made[0], made[1])
	assert.Less(t, made[0], 20)
}

// A run that costs too much ends.
func TestRunsAreLimited(t *testing.T) {
	w := listWork(10, 0.3, 0)
	x := &Schedule{Setup: *Calm(1)}
	all := Run(x, nil, w, nil)
	require.Nil(t, all.Violation)
	w.Limit = all.Cost / 2
	r := Run(x, nil, w, nil)
	require.NotNil(t, r.Violation)
	assert.Equal(t, ruleLimit, r.Violation.Rule)
	assert.Less(t, r.Cost, all.Cost)
}

// A stopped search returns the best schedule so far, possibly the first.
func TestShrinkStops(t *testing.T) {
	w := workOf(views)
	r := fails(t, w, contract.Invariant.Name, 1)[0]
	before := len(textOf(&r.Schedule))
	for _, after := range []int{0, 5} {
		asked := 0
		x, got, _ := Shrink(r.Schedule, always(w), r.Violation, 400, func() bool { asked++; return asked > after })
		assert.True(t, got.Violation.like(r.Violation))
		assert.Equal(t, after > 0, len(textOf(&x)) < before)
		assert.Less(t, asked, after+100, "it goes on after it was stopped")
	}
}

// A schedule that does not fail with the wanted violation stays as it is.
func TestShrinkWantsTheSameFailure(t *testing.T) {
	w := workOf(clocks)
	r := fails(t, w, contract.Invariant.Name, 1)[0]
	x, got, _ := Shrink(r.Schedule, always(w), &Violation{Rule: "11.2"}, 50, nil)
	assert.Equal(t, r.Schedule, x)
	assert.Equal(t, r.Violation, got.Violation)
	x, got, _ = Shrink(r.Schedule, always(workOf(faulty{})), r.Violation, 50, nil)
	assert.Equal(t, r.Schedule, x)
	assert.Nil(t, got.Violation)
}

func TestSameViolations(t *testing.T) {
	a := &Violation{Rule: contract.NoFailure.Name, Text: `a: save: op 12 ("x\"1"... of 70 bytes) is gone`}
	assert.True(t, a.like(&Violation{Rule: contract.NoFailure.Name, Text: `c: save: op 7 ("y") is gone`}))
	assert.False(t, a.like(&Violation{Rule: contract.NoFailure.Name, Text: `a: load: op 12 ("x") is gone`}))
	assert.False(t, a.like(&Violation{Rule: "11.2", Text: a.Text}))
	b := &Violation{Rule: "11.2", Text: "op 1"}
	assert.True(t, b.like(&Violation{Rule: "11.2", Text: "two ops"}))
	assert.False(t, (*Violation)(nil).like(b))
}

// Shrinking does not exceed the budget, beyond which a group may stop serving.
func TestWithinBudget(t *testing.T) {
	p, w := Calm(1), listWork(10, 0.1, 0)
	wipe := func(host int, at time.Duration) fault.Fault {
		return fault.Fault{At: at, Kind: fault.Wipe, Host: host}
	}
	for _, test := range []struct {
		faults []fault.Fault
		within bool
	}{
		{nil, true},
		{[]fault.Fault{wipe(0, 5*time.Second)}, true},
		{[]fault.Fault{wipe(0, 0)}, false},
		{[]fault.Fault{wipe(0, 5*time.Second), wipe(2, 6*time.Second)}, false},
		// The log has no such op, so this fault cannot strike.
		{[]fault.Fault{{At: 5 * time.Second, Kind: fault.RotLog, N: 1 << 40}, wipe(2, 6*time.Second)}, true},
		{[]fault.Fault{{At: 5 * time.Second, Kind: fault.RotHead}, wipe(2, 6*time.Second)}, false},
	} {
		setup := *p
		r := Run(&Schedule{Setup: setup, Faults: test.faults}, nil, w, nil)
		assert.Equal(t, test.within, !r.Beyond, "%v", test.faults)
	}
}
