package smrtest

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"testing"

	"github.com/smr-go/smr"
	"github.com/smr-go/smr/internal/contract"
)

// TestStateMachine checks the contract of smr.StateMachine on the machines that new returns. Each call of new must return
// a new machine in the initial state. TestStateMachine applies ops, which are bodies of operations, in order, many times:
// on twins, at other times of the day, with other numbers of processors, in another process, with snapshots in between, and
// on machines restored from them. All must give the same results and reach the same state. Otherwise it fails and names the
// first operation at which a difference shows: "op 12 (ops[8])" is the one with Op.Number 12, whose body is ops[8]. Op.Time
// begins in 2026, and advances by up to 9 s from one operation to the next, by 3 s on average: an hour takes 1,100
// operations.
//
// States are compared by their snapshots, and by the results of a second round of ops. So ops should change every part of
// the state, more than once, and read it back; and snapshots should be written in a fixed order, because otherwise they can
// hardly be compared, which is reported on stderr. The test also fails if it has nothing to compare, because all results are the same and no operation
// changes the snapshot.
//
// Machines run inside a testing/synctest bubble as well, and must leave no goroutine behind. A call that has not returned
// after 10 seconds is reported on stderr. The other process is a second run of the test binary, in another time zone: it
// runs this test, and the tests that contain it, up to this call, receives ops from here, and exits. If it does not reach
// the call within a minute, or if processes cannot be started, that check is skipped; so it is for the inputs that a fuzzer
// generates. Run the suite with the race detector, too: one check applies operations while a snapshot is written.
func TestStateMachine(t *testing.T, new func() smr.StateMachine, ops [][]byte) {
	t.Helper()
	if new == nil {
		t.Fatal("TestStateMachine needs new, a function that returns a state machine in its initial state; new is nil")
	}
	if len(ops) == 0 {
		t.Fatal("TestStateMachine needs operations to apply; ops is empty")
	}
	m := machinesOf(t, new, ops)
	if errand != nil {
		return // this process is for another call
	}
	enforce(t, machineRules, m)
}

var machineRules = []rule[machines]{
	{name: contract.Fresh.Name, check: exactly(contract.Fresh), first: true},
	{name: contract.NoPanic.Name, check: exactly(contract.NoPanic), first: true},
	{name: contract.NoFailure.Name, check: exactly(contract.NoFailure), first: true},
	{name: contract.NoGoroutine.Name, check: leavesNothing, first: true},
	{name: contract.Deterministic.Name, check: exactly(contract.Deterministic), first: true},
	{name: "Apply uses no clock but op.Time", check: usesNoClock},
	{name: "Apply does not depend on GOMAXPROCS", check: ignoresProcessors},
	{name: "Apply does not depend on the process", check: ignoresProcess},
	{name: contract.LeavesBody.Name, check: exactly(contract.LeavesBody)},
	{name: contract.LeavesResult.Name, check: exactly(contract.LeavesResult)},
	{name: "Snapshot changes nothing", check: snapshotsChangeNothing},
	{name: contract.Restores.Name, check: exactly(contract.Restores)},
	{name: contract.Replaces.Name, check: exactly(contract.Replaces), after: contract.Restores.Name},
	{name: "Restore takes what Read gives it", check: restoresByPieces, after: contract.Restores.Name},
	{name: "Restore returns the reader's error", check: restoreFails},
	{name: "Restore of a part does not panic", check: restoresPart},
	{name: contract.Frozen.Name, check: exactly(contract.Frozen), after: contract.Restores.Name},
	{name: "WriteTo runs alongside Apply", check: snapshotsRunAlongside, after: contract.Restores.Name},
	{name: "WriteTo returns the writer's error", check: writeToFails},
	{name: "ops show something", check: showsSomething},
}

// replays is the number of runs that show whether chance changes a run: the order of a map with two keys changes in one of
// eight.
func (m machines) replays() int { return min(max(8_000/len(m.ops), 20), 100) }

// usesNoClock has copies of the machine live in the year 2000, where a minute passes from call to call. They show the other
// mistakes too, so it waits until there are none.
func usesNoClock(t *testing.T, m machines) (err error) {
	if _, broken := errors.AsType[*contract.Broken](m.exact()); broken {
		return nil
	}
	left := elsewhere(t, func(far func(do func())) {
		k := *m.kit
		k.Elsewhere = far
		m.kit = &k
		err = m.find(1)
	})
	if err = cmp.Or(err, left); err != nil {
		return fmt.Errorf("%w\nApply must not ask for the time: replicas apply the same operation at different times. It is in op.Time", err)
	}
	return nil
}

func ignoresProcessors(_ *testing.T, m machines) error {
	const why = "runs on one processor and on eight"
	one, err := onProcessors(1)(m)
	if err != nil {
		return err
	}
	for range m.replays() / 2 {
		many, err := onProcessors(8)(m)
		if err != nil {
			return err
		}
		if err := one.same(many, why); err != nil {
			return m.earlier(err, why, onProcessors(1), onProcessors(8))
		}
	}
	return nil
}

// onProcessors returns the way to run with GOMAXPROCS at n.
func onProcessors(n int) way {
	return func(m machines) (*run, error) {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(n))
		return m.run()
	}
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
		return unused.Close() // smr may find that it does not need one after all
	})
	if err != nil {
		return err
	}
	if err := without.same(with, "two runs, one with snapshots in between"); err != nil {
		return fmt.Errorf("%w\nSnapshot and WriteTo must leave the state as it is", err)
	}
	return nil
}

// showsSomething checks that operations have an effect that the other checks can compare.
func showsSomething(t *testing.T, m machines) error {
	first, err := m.start()
	if err != nil {
		return err
	}
	before, err := first.looks(1)
	if err != nil {
		return err
	}
	changed := false
	r, err := m.runWith(func(r *run) error {
		if changed {
			return nil
		}
		now, err := r.looks(1)
		changed = err == nil && !bytes.Equal(before[0], now[0])
		return err
	})
	switch {
	case err != nil:
		return err
	case changed:
		return r.warn(t.Name())
	case alike(r.results, bytes.Equal):
		return fmt.Errorf("all %d operations return %s, and none changes the snapshot, which is %s: nothing could be compared. Give ops that change the state and read it, or have Snapshot write it",
			len(r.results), quote(r.results[0]), quote(before[0]))
	}
	say(fmt.Sprintf("smrtest: %s: none of the %d operations changes the snapshot, which stays %s: only results were compared. Give ops that change the state too, or have Snapshot write it", t.Name(), len(r.results), quote(before[0])))
	return nil
}

// warn reports on stderr that the states of a test cannot be compared well, if snapshots of the final one differ.
func (r *run) warn(test string) error {
	all, err := r.looks(manyLooks)
	if err != nil || alike(all, bytes.Equal) {
		return err
	}
	compared := "states were not compared, only results"
	if alike(all, contract.Shuffled) {
		compared = "states were compared only by how often each byte occurs"
	}
	say(fmt.Sprintf("smrtest: %s: snapshots of one state differ, as with the order of a map: %s. Write snapshots in a fixed order", test, compared))
	return nil
}
