package contract

import (
	"fmt"

	"github.com/smr-go/smr"
)

// Digest returns the digest of the state.
func (w *Witness) Digest() uint64 { return w.machine.Digest() }

// Blind reports whether whole states are not compared, because snapshots of one state differ in their bytes.
func (w *Witness) Blind() bool { return w.order != fixed }

// Note notes the whole state after the last operation, so that Same can compare other machines with it.
func (w *Witness) Note(number uint64) error {
	sum, err := w.machine.Sum()
	if err != nil {
		return fmt.Errorf("after op %d: %w", number, err)
	}
	w.states[number] = sum
	return nil
}

// Same compares the whole state of a machine after an operation with the state of the witness, if that was noted. whose
// names the machine in the error.
func (w *Witness) Same(m *Machine, number uint64, whose string) error {
	want, ok := w.states[number]
	if !ok || w.Blind() {
		return nil
	}
	sum, err := m.Sum()
	if err != nil {
		return fmt.Errorf("after op %d: %w", number, err)
	}
	if sum == want || w.varies(m) {
		return nil
	}
	return Restores.Broken("after op %d the snapshots of one machine and of %s differ, though both applied the same operations: Snapshot or Restore forgets a field, or since op %d an Apply was not deterministic",
		number, whose, number-min(number, uint64(w.Every)))
}

// varies reports whether snapshots of one state differ, at the witness or at another machine.
func (w *Witness) varies(m *Machine) bool {
	w.order = max(w.order, m.order(looks), w.machine.order(looks))
	return w.Blind()
}

// SameAfter is Same for a machine that has just applied the operation. If states are compared after each, they were the
// same before it, so the operation is to blame.
func (w *Witness) SameAfter(op smr.Op, m *Machine, whose string) error {
	err := w.Same(m, op.Number, whose)
	if w.Every == 1 && Restores.Breaks(err) {
		return w.kit.At(op, Deterministic.Broken("two machines with the same history are in different states after it"))
	}
	return err
}

// SameFrozen checks that a snapshot taken after one operation and written after a later one holds the earlier state. was
// and written are the sums of that state and of the snapshot.
func (w *Witness) SameFrozen(was, written, taken, now uint64) error {
	if was == written || w.Blind() || w.varies(w.machine) {
		return nil
	}
	return Frozen.Broken("the snapshot taken after op %d, and written after op %d, shows what was changed in between", taken, now)
}
