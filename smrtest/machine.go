package smrtest

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/smr-go/smr"
	"github.com/smr-go/smr/internal/contract"
	"github.com/smr-go/smr/smrtest/internal/leak"
	"github.com/smr-go/smr/smrtest/internal/suite"
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
// hardly be compared, which is reported on stderr. The test also fails if it has nothing to compare, because all results are
// the same and no operation changes the snapshot.
//
// queries, which [Query] returns, are asked after each operation. They must change nothing: neither the snapshot nor the
// results that follow. Machines in the same state must give the same answers, whether they applied the operations or were
// restored from a snapshot. Answers that vary by themselves, as with the order of a map, are not compared. Queries are
// asked only if the operations alone break no rule. Commands among queries are refused.
//
// Machines run inside a testing/synctest bubble as well, and must leave no goroutine behind. A call that has not returned
// after 10 seconds is reported on stderr. The other process is a second run of the test binary, in another time zone: it
// runs this test, and the tests that contain it, up to this call, receives ops from here, and exits. If it does not reach
// the call within a minute, or if processes cannot be started, that check is skipped; so it is for the inputs that a fuzzer
// generates. Run the suite with the race detector, too: one check applies operations while a snapshot is written.
func TestStateMachine(t *testing.T, new func() smr.StateMachine, ops [][]byte, queries ...Operation) {
	t.Helper()
	if new == nil {
		t.Fatal("TestStateMachine needs new, a function that returns a state machine in its initial state; new is nil")
	}
	if len(ops) == 0 {
		t.Fatal("TestStateMachine needs operations to apply; ops is empty")
	}
	if child == nil {
		if err := checkQueries(queries, new()); err != nil {
			t.Fatalf("TestStateMachine: %v", err)
		}
	}
	m := machinesOf(t, new, ops, queries...)
	if child != nil {
		return // this process is for another call
	}
	suite.Enforce(t, machineRules, m)
}

var machineRules = []suite.Rule[machines]{
	{Name: contract.Fresh.Name, Check: exactly(contract.Fresh), First: true},
	{Name: contract.NoPanic.Name, Check: exactly(contract.NoPanic), First: true},
	{Name: contract.NoFailure.Name, Check: exactly(contract.NoFailure), First: true},
	{Name: contract.NoGoroutine.Name, Check: leavesNothing, First: true},
	{Name: contract.Deterministic.Name, Check: exactly(contract.Deterministic), First: true},
	{Name: "Apply uses no clock but op.Time", Check: usesNoClock},
	{Name: "Apply does not depend on GOMAXPROCS", Check: ignoresProcessors},
	{Name: "Apply does not depend on the process", Check: ignoresProcess},
	{Name: contract.LeavesBody.Name, Check: exactly(contract.LeavesBody)},
	{Name: contract.LeavesResult.Name, Check: exactly(contract.LeavesResult)},
	{Name: "Snapshot changes nothing", Check: snapshotsChangeNothing},
	{Name: contract.Restores.Name, Check: exactly(contract.Restores)},
	{Name: contract.Replaces.Name, Check: exactly(contract.Replaces), After: contract.Restores.Name},
	{Name: "Restore takes what Read gives it", Check: onLast(restoresByPieces), After: contract.Restores.Name},
	{Name: "Restore returns the reader's error", Check: onLast(restoreFails)},
	{Name: "Restore of a part does not panic", Check: onLast(restoresPart)},
	{Name: contract.PureQuery.Name, Check: exactly(contract.PureQuery)},
	{Name: contract.SameQueries.Name, Check: exactly(contract.SameQueries), After: contract.Restores.Name},
	{Name: contract.Frozen.Name, Check: exactly(contract.Frozen), After: contract.Restores.Name},
	{Name: "WriteTo runs alongside Apply", Check: snapshotsRunAlongside, After: contract.Restores.Name},
	{Name: "WriteTo returns the writer's error", Check: onLast(writeToFails)},
	{Name: "ops show something", Check: showsSomething},
}

// replays is the number of runs that show whether chance changes a run: the order of a map with two keys changes in one of
// eight.
func (m machines) replays() int { return min(max(8_000/len(m.ops), 20), 100) }

