package contract

import (
	"bytes"
	"cmp"
	"fmt"

	"github.com/smr-go/smr"
	"github.com/smr-go/smr/internal/excerpt"
)

// Witness applies one history of operations to a machine and to its twin, which is restored from a snapshot of the machine
// again and again, and compares other machines with the same history with them.
type Witness struct {
	kit      *Kit
	every    uint64 // operations from one comparison of whole states to the next
	machine  *Machine
	twin     *Machine
	careful  *Careful          // with Kit.Careful
	states   map[uint64]uint64 // sums of whole states, by operation
	unstable bool              // snapshots of one state differ in their bytes: they are not compared
}

// NewWitness returns a witness in the initial state. It compares whole states after every that many operations, or after
// each with Kit.Careful.
func NewWitness(k *Kit, every int) (w *Witness, err error) {
	w = &Witness{kit: k, every: uint64(every), states: map[uint64]uint64{}}
	if w.machine, err = k.Make(Here); err != nil {
		return w, err
	}
	if w.twin, err = k.Make(There); err != nil {
		return w, err
	}
	if k.Careful {
		w.careful, err = NewCareful(k, 1, siblings)
	}
	return w, err
}

// siblings is the number of machines that a careful witness compares with its own. Two machines may agree by chance on the
// order of a map.
const siblings = 3

// Digest returns the digest of the state.
func (w *Witness) Digest() uint64 { return w.machine.Digest() }

// Blind reports whether whole states are not compared, because snapshots of one state differ in their bytes.
func (w *Witness) Blind() bool { return w.unstable }

// Execute applies the next operation of the history, and returns its result and the digest of the state after it.
func (w *Witness) Execute(op smr.Op) (result []byte, digest uint64, err error) {
	if w.careful != nil {
		if err := w.careful.Execute(op); err != nil {
			return nil, 0, err
		}
	}
	if result, err = w.machine.Apply(op); err != nil {
		return nil, 0, w.kit.At(op, err)
	}
	digest = w.Digest()
	if err := w.applyTwin(op, result, digest); err != nil {
		return nil, 0, w.kit.At(op, err)
	}
	if w.careful != nil {
		w.states[op.Number] = SumOf(w.careful.state)
		err = cmp.Or(w.SameAfter(op, w.machine, "another machine"), w.SameAfter(op, w.twin, "a twin"))
	}
	return result, digest, err
}

// applyTwin applies the operation to the twin too, which must do the same.
func (w *Witness) applyTwin(op smr.Op, result []byte, digest uint64) error {
	const restored = "one machine %s %v, and another %v that had been restored from a snapshot of the first"
	other, err := w.twin.Apply(op)
	if err != nil {
		return err
	}
	if !bytes.Equal(other, result) {
		one, two := excerpt.Apart(result, other)
		return Deterministic.Broken(restored, "returned", one, two)
	}
	if d := w.twin.Digest(); d != digest {
		return Deterministic.Broken(restored, "came to a state with digest", digest, d)
	}
	return nil
}

// Passed reports that the history has reached an operation, executed or not. At regular intervals it compares machine and
// twin, notes the state for other machines, and restores a new twin from a snapshot.
func (w *Witness) Passed(number uint64) error {
	if number%w.every != 0 {
		return nil
	}
	b, err := w.note(number)
	if err != nil {
		return err
	}
	if err := w.Same(w.twin, number, "a twin"); err != nil {
		return err
	}
	if w.twin, err = w.kit.Make(There); err != nil {
		return err
	}
	if err := w.twin.Restore(bytes.NewReader(b)); err != nil {
		return fmt.Errorf("the snapshot after op %d: %w", number, err)
	}
	return w.Same(w.twin, number, "one just restored from its snapshot")
}

// Note notes the whole state after the last operation, so that Same can compare other machines with it.
func (w *Witness) Note(number uint64) error {
	_, err := w.note(number)
	return err
}

func (w *Witness) note(number uint64) ([]byte, error) {
	b, err := w.machine.Encode()
	if err != nil {
		return nil, fmt.Errorf("after op %d: %w", number, err)
	}
	w.states[number] = SumOf(b)
	return b, nil
}

// Same compares the whole state of a machine after an operation with the state of the witness, if that was noted. whose
// names the machine in the error.
func (w *Witness) Same(m *Machine, number uint64, whose string) error {
	want, ok := w.states[number]
	if !ok || w.unstable {
		return nil
	}
	sum, err := m.Sum()
	if err != nil {
		return fmt.Errorf("after op %d: %w", number, err)
	}
	if sum == want {
		return nil
	}
	if w.unstable = !m.Stable() || !w.machine.Stable(); w.unstable {
		return nil
	}
	return Restores.Broken("after op %d the snapshots of one machine and of %s differ, though both applied the same operations: Snapshot or Restore forgets a field, or since op %d an Apply was not deterministic",
		number, whose, number-min(number, w.every))
}

// SameAfter is Same for a machine that has just applied the operation. A careful witness knows that the states were the
// same before it, so it blames the operation.
func (w *Witness) SameAfter(op smr.Op, m *Machine, whose string) error {
	err := w.Same(m, op.Number, whose)
	if w.careful != nil && Restores.Breaks(err) {
		return w.kit.At(op, Deterministic.Broken("two machines with the same history are in different states after it"))
	}
	return err
}

// SameFrozen checks that a snapshot taken after one operation and written after a later one holds the earlier state. was
// and written are the sums of that state and of the snapshot.
func (w *Witness) SameFrozen(was, written, taken, now uint64) error {
	if was == written || w.unstable {
		return nil
	}
	if w.unstable = !w.machine.Stable(); w.unstable {
		return nil
	}
	return Frozen.Broken("the snapshot taken after op %d, and written after op %d, shows what was changed in between", taken, now)
}
