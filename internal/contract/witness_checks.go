package contract

import (
	"bytes"
	"cmp"
	"fmt"
	"reflect"

	"github.com/smr-go/smr"
	"github.com/smr-go/smr/internal/excerpt"
)

// sameNew checks that a new machine does not show the operations that another has applied. It looks after 1, 2, 4, …
// operations: shared state shows early.
func (w *Witness) sameNew() error {
	if w.applied++; w.applied&(w.applied-1) != 0 {
		return nil
	}
	_, err := w.another("machines that New returned share state: an operation applied to one shows in another")
	return err
}

// sameFrozen checks that a snapshot taken before the window, and written after it, shows the state before it.
func (w *Witness) sameFrozen() error {
	got, err := w.window.frozen.Bytes()
	if err != nil {
		return err
	}
	if w.differ(w.window.before, got) {
		return Frozen.Broken("a snapshot taken before it, and written after it, shows what it changed%s",
			parting(w.window.before, got))
	}
	return nil
}

// sameSiblings checks that other machines with the same history do the same.
func (w *Witness) sameSiblings(op smr.Op, returned []byte) error {
	for _, m := range w.siblings {
		other, state, err := w.follow(m, op, w.window.whole)
		switch {
		case err != nil:
			return err
		case !bytes.Equal(returned, other):
			return Deterministic.Broken("%s", apart("it returned %s, and on another machine with the same history %s",
				returned, other))
		case w.window.whole && w.differ(w.state, state):
			return Deterministic.Broken("two machines with the same history are in different states after it%s",
				parting(w.state, state))
		}
	}
	return nil
}

// sameRestored checks that a machine restored from a snapshot before the window does the same.
func (w *Witness) sameRestored(op smr.Op, returned []byte) error {
	other, state, err := w.follow(w.restored, op, w.window.whole)
	switch {
	case err != nil:
		return err
	case !bytes.Equal(returned, other):
		err = Restores.Broken("%s", apart("it returned %s, and on a machine just restored from a snapshot %s", returned,
			other))
	case w.window.whole && w.differ(w.state, state):
		err = Restores.Broken("a machine restored from a snapshot just before is in another state after it%s",
			parting(w.state, state))
	default:
		return nil
	}
	last := len(w.window.results) - 1
	results := append(w.window.results[:last:last], other)
	return cmp.Or(w.sameAgain(results, state), err)
}

// sameUsed checks that a machine which has done the operations of the window already, and much before them, is brought
// back to where it was, and does the same again.
func (w *Witness) sameUsed() error {
	x := &w.window
	for _, op := range x.ops {
		if _, err := w.used.Apply(op); err != nil {
			return err
		}
	}
	const how = "a snapshot taken before it, restored over the state after it, "
	if err := w.used.Restore(bytes.NewReader(x.before)); err != nil {
		return Replaces.Broken(how+"fails: %v", err)
	}
	state, err := w.used.Encode()
	if err != nil {
		return err
	}
	if w.differ(x.before, state) {
		return Replaces.Broken(how+"gives another state%s", parting(x.before, state))
	}
	for i, op := range x.ops {
		last := i == len(x.ops)-1
		other, state, err := w.follow(w.used, op, last)
		switch {
		case err != nil:
			return err
		case !bytes.Equal(x.results[i], other):
			err = Replaces.Broken("%s", apart("it returned %s, and, after "+how+"it returned %s", x.results[i], other))
		case last && w.differ(w.state, state):
			err = Replaces.Broken("after "+how+"it leads to another state%s", parting(w.state, state))
		}
		if err != nil {
			if w.doubt = w.kit.At(op, w.sameSecond()); w.doubt != nil {
				err = nil
			}
			return cmp.Or(w.sameAgain(x.results, w.state), err)
		}
	}
	return nil
}