// usesNoClock has copies of the machine live in the year 2000, where a minute passes from call to call. They show the other
// mistakes too, so it waits until there are none.
func usesNoClock(t *testing.T, m machines) (err error) {
	if _, broken := errors.AsType[*contract.Broken](m.exact()); broken {
		return suite.Unable("not checked until the rules hold that are checked after every operation")
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
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	return m.alike(func([][]smr.Op) (sides []side, err error) {
		for i := range 1 + m.replays()/2 {
			s, x := side{name: "on one processor"}, onProcessors{n: 1}
			if i > 0 {
				s.name, x.n = "on eight processors", 8
			}
			x.use()
			if x.local, err = m.applied(0); err != nil {
				return nil, err
			}
			s.subject = x
			sides = append(sides, s)
		}
		return sides, nil
	})
}

// onProcessors is a machine whose operations are applied with that GOMAXPROCS.
type onProcessors struct {
	local
	n int
}

func (x onProcessors) apply(ops []smr.Op) (results [][]byte, err error) {
	x.use()
	return x.local.apply(ops)
}

func (x onProcessors) use() {
	if runtime.GOMAXPROCS(0) != x.n {
		runtime.GOMAXPROCS(x.n) // slow
	}
}

func snapshotsChangeNothing(_ *testing.T, m machines) error {
	without, err1 := m.applied(0)
	with, err2 := m.applied(0)
	if err := cmp.Or(err1, err2); err != nil {
		return err
	}
	_, err := m.same(m.twice, plan{}, []side{{"without snapshots", without}, {"with snapshots in between", inSnapshots{with, 1 + len(m.ops)/windows}}})
	if err != nil {
		return fmt.Errorf("%w\nSnapshot and WriteTo must leave the state as it is", err)
	}
	return nil
}

// inSnapshots is a machine of which snapshots are taken before every few operations.
type inSnapshots struct {
	local
	every int
}

func (x inSnapshots) apply(ops []smr.Op) (results [][]byte, err error) {
	for batch := range slices.Chunk(ops, x.every) {
		if _, err := x.Encode(); err != nil {
			return results, err
		}
		unused, err := x.Snapshot()
		if err == nil {
			err = unused.Close() // smr may find that it does not need one after all
		}
		if err != nil {
			return results, err
		}
		more, err := x.local.apply(batch)
		if results = append(results, more...); err != nil {
			return results, err
		}
	}
	return results, nil
}

// showsSomething checks that operations have an effect that the other checks can compare.
func showsSomething(t *testing.T, m machines) error {
	x, err := m.applied(0)
	if err != nil {
		return err
	}
	before, err := x.Encode()
	if err != nil {
		return err
	}
	var results [][]byte
	changed := false
	for i := range m.ops {
		result, err := x.apply(m.ops[i : i+1])
		now := before
		if err == nil && !changed {
			now, err = x.Encode()
		}
		if err != nil {
			return err
		}
		results = append(results, result...)
		changed = changed || !bytes.Equal(before, now)
	}
	switch other := func(result []byte) bool { return !bytes.Equal(result, results[0]) }; {
	case changed:
		warn(t.Name(), contract.OrderOf(x))
	case !slices.ContainsFunc(results, other):
		return fmt.Errorf("all %d operations return %s, and none changes the snapshot, which is %s: nothing could be compared. Give ops that change the state and read it, or have Snapshot write it",
			len(m.ops), quote(results[0]), quote(before))
	default:
		say(fmt.Sprintf("smrtest: %s: none of the %d operations changes the snapshot, which stays %s: only results were compared. Give ops that change the state too, or have Snapshot write it", t.Name(), len(m.ops), quote(before)))
	}
	return nil
}

// warn reports on stderr that the states of a test cannot be compared well, if their snapshots vary.
func warn(test string, order contract.Order) {
	compared := map[contract.Order]string{
		contract.Permuted: "states were compared only by how often each byte occurs",
		contract.Loose:    "states were not compared, only results",
	}[order]
	if compared != "" {
		say(fmt.Sprintf("smrtest: %s: snapshots of one state differ, as with the order of a map: %s. Write snapshots in a fixed order", test, compared))
	}
}

// leavesNothing labels every call, and so all goroutines that it starts. Goroutines that the package starts only once have
// been started by earlier checks.
func leavesNothing(_ *testing.T, m machines) error {
	mine := leak.NewLabel()
	k := *m.kit
	k.Watch = func(what func() string) func() bool {
		unmark, ended := mine.Mark(callLabel, what()), m.kit.Watch(what)
		return func() bool { unmark(); return ended() }
	}
	labelled := m
	labelled.kit = &k
	x, written, err := labelled.last()
	if err == nil {
		err = x.Restore(bytes.NewReader(written))
	}
	if err != nil {
		return err
	}
	var left string
	for range 100 { // one may be just about to end
		if left = mine.Stacks(); left == "" {
			return nil
		}
		time.Sleep(10 * time.Millisecond)
	}
	call := "one of its methods"
	if _, rest, ok := strings.Cut(left, `"`+callLabel+`":`); ok {
		if quoted, err := strconv.QuotedPrefix(rest); err == nil {
			call, _ = strconv.Unquote(quoted)
		}
	}
	return leftBehind("in "+call, left)
}

const callLabel = "smrtest.call"
