package sim

import (
	"bytes"
	"cmp"
	"fmt"

	"github.com/smr-go/smr/internal/vsr"
)

// witness replays the committed log by itself, on a machine and on its twin, and says of everything
// else whether it agrees with that: states and results of replicas (11.8), answers to callers
// (11.7, 11.9).
type witness struct {
	work     *Work
	every    vsr.OpNumber // operations from one comparison of whole states to the next
	machine  *machine
	twin     *machine // restored from a snapshot of the machine, and applying what comes after it
	careful  *careful // nil: not with this work
	unstable bool     // snapshots of one state differ in their bytes: they are not compared

	outcomes []outcome               // by op
	states   map[vsr.OpNumber]uint64 // hashes of whole states
	table    executed
	ran      map[request]vsr.OpNumber // where each was executed: the table's
	refused  map[request]bool         // their callers were told that they never will be
	bodies   map[string]vsr.OpNumber  // with Work.Distinct
	commands int                      // executed
}

// request names a caller's proposal.
type request struct{ session, number uint64 }

// outcome is what an op did.
type outcome struct {
	executed bool
	kept     int // results in the session table
	result   []byte
	digest   uint64 // of the state after it
}

func newWitness(w *Work, every int) (*witness, error) {
	x := &witness{work: w, every: vsr.OpNumber(every), outcomes: make([]outcome, 1), states: map[vsr.OpNumber]uint64{},
		table: newExecuted(), refused: map[request]bool{}, bodies: map[string]vsr.OpNumber{}}
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
	x.ran, x.outcomes[0].digest = x.table.at, x.machine.digest()
	return x, err
}

// replay executes the next committed entry.
func (w *witness) replay(e *vsr.Entry) error {
	out := outcome{executed: w.table.takes(e), kept: w.table.kept(), digest: w.outcomes[len(w.outcomes)-1].digest}
	if out.executed {
		if err := w.execute(e, &out); err != nil {
			return err
		}
	}
	w.outcomes = append(w.outcomes, out)
	if e.Op%w.every == 0 {
		return w.compareTwin(e.Op)
	}
	return nil
}

func (w *witness) execute(e *vsr.Entry, out *outcome) error {
	if w.careful != nil {
		if err := w.careful.execute(e); err != nil {
			return err
		}
	}
	result, err := w.machine.apply(e)
	if err != nil {
		return w.work.named(err, e)
	}
	out.result, out.digest = bytes.Clone(result), w.machine.digest()
	if err := w.applyTwin(e, out); err != nil {
		return w.work.named(err, e)
	}
	if w.careful != nil {
		w.states[e.Op] = sumOf(w.careful.state)
		if err := cmp.Or(w.sameAfter(e, w.machine, "another machine"), w.sameAfter(e, w.twin, "a twin")); err != nil {
			return err
		}
	}
	if w.refused[request{e.Session, e.Request}] {
		return fmt.Errorf("X4: %s is executed at op %d; its caller was told that it never would be", quote(e.Body), e.Op)
	}
	if w.work.Distinct {
		if at, ok := w.bodies[string(e.Body)]; ok {
			return fmt.Errorf("11.7: %s is executed at op %d and, under another number, at op %d", quote(e.Body), at, e.Op)
		}
		w.bodies[string(e.Body)] = e.Op
	}
	w.commands++
	return nil
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
func (w *witness) applyTwin(e *vsr.Entry, want *outcome) error {
	result, err := w.twin.apply(e)
	if err != nil {
		return err
	}
	if !bytes.Equal(result, want.result) {
		return breaks(ruleDeterministic, "one machine returned %s, and another %s that had been restored from a snapshot of the first: %s",
			quote(want.result), quote(result), apart)
	}
	if d := w.twin.digest(); d != want.digest {
		return breaks(ruleDeterministic, "one machine came to a state with digest %x, and another to one with %x that had been restored from a snapshot of the first: %s", want.digest, d, apart)
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
	return breaks(ruleRestore, "after op %d the snapshots of one machine and of %s differ, though both applied the same operations: Snapshot or Restore forgets a field, or since op %d an Apply was not deterministic",
		op, whose, op-min(op, w.every))
}

// applied compares what a replica did at an op.
func (w *witness) applied(e *vsr.Entry, got outcome, m *machine) error {
	if int(e.Op) >= len(w.outcomes) {
		return fmt.Errorf("11.1: op %d was applied and is not committed: that ends at %d", e.Op, len(w.outcomes)-1)
	}
	want := w.outcomes[e.Op]
	switch {
	case got.executed != want.executed:
		return fmt.Errorf("11.7: op %d executed: %v; by the log: %v", e.Op, got.executed, want.executed)
	case got.kept != want.kept:
		return fmt.Errorf("11.10: after op %d the session table has room for %d results, not for %d (X2)", e.Op, got.kept, want.kept)
	case !bytes.Equal(got.result, want.result):
		return w.work.named(breaks(ruleDeterministic, "it returned %s, and another machine with the same history %s: %s (11.8)", quote(got.result), quote(want.result), apart), e)
	case got.executed && got.digest != want.digest:
		return w.work.named(breaks(ruleDeterministic, "it came to a state with digest %x, and another machine with the same history to one with %x: %s (11.8)", got.digest, want.digest, apart), e)
	}
	return w.sameAfter(e, m, "a replica")
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

// restored compares a state that came out of a snapshot at op.
func (w *witness) restored(op vsr.OpNumber, m *machine) error {
	if int(op) >= len(w.outcomes) {
		return fmt.Errorf("C3: snapshot at op %d, and only %d ops are committed", op, len(w.outcomes)-1)
	}
	if want, got := w.outcomes[op].digest, m.digest(); got != want {
		return breaks(ruleRestore, "a state restored from the snapshot after op %d has digest %x, and the one that it was taken of %x (11.8)", op, got, want)
	}
	return w.same(m, op, "one restored from a snapshot")
}

// answered checks the result that a caller got.
func (w *witness) answered(r request, result []byte) (vsr.OpNumber, error) {
	op, ok := w.ran[r]
	if !ok {
		return 0, fmt.Errorf("11.7: request %d of session %d was answered, and is not in the log", r.number, r.session)
	}
	if want := w.outcomes[op].result; !bytes.Equal(result, want) {
		return 0, fmt.Errorf("11.7: op %d was answered with %s, and resulted in %s", op, quote(result), quote(want))
	}
	return op, nil
}

// never notes that a caller was told that its command was not and never will be applied (X4).
func (w *witness) never(r request) error {
	w.refused[r] = true
	if op, ok := w.ran[r]; ok {
		return fmt.Errorf("X4: the caller of request %d of session %d is told that it never will be executed; it was, at op %d", r.number, r.session, op)
	}
	return nil
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
