package smrtest

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/smr-go/smr"
	"github.com/smr-go/smr/internal/contract"
	"github.com/smr-go/smr/internal/excerpt"
	"github.com/smr-go/smr/smrtest/internal/suite"
)

// exactly returns the check of a rule that is checked operation by operation. The first such check runs them all.
func exactly(r contract.Rule) func(t *testing.T, m machines) error {
	return func(_ *testing.T, m machines) error {
		err := m.exact()
		if b, ok := errors.AsType[*contract.Broken](err); ok && b.Rule != r.Name {
			return nil
		}
		return err
	}
}

// find returns the error of the first operation at which a broken rule shows. Queries are asked only if the operations
// alone break no rule, and compared only if they change nothing: a query that changes the state makes other rules seem
// broken.
func (m machines) find(siblings int) error {
	err := m.narrow(m.witnessed(siblings, nil))
	if err != nil || len(m.queries) == 0 {
		return err
	}
	if err := m.narrow(m.asked); err != nil {
		return err
	}
	return m.narrow(m.witnessed(1, m.compareQueries))
}

// witnessed returns a run, for narrow, of a Witness, which calls then after each operation if that is not nil.
func (m machines) witnessed(siblings int, then func(w *contract.Witness, op smr.Op) error) func(p plan) (at int, err error) {
	return func(p plan) (at int, err error) {
		w, err := contract.NewWitness(m.kit, p.every, siblings)
		if err != nil {
			return 0, err
		}
		for i, op := range m.twice[:p.ops] {
			if i >= p.closely || i == p.ops-1 {
				w.Every = 1
			}
			_, _, err := w.Execute(op)
			if err == nil && then != nil {
				err = then(w, op)
			}
			if err != nil {
				return i, err
			}
		}
		return p.ops - 1, w.Doubt()
	}
}

// plan is a way to apply operations, of two rounds, and to compare states.
type plan struct {
	ops     int // how many are applied
	every   int // states are compared after so many; 0: only after the last one
	closely int // from this one on, states are compared after each, unless every is 0
}

const (
	windows = 32 // in which operations are applied at first
	closer  = 5  // looks at the window in which something was found
)

// narrow searches for the first operation at which run returns an error.
func (m machines) narrow(run func(p plan) (at int, err error)) error {
	every := 1 + len(m.ops)/windows
	at, err := run(plan{len(m.twice), every, len(m.twice)})
	for range closer {
		if err == nil || every == 1 {
			break
		}
		if n, e := run(plan{at + 1, every, at - 2*every}); e != nil && n <= at { // a mistake that depends on chance may show elsewhere, or not at all
			at, err = n, e
		}
	}
	return err
}

// side is one of the machines that must do the same. name says which, at the end of a sentence.
type side struct {
	name string
	subject
}

// subject is a machine in this process or another.
type subject interface {
	apply(ops []smr.Op) (results [][]byte, err error) // results are those before the error
	contract.Encoder
}

// local is a machine in this process.
type local struct{ *contract.Machine }

func (x local) apply(ops []smr.Op) (results [][]byte, err error) {
	for _, op := range ops {
		result, err := x.Apply(op)
		if err != nil {
			return results, err
		}
		results = append(results, bytes.Clone(result))
	}
	return results, nil
}

// alike has the machines that start makes, in the initial state, apply all operations, and returns an error that names the
// first operation at which two of them differ. Only if they do, it compares states in between. start is given the steps that
// the machines will perform.
func (m machines) alike(start func(steps [][]smr.Op) ([]side, error)) error {
	run := func(p plan) (at int, err error) {
		ops := m.twice[:p.ops]
		sides, err := start(p.steps(ops))
		if err != nil {
			return 0, err
		}
		return m.same(ops, p, sides)
	}
	_, err := run(plan{ops: len(m.twice)})
	if err == nil || suite.IsUnable(err) {
		return err
	}
	if first := m.narrow(run); first != nil && !suite.IsUnable(first) {
		return first
	}
	return err
}

// steps divides operations into those that are applied before states are compared; none in a step stands for a comparison.
func (p plan) steps(ops []smr.Op) (all [][]smr.Op) {
	for from, to := 0, 0; from < len(ops); from = to {
		switch {
		case p.every == 0:
			to = len(ops)
		case from >= p.closely:
			to = from + 1
		default:
			to = min(from+p.every, len(ops))
		}
		if p.every > 0 {
			all = append(all, nil)
		}
		all = append(all, ops[from:to])
	}
	return append(all, nil)
}

