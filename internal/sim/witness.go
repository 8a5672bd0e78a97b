package sim

import (
	"bytes"
	"cmp"
	"fmt"

	"github.com/smr-go/smr/internal/vsr"
)

// witness executes the committed log on a machine and on its twin, for the judge, and compares whole states with theirs.
type witness struct {
	work     *Work
	every    vsr.OpNumber // operations from one comparison of whole states to the next
	machine  *machine
	twin     *machine // restored from a snapshot of the machine, and applying what comes after it
	careful  *careful // nil: not with this work
	unstable bool     // snapshots of one state differ in their bytes: they are not compared

	states map[vsr.OpNumber]uint64 // hashes of whole states
}

func newWitness(w *Work, every int) (*witness, error) {
	x := &witness{work: w, every: vsr.OpNumber(every), states: map[vsr.OpNumber]uint64{}}
	var err error
	if x.machine, err = newMachine(w, false); err != nil {
		return x, err
	}
	if x.twin, err = newMachine(w, true); err != nil {
		return x, err
	}
	if w.Careful {
		x.careful, err = newCareful(w)
	}
	return x, err
}

// Commit takes the next committed entry, for the judge.
func (w *witness) Commit(e *vsr.Entry, executed bool) (result []byte, digest uint64, err error) {
	if executed {
		if result, digest, err = w.execute(e); err != nil {
			return result, digest, err
		}
	}
	if e.Op%w.every == 0 {
		err = w.compareTwin(e.Op)
	}
	return result, digest, err
}

func (w *witness) execute(e *vsr.Entry) (result []byte, digest uint64, err error) {
	if w.careful != nil {
		if err := w.careful.execute(e); err != nil {
			return nil, 0, err
		}
	}
	if result, err = w.machine.apply(e); err != nil {
		return nil, 0, w.work.named(err, e)
	}
	digest = w.machine.digest()
	if err := w.applyTwin(e, result, digest); err != nil {
		return nil, 0, w.work.named(err, e)
	}
	if w.careful != nil {
		w.states[e.Op] = sumOf(w.careful.state)
		err = cmp.Or(w.sameAfter(e, w.machine, "another machine"), w.sameAfter(e, w.twin, "a twin"))
	}
	return result, digest, err
}

// named says which operation broke a rule.
func (w *Work) named(err error, e *vsr.Entry) error {
	text := fmt.Sprintf("%s: %v", w.inWords(e), err)
	if b, ok := err.(*broken); ok {
		return &broken{b.rule, text, uint64(e.Op)}
	}
	return fmt.Errorf("%s", text)
}

// inWords is an operation as its user knows it.
func (w *Work) inWords(e *vsr.Entry) string {
	if w.NameOf != nil {
		if name := w.NameOf(e.Body); name != "" {
			return fmt.Sprintf("op %d, %s %s", e.Op, name, quote(e.Body))
		}
	}
	return fmt.Sprintf("op %d, %s", e.Op, quote(e.Body))
}

// apart is why two machines part, one of which was restored from a snapshot of the other.
const apart = "what Apply does must depend on nothing but op and the state, and the whole state must be in snapshots"

// applyTwin applies the operation to the twin too, which must do the same.
func (w *witness) applyTwin(e *vsr.Entry, result []byte, digest uint64) error {
	other, err := w.twin.apply(e)
	if err != nil {
		return err
	}
	if !bytes.Equal(other, result) {
		return breaks(ruleDeterministic, "one machine returned %s, and another %s that had been restored from a snapshot of the first: %s",
			quote(result), quote(other), apart)
	}
	if d := w.twin.digest(); d != digest {
		return breaks(ruleDeterministic, "one machine came to a state with digest %x, and another to one with %x that had been restored from a snapshot of the first: %s", digest, d, apart)
	}
	return nil
}

// compareTwin compares machine and twin, notes the state for the replicas, and begins a new twin
// from a snapshot.
func (w *witness) compareTwin(op vsr.OpNumber) error {
	b, err := w.machine.encode()
	if err != nil {
		return fmt.Errorf("after op %d: %w", op, err)
	}
	w.states[op] = sumOf(b)
	if err := w.same(w.twin, op, "a twin"); err != nil {
		return err
	}
	if w.twin, err = newMachine(w.work, true); err != nil {
		return err
	}
	if err := w.twin.restore(bytes.NewReader(b)); err != nil {
		return fmt.Errorf("the snapshot after op %d: %w", op, err)
	}
	return w.same(w.twin, op, "one just restored from its snapshot")
}

// same compares the whole state of a machine that stands at op with the witness's, if that is
// known at that op.
func (w *witness) same(m *machine, op vsr.OpNumber, whose string) error {
	want, ok := w.states[op]
	if !ok || w.unstable {
		return nil
	}
	sum, err := m.sum()
	if err != nil {
		return fmt.Errorf("after op %d: %w", op, err)
	}
	if sum == want {
		return nil
	}
	if w.unstable = !m.stable() || !w.machine.stable(); w.unstable {
		return nil
	}
	return breaks(ruleRestore, "after op %d the snapshots of one machine and of %s differ, though both applied the same operations: Snapshot or Restore losesMemory a field, or since op %d an Apply was not deterministic",
		op, whose, op-min(op, w.every))
}

// sameAfter is same for a machine that has just applied the operation. A careful witness, by whom
// they were the same before it, blames that.
func (w *witness) sameAfter(e *vsr.Entry, m *machine, whose string) error {
	err := w.same(m, e.Op, whose)
	if b, ok := err.(*broken); ok && b.rule == ruleRestore && w.careful != nil {
		return w.work.named(breaks(ruleDeterministic, "two machines with the same history are in different states after it: %s", causes), e)
	}
	return err
}

// sameFrozen sees that a snapshot was written as the state was when it was frozen, whatever was
// applied since.
func (w *witness) sameFrozen(f *frozen, now vsr.OpNumber) error {
	if f.at == f.written || w.unstable {
		return nil
	}
	if w.unstable = !w.machine.stable(); w.unstable {
		return nil
	}
	return breaks(ruleFrozen, "the snapshot taken after op %d, and written after op %d, shows what was changed in between: it must write the state as it was when Snapshot was called",
		f.Last.Op, now)
}
