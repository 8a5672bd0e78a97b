package smrtest

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/smr-go/smr"
	"github.com/smr-go/smr/internal/contract"
	"github.com/smr-go/smr/internal/excerpt"
)

// machines is the subject of the suite.
type machines struct {
	kit    *contract.Kit
	ops    []smr.Op // their bodies are originals: machines get copies
	more   []smr.Op // the second round: the same bodies again
	caller caller   // of the suite
	watch  lookout
	exact  func() error // finds the first rule that is broken, once

	patience time.Duration // with another process
}

// machinesOf returns the subject of the suite. In a process whose errand is for this call it runs the errand instead, and does
// not return.
func machinesOf(t *testing.T, new func() smr.StateMachine, bodies [][]byte) machines {
	c := callerOf(t)
	if errand != nil {
		errand.run(c, new)
	}
	m := withOps(new, bodies)
	m.caller, m.patience = c, processPatience
	return m
}

func withOps(new func() smr.StateMachine, bodies [][]byte) machines {
	all := number(slices.Concat(bodies, bodies))
	m := machines{ops: all[:len(bodies)], more: all[len(bodies):]}
	m.kit = &contract.Kit{New: new, Watch: func(what func() string) func() bool { return timed(what, "") }, Describe: func(op smr.Op) string {
		i, _ := slices.BinarySearchFunc(all, op.Number, func(op smr.Op, n uint64) int { return cmp.Compare(op.Number, n) })
		return fmt.Sprintf("op %d (ops[%d] = %s)", op.Number, i%len(bodies), quote(op.Body))
	}}
	m.exact = sync.OnceValue(func() error { return m.find(m.replays()) })
	return m
}

// number makes operations of bodies like those of a group: numbers rise with gaps, and times do not fall.
func number(bodies [][]byte) []smr.Op {
	at := time.Date(2026, 1, 2, 3, 4, 5, 678_901_234, time.UTC)
	ops, next := make([]smr.Op, len(bodies)), uint64(3)
	for i, body := range bodies {
		ops[i] = smr.Op{Number: next, Time: at, Body: body}
		if next++; i%5 == 4 {
			next++
		}
		if i%3 != 2 { // some share a time
			at = at.Add(time.Duration(i%7+1) * 1_234_567 * time.Microsecond)
		}
	}
	return ops
}

// name names an operation to the user.
func (m machines) name(i int) string { return m.kit.Name(m.ops[i]) }

// quote shows the beginning of b.
func quote(b []byte) string { return excerpt.Of(b) }

// points returns after how many operations to take snapshots: 0, all, and evenly in between.
func (m machines) points() (points []int) {
	const most = 32
	n := min(most, len(m.ops))
	for i := range n + 1 {
		points = append(points, i*len(m.ops)/n)
	}
	return points
}

// run is one machine and its results.
type run struct {
	machines
	machine *contract.Machine
	first   int // ops[first] was applied first
	next    int // ops[next] is applied next
	results [][]byte
	encored [][]byte         // encore's, once asked for
	states  map[int][][]byte // by how many operations were applied, if watched
}

// start makes a machine in its initial state.
func (m machines) start() (*run, error) {
	machine, err := m.kit.Make(contract.Clean)
	if err != nil {
		return nil, err
	}
	r := &run{machines: m, machine: machine}
	return r, r.watched()
}

// run applies all operations to a new machine.
func (m machines) run() (*run, error) {
	return m.runWith(func(*run) error { return nil })
}

// runWith is run, and calls between before each operation and after the last.
func (m machines) runWith(between func(r *run) error) (*run, error) {
	r, err := m.start()
	if err != nil {
		return nil, err
	}
	for r.next < len(r.ops) {
		if err := between(r); err != nil {
			return nil, err
		}
		if err := r.apply(r.next + 1); err != nil {
			return nil, err
		}
	}
	return r, between(r)
}

// runTo applies the first operations, up to ops[upTo-1], to a new machine.
func (m machines) runTo(upTo int) (*run, error) {
	r, err := m.start()
	if err != nil {
		return nil, err
	}
	return r, r.apply(upTo)
}

// apply applies the operations from r.next to before upTo.
func (r *run) apply(upTo int) error {
	for r.next < upTo {
		if err := r.applyNext(); err != nil {
			return err
		}
		r.next++
		if err := r.watched(); err != nil {
			return err
		}
	}
	return nil
}

// applyNext applies ops[next].
func (r *run) applyNext() error {
	op := r.ops[r.next]
	result, err := r.machine.Apply(op)
	if err != nil {
		return r.kit.At(op, err)
	}
	r.results = append(r.results, bytes.Clone(result))
	return nil
}