// same has each side perform the steps of a plan, and compares results and states with those of the first. It returns the
// place of the operation at which a difference shows.
func (m machines) same(ops []smr.Op, p plan, sides []side) (at int, err error) {
	var order contract.Order
	done := 0
	for _, step := range p.steps(ops) {
		if len(step) == 0 {
			if err := sameStates(&order, sides); err != nil {
				return max(done-1, 0), fmt.Errorf("%s: %w", m.after(ops[:done]), err)
			}
			continue
		}
		if at, err := m.sameResults(step, sides); err != nil {
			return done + at, err
		}
		done += len(step)
	}
	return done - 1, nil
}

// after names the last of the operations.
func (m machines) after(ops []smr.Op) string {
	if len(ops) == 0 {
		return "before the first operation"
	}
	return "after " + m.kit.Name(ops[len(ops)-1])
}

func (m machines) sameResults(ops []smr.Op, sides []side) (at int, err error) {
	var first [][]byte
	for i, s := range sides {
		results, err := s.apply(ops)
		if err != nil {
			return len(results), m.kit.At(ops[len(results)], fmt.Errorf("%s: %w", s.name, err))
		}
		if i == 0 {
			first = results
		}
		for at := range results {
			if !bytes.Equal(first[at], results[at]) {
				a, b := excerpt.Apart(first[at], results[at])
				return at, fmt.Errorf("%s: it returned %s %s, and %s %s", m.kit.Name(ops[at]), a, sides[0].name, b, s.name)
			}
		}
	}
	return 0, nil
}

func sameStates(order *contract.Order, sides []side) error {
	var first []byte
	for i, s := range sides {
		state, err := s.Encode()
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		if i == 0 {
			first = state
		}
		if order.Differ(first, state, sides[0], s) {
			return fmt.Errorf("the state %s is not the state %s: %s", sides[0].name, s.name, contract.Difference(first, state))
		}
	}
	return nil
}

// machines is the subject of the suite.
type machines struct {
	kit     *contract.Kit
	ops     []smr.Op
	twice   []smr.Op // ops, and a second round of the same bodies: a difference that the last ones made may show only there
	queries []Operation
	exact   func() error // finds the first rule that is broken, once

	call     call          // of the suite
	patience time.Duration // with each answer of another process
}

// machinesOf returns the subject of the suite. In a process that serves machines to another one, for this call, it does that
// instead, and does not return.
func machinesOf(t *testing.T, new func() smr.StateMachine, bodies [][]byte, queries ...Operation) machines {
	c := callOf(t)
	if child != nil {
		child.serve(c, new)
	}
	m := machines{twice: number(slices.Concat(bodies, bodies)), queries: queries, call: c, patience: time.Minute}
	m.ops = m.twice[:len(bodies)]
	m.kit = kitOf(new)
	m.kit.Describe = func(op smr.Op) string {
		i, _ := slices.BinarySearchFunc(m.twice, op.Number, func(op smr.Op, n uint64) int { return cmp.Compare(op.Number, n) })
		return fmt.Sprintf("op %d (ops[%d] = %s)", op.Number, i%len(bodies), quote(op.Body))
	}
	m.exact = sync.OnceValue(func() error { return m.find(m.replays()) })
	return m
}

// kitOf returns a kit that reports calls which take too long.
func kitOf(new func() smr.StateMachine) *contract.Kit {
	return &contract.Kit{New: new, Watch: timed("")}
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

// quote shows the beginning of b.
func quote(b []byte) string { return excerpt.Of(b) }

// applied returns a machine that has applied the first n operations. Bodies are its own.
func (m machines) applied(n int) (x local, err error) {
	x.Machine, err = m.kit.Make(contract.Clean)
	for i := 0; err == nil && i < n; i++ {
		_, err = x.Apply(m.ops[i])
		err = m.kit.At(m.ops[i], err)
	}
	return x, err
}

// last returns a machine that has applied all operations, and a snapshot of it.
func (m machines) last() (x local, written []byte, err error) {
	if x, err = m.applied(len(m.ops)); err == nil {
		written, err = x.Encode()
	}
	return x, written, err
}

// onLast returns a check of the machine that last returns, and of its snapshot.
func onLast(check func(m machines, x local, written []byte) error) func(*testing.T, machines) error {
	return func(_ *testing.T, m machines) error {
		x, written, err := m.last()
		if err != nil {
			return err
		}
		return check(m, x, written)
	}
}