// sameSecond checks that a machine which does the window a second time does what one does that was restored from its
// snapshot in between: a field that Restore leaves as it was may be one that snapshots lack.
func (w *Witness) sameSecond() error {
	first, err := w.restoredFrom(w.window.before)
	if err != nil {
		return err
	}
	for _, op := range w.window.ops {
		if _, err := first.Apply(op); err != nil {
			return err
		}
	}
	between, err := first.Encode()
	if err != nil {
		return err
	}
	second, err := w.restoredFrom(between)
	if err != nil {
		return err
	}
	for _, op := range w.window.ops {
		a, err1 := first.Apply(op)
		b, err2 := second.Apply(op)
		if err := cmp.Or(err1, err2); err != nil {
			return err
		}
		if !bytes.Equal(a, b) {
			return Restores.Broken("%s",
				apart("it returned %s a second time, and on a machine restored from a snapshot after the first time %s",
					a, b))
		}
	}
	return nil
}

// sameAgain checks that machines restored from the state before the window do the same as one of them did, which
// returned results and came to a state, if that is not nil: if they do not, Apply depends on chance.
func (w *Witness) sameAgain(results [][]byte, state []byte) error {
	for range 64 { // two keys of a map change places in one of eight runs
		m, err := w.restoredFrom(w.window.before)
		if err != nil {
			return err
		}
		for i, want := range results {
			other, next, err := w.follow(m, w.window.ops[i], state != nil && i == len(results)-1)
			if err != nil {
				return err
			}
			const how = "two machines restored from one snapshot behave differently"
			switch {
			case !bytes.Equal(want, other):
				return Deterministic.Broken("%s", apart(how+": one returned %s, and the other %s", want, other))
			case next != nil && w.differ(state, next):
				return Deterministic.Broken(how+"%s", parting(state, next))
			}
		}
	}
	return nil
}

// SameAnswer compares the answer that a machine gave to a query, in the state after an operation, with the answers of
// the witness's machines. These must be in the same state. whose names the machine in the error.
func (w *Witness) SameAnswer(m *Machine, whose, what string, number uint64, read func(smr.StateMachine) any,
	answer any) error {
	others := []struct {
		name string
		*Machine
	}{
		{"one that applied the same operations", w.machine},
		{"one restored from a snapshot", w.restored},
		{"one that applied and restored all along", w.used},
	}
	for _, other := range others {
		if other.Machine == nil || other.Machine == m {
			continue
		}
		got, err := other.Ask(what, number, read)
		if err != nil {
			return err
		}
		if sameValue(answer, got) || varies(m, what, number, read) || varies(other.Machine, what, number, read) {
			continue
		}
		one, two := excerpt.Apart(fmt.Appendf(nil, "%+v", answer), fmt.Appendf(nil, "%+v", got))
		err = SameQueries.Broken("query %s after op %d: %s answers %s, and %s answers %s", excerpt.Of([]byte(what)),
			number, whose, one, other.name, two)
		err.(*Broken).Op = number
		return err
	}
	return nil
}

// Alike checks that the witness's machines answer a query alike.
func (w *Witness) Alike(what string, number uint64, read func(smr.StateMachine) any) error {
	answer, err := w.machine.Ask(what, number, read)
	if err != nil {
		return err
	}
	return w.SameAnswer(w.machine, "a machine", what, number, read, answer)
}

func sameValue(a, b any) bool {
	return reflect.DeepEqual(a, b) || fmt.Sprintf("%+v", a) == fmt.Sprintf("%+v", b)
}

// queryAgain is how often a query is repeated to see whether its answers vary. The order of a map with two keys changes
// in one of eight.
const queryAgain = 20

// varies reports whether the machine answers a repeated query differently, as with the order of a map: such answers
// cannot be compared.
func varies(m *Machine, what string, number uint64, read func(smr.StateMachine) any) bool {
	first, err := m.Ask(what, number, read)
	for range queryAgain {
		again, err2 := m.Ask(what, number, read)
		if err != nil || err2 != nil || !sameValue(first, again) {
			return true
		}
	}
	return false
}
