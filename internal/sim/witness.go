package sim

import (
	"bytes"
	"fmt"

	"github.com/smr-go/smr/internal/vsr"
)

// witness replays the committed log by itself, on a machine and on its twin, and says of everything
// else whether it agrees with that: states and results of replicas (11.8), answers to callers
// (11.7, 11.9).
type witness struct {
	work     *Work
	every    vsr.OpNumber // operations from one comparison of whole states to the next
	sessions vsr.Sessions
	machine  *machine
	twin     *machine // restored from a snapshot of the machine, and applying what comes after it
	unstable bool     // snapshots of one state differ in their bytes: they are not compared

	outcomes []outcome                // by op
	states   map[vsr.OpNumber]uint64  // hashes of whole states
	ran      map[request]vsr.OpNumber // where each was executed
	refused  map[request]bool         // their callers were told that they never will be
	bodies   map[string]vsr.OpNumber  // with Work.Distinct
	commands int                      // executed
}

// request names a caller's proposal.
type request struct{ session, number uint64 }

// outcome is what an op did.
type outcome struct {
	executed bool
	result   []byte
	digest   uint64 // of the state after it
}

func newWitness(w *Work, every int) (*witness, error) {
	x := &witness{work: w, every: vsr.OpNumber(every), outcomes: make([]outcome, 1), states: map[vsr.OpNumber]uint64{},
		ran: map[request]vsr.OpNumber{}, refused: map[request]bool{}, bodies: map[string]vsr.OpNumber{}}
	var err error
	if x.machine, err = newMachine(w); err != nil {
		return x, err
	}
	if x.twin, err = newMachine(w); err != nil {
		return x, err
	}
	x.outcomes[0].digest = x.machine.digest()
	return x, nil
}

// replay executes the next committed entry.
func (w *witness) replay(e *vsr.Entry) error {
	out := outcome{executed: w.sessions.Begin(e), digest: w.outcomes[len(w.outcomes)-1].digest}
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
	result, err := w.machine.apply(e)
	if err != nil {
		return named(err, e)
	}
	out.result, out.digest = bytes.Clone(result), w.machine.digest()
	w.sessions.Finish(e, out.result)
	if err := w.applyTwin(e, out); err != nil {
		return named(err, e)
	}
	r := request{e.Session, e.Request}
	if at, ok := w.ran[r]; ok {
		return fmt.Errorf("11.7: %s is executed at op %d and at op %d", quote(e.Body), at, e.Op)
	}
	if w.refused[r] {
		return fmt.Errorf("X4: %s is executed at op %d; its caller was told that it never would be", quote(e.Body), e.Op)
	}
	if w.work.Distinct {
		if at, ok := w.bodies[string(e.Body)]; ok {
			return fmt.Errorf("11.7: %s is executed at op %d and, under another number, at op %d", quote(e.Body), at, e.Op)
		}
		w.bodies[string(e.Body)] = e.Op
	}
	w.ran[r] = e.Op
	w.commands++
	return nil
}

// named says which operation broke a rule.
func named(err error, e *vsr.Entry) error {
	text := fmt.Sprintf("op %d (%s): %v", e.Op, quote(e.Body), err)
	if b, ok := err.(*broken); ok {
		return &broken{b.rule, text}
	}
	return fmt.Errorf("%s", text)
}

// applyTwin applies the operation to the twin too, which must do the same.
func (w *witness) applyTwin(e *vsr.Entry, want *outcome) error {
	result, err := w.twin.apply(e)
	if err != nil {
		return err
	}
	if !bytes.Equal(result, want.result) {
		return breaks(ruleDeterministic, "two machines with the same history return %s and %s; the second was restored from a snapshot of the first not long ago",
			quote(want.result), quote(result))
	}
	if d := w.twin.digest(); d != want.digest {
		return breaks(ruleDeterministic, "two machines with the same history have states with digests %x and %x; the second was restored from a snapshot of the first not long ago", want.digest, d)
	}
	return nil
}

// compareTwin compares machine and twin, notes the state for the replicas, and begins a new twin
// from a snapshot.
func (w *witness) compareTwin(op vsr.OpNumber) error {
	b, err := w.machine.encode()
	if err != nil {
		return fmt.Errorf("snapshot after op %d: %w", op, err)
	}
	w.states[op] = sumOf(b)
	if err := w.same(w.twin, op, "a twin"); err != nil {
		return err
	}
	if w.twin, err = newMachine(w.work); err != nil {
		return err
	}
	if err := w.twin.restore(bytes.NewReader(b)); err != nil {
		return breaks(ruleRestore, "Restore of the snapshot after op %d: %v", op, err)
	}
	return w.same(w.twin, op, "one that was restored from a snapshot of it")
}

// same compares the whole state of a machine that stands at op with the witness's, if that is
// known at that op.
func (w *witness) same(m *machine, op vsr.OpNumber, whose string) error {
	want, ok := w.states[op]
	if !ok || w.unstable {
		return nil
	}
	b, err := m.encode()
	if err != nil {
		return fmt.Errorf("snapshot after op %d: %w", op, err)
	}
	if sumOf(b) == want {
		return nil
	}
	if w.unstable = !m.stable() || !w.machine.stable(); w.unstable {
		return nil
	}
	return breaks(ruleRestore, "after op %d the state by the log and that of %s have different snapshots: a field that Snapshot or Restore forgets, or an operation before, since op %d, that is not deterministic",
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
	case !bytes.Equal(got.result, want.result):
		return named(breaks(ruleDeterministic, "11.8: the result is %s, by the log %s", quote(got.result), quote(want.result)), e)
	case got.executed && got.digest != want.digest:
		return named(breaks(ruleDeterministic, "11.8: the state after it has digest %x, by the log %x", got.digest, want.digest), e)
	}
	return w.same(m, e.Op, "a replica")
}

// restored compares a state that came out of a snapshot at op.
func (w *witness) restored(op vsr.OpNumber, m *machine) error {
	if int(op) >= len(w.outcomes) {
		return fmt.Errorf("C3: snapshot at op %d, and only %d ops are committed", op, len(w.outcomes)-1)
	}
	if want, got := w.outcomes[op].digest, m.digest(); got != want {
		return breaks(ruleRestore, "11.8: restored from the snapshot after op %d, the state has digest %x, by the log %x", op, got, want)
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
	return breaks(ruleFrozen, "op %d: the snapshot that was taken after it was written after op %d, and shows changes made since: it must write the state as it was when Snapshot was called",
		f.last.Op, now)
}
