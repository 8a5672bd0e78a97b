package smrtest

import (
	"bytes"
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/smr-go/smr"
)

// TestStateMachine checks the contract of smr.StateMachine on the machines that new returns, each
// call a new one in the initial state. It applies ops, which are bodies of operations, in order,
// many times over: on twins, at other times of the day, with other numbers of processors, with
// snapshots in between, and on machines restored from them. All must give the same results and end
// in the same state, or it fails and names the operation: "op 12 (ops[8])" is the one with
// Op.Number 12, whose body is ops[8].
//
// States are compared by their snapshots, and by the results of ops applied once more. So ops
// should change every part of the state, more than once, and read it back; and snapshots should
// be written in a fixed order, for those of a machine that does not can hardly be compared.
//
// Machines run inside a testing/synctest bubble as well, and must leave no goroutine there. Run
// the suite with the race detector, too: one check applies operations while a snapshot is written.
func TestStateMachine(t *testing.T, new func() smr.StateMachine, ops [][]byte) {
	t.Helper()
	if len(ops) == 0 {
		t.Fatal("TestStateMachine needs operations to apply; ops is empty")
	}
	enforce(t, machineRules, machinesOf(new, ops))
}

// machines is what the suite checks. new returns a machine in its initial state.
type machines struct {
	new  func() smr.StateMachine
	ops  []smr.Op // their bodies are originals: machines get copies
	more []smr.Op // to come after ops: the same bodies once more
}

var machineRules = []rule[machines]{
	{name: "Apply does not panic", check: doesNotPanic, first: true},
	{name: "Apply is deterministic", check: isDeterministic, first: true},
	{name: "Apply uses no clock but op.Time", check: usesNoClock},
	{name: "Apply does not depend on GOMAXPROCS", check: ignoresProcessors},
	{name: "Apply neither keeps nor changes op.Body", check: leavesBodies},
	{name: "a result is not changed once returned", check: leavesResults},
	{name: "Snapshot changes nothing", check: snapshotsChangeNothing},
	{name: "Restore brings the whole state back", check: restoresAll},
	{name: "Restore replaces what was there", check: restoresOverOld},
	{name: "Restore takes what Read gives it", check: restoresByPieces},
	{name: "Restore returns the reader's error", check: restoreFails},
	{name: "Restore of a part does not panic", check: restoresPart},
	{name: "WriteTo writes the state as Snapshot found it", check: snapshotsAreFrozen},
	{name: "WriteTo runs beside Apply", check: snapshotsRunBeside},
	{name: "WriteTo returns the writer's error", check: writeToFails},
}

// replays is how often a run is repeated to see whether chance, as in a map's order, changes it.
const replays = 10

func doesNotPanic(_ *testing.T, m machines) error {
	_, err := m.run()
	return err
}

func isDeterministic(_ *testing.T, m machines) error {
	first, err := m.run()
	if err != nil {
		return err
	}
	for range replays - 1 {
		again, err := m.run()
		if err != nil {
			return err
		}
		if err := first.same(again, "two runs of the same operations"); err != nil {
			return fmt.Errorf("%w\nApply must depend on nothing but the state before and op: no clock, no random source, no order of a map, no variable that machines share, no sum of floats in changing order", err)
		}
	}
	return nil
}

func usesNoClock(t *testing.T, m machines) error {
	now, err := m.run()
	if err != nil {
		return err
	}
	return elsewhen(t, func() error {
		for _, pace := range []time.Duration{0, 37 * time.Hour} {
			then, err := m.runWith(func(*run) error { time.Sleep(pace); return nil })
			if err != nil {
				return err
			}
			if err := now.same(then, "a run now and one in the year 2000"); err != nil {
				return fmt.Errorf("%w\nApply must not ask for the time: replicas apply the same operation at different times. It is in op.Time", err)
			}
		}
		return nil
	})
}

func ignoresProcessors(_ *testing.T, m machines) error {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	one, err := m.run()
	if err != nil {
		return err
	}
	runtime.GOMAXPROCS(8)
	for range replays {
		many, err := m.run()
		if err != nil {
			return err
		}
		if err := one.same(many, "runs on one processor and on eight"); err != nil {
			return err
		}
	}
	return nil
}

func leavesBodies(_ *testing.T, m machines) error {
	clean, err := m.run()
	if err != nil {
		return err
	}
	poisoned, err := m.start()
	if err != nil {
		return err
	}
	poisoned.poison = true
	if err := poisoned.apply(len(m.ops)); err != nil {
		return err
	}
	if err := clean.same(poisoned, "two runs, one of which overwrote each body after Apply returned"); err != nil {
		return fmt.Errorf("%w\nop.Body is smr's once Apply has returned: copy what is to be kept", err)
	}
	return nil
}

func leavesResults(_ *testing.T, m machines) error {
	r, err := m.run()
	if err != nil {
		return err
	}
	for i, was := range r.results {
		if !bytes.Equal(was, r.returned[i]) {
			return fmt.Errorf("the result of %s was changed after Apply had returned it, from %s to %s: a result is smr's, and a buffer that is used again must be copied",
				m.name(i), quote(was), quote(r.returned[i]))
		}
	}
	return nil
}

func snapshotsChangeNothing(_ *testing.T, m machines) error {
	without, err := m.run()
	if err != nil {
		return err
	}
	points := m.points()
	with, err := m.runWith(func(r *run) error {
		if !slices.Contains(points, r.next) {
			return nil
		}
		if _, err := r.snapshot(); err != nil {
			return err
		}
		unused, err := r.freeze()
		if err != nil {
			return err
		}
		return unused.close() // smr may find that it does not need one after all
	})
	if err != nil {
		return err
	}
	if err := without.same(with, "two runs, one with snapshots in between"); err != nil {
		return fmt.Errorf("%w\nSnapshot and WriteTo must leave the state as it is", err)
	}
	return nil
}
