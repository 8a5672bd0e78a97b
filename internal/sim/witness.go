package sim

import (
	"bytes"
	"fmt"

	"github.com/smr-go/smr/internal/vsr"
)

// witness replays the committed log by itself, and says of everything else whether it agrees with
// that: states and results of replicas (11.8), answers to callers (11.7, 11.9).
type witness struct {
	sessions vsr.Sessions
	machine  machine
	outcomes []outcome               // by op
	ran      map[uint64]vsr.OpNumber // by command number: where it was executed
	refused  map[uint64]bool         // commands whose callers were told that they never will be
	commands int                     // executed
}

// outcome is what an op did.
type outcome struct {
	executed bool
	result   []byte
	digest   uint64 // of the state after it
	version  uint64 // of the state after it
}

func newWitness() *witness {
	return &witness{outcomes: make([]outcome, 1), ran: map[uint64]vsr.OpNumber{}, refused: map[uint64]bool{}}
}

// replay executes the next committed entry.
func (w *witness) replay(e *vsr.Entry) error {
	out := outcome{executed: w.sessions.Begin(e)}
	if out.executed {
		out.result = w.machine.apply(uint64(e.Op), e.Body)
		w.sessions.Finish(e, out.result)
		id := commandID(e.Body)
		if at, ok := w.ran[id]; ok {
			return fmt.Errorf("11.7: command %d is executed at op %d and at op %d", id, at, e.Op)
		}
		if w.refused[id] {
			return fmt.Errorf("X4: command %d is executed at op %d; its caller was told that it never would be", id, e.Op)
		}
		w.ran[id] = e.Op
		w.commands++
	}
	out.digest, out.version = w.machine.digest, w.machine.version
	w.outcomes = append(w.outcomes, out)
	return nil
}

// applied compares what a replica did at an op.
func (w *witness) applied(op vsr.OpNumber, got outcome) error {
	if int(op) >= len(w.outcomes) {
		return fmt.Errorf("op %d was applied and is not committed: that ends at %d", op, len(w.outcomes)-1)
	}
	want := w.outcomes[op]
	switch {
	case got.executed != want.executed:
		return fmt.Errorf("11.7: op %d executed: %v; by the log: %v", op, got.executed, want.executed)
	case !bytes.Equal(got.result, want.result):
		return fmt.Errorf("11.7: op %d resulted in %x, by the log in %x", op, got.result, want.result)
	case got.digest != want.digest || got.version != want.version:
		return fmt.Errorf("11.8: state after op %d is %x of version %d, by the log %x of version %d", op, got.digest, got.version, want.digest, want.version)
	}
	return nil
}

// restored compares a state that came out of a snapshot at op.
func (w *witness) restored(op vsr.OpNumber, m *machine) error {
	if int(op) >= len(w.outcomes) {
		return fmt.Errorf("C3: snapshot at op %d, and only %d ops are committed", op, len(w.outcomes)-1)
	}
	if want := w.outcomes[op]; m.digest != want.digest || m.version != want.version {
		return fmt.Errorf("11.8: the snapshot at op %d has state %x of version %d, by the log %x of version %d", op, m.digest, m.version, want.digest, want.version)
	}
	return nil
}

// answered checks the result that a caller got.
func (w *witness) answered(id uint64, result []byte) (vsr.OpNumber, error) {
	op, ok := w.ran[id]
	if !ok {
		return 0, fmt.Errorf("11.7: command %d was answered, and is not in the log", id)
	}
	if want := w.outcomes[op].result; !bytes.Equal(result, want) {
		return 0, fmt.Errorf("11.7: command %d was answered with %x, op %d resulted in %x", id, result, op, want)
	}
	return op, nil
}

// never notes that a caller was told that its command was not and never will be applied (X4).
func (w *witness) never(id uint64) error {
	w.refused[id] = true
	if op, ok := w.ran[id]; ok {
		return fmt.Errorf("X4: the caller of command %d is told that it never will be executed; it was, at op %d", id, op)
	}
	return nil
}
