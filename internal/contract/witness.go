package contract

import (
	"bytes"
	"fmt"

	"github.com/smr-go/smr"
	"github.com/smr-go/smr/internal/excerpt"
)

// Witness applies one history of operations to several machines, and names the first operation at which a broken rule
// shows, and the rule. It compares results after each operation, and whole states before and after each window of
// operations. Other machines with the same history can be compared with it.
type Witness struct {
	// Every is the number of operations of a window. It may be changed after each operation. With 1 the operation that
	// breaks a rule is named; otherwise, if only a state shows it, the last one of the window.
	Every int

	kit      *Kit
	machine  *Machine
	restored *Machine   // from the state before the window
	siblings []*Machine // have applied the same operations, elsewhere; none: not all rules are checked
	used     *Machine   // has applied and restored all along
	window   window
	applied  int
	doubt    error  // held back for one operation: the next may show the mistake more simply
	state    []byte // the last snapshot that was compared
	initial  []byte // the first one
	last     result
	order    Order             // whether snapshots of one state have the same bytes
	states   map[uint64]uint64 // sums of whole states, by operation
}

// window is the operations since whole states were compared.
type window struct {
	frozen  Snapshot // of the state before it, to be written after it
	before  []byte   // that state
	ops     []smr.Op
	results [][]byte
	whole   bool // whole states are compared now
}

// result is what Apply returned, and what that was then.
type result struct {
	op            string
	returned, was []byte
}

// NewWitness returns a Witness whose machines are in the initial state. Two machines may agree by chance, for instance
// on the order of a map; many siblings do not. A witness without siblings is quick: it has one machine, and a second
// one that is restored from its snapshots.
func NewWitness(k *Kit, every, siblings int) (*Witness, error) {
	w := &Witness{Every: every, kit: k, states: map[uint64]uint64{}}
	if err := w.begin(siblings); err != nil {
		return w, fmt.Errorf("the initial state: %w", err)
	}
	return w, nil
}

func (w *Witness) begin(siblings int) (err error) {
	if w.machine, err = w.kit.Make(Here); err != nil {
		return err
	}
	if w.state, err = w.machine.Encode(); err != nil {
		return err
	}
	w.initial = w.state
	for range siblings {
		m, err := w.another("New returns machines in different states")
		if err != nil {
			return err
		}
		w.siblings = append(w.siblings, m)
	}
	if w.restored, err = w.again(); err != nil || !w.exact() {
		return err
	}
	w.used, err = w.again()
	return err
}

// exact reports whether all rules are checked.
func (w *Witness) exact() bool { return len(w.siblings) > 0 }

// Execute applies the operation, and returns its result and the digest of the state after it.
func (w *Witness) Execute(op smr.Op) (returned []byte, digest uint64, err error) {
	doubt := w.doubt
	if returned, err = w.apply(op); err == nil {
		err = w.compare(op, returned)
	}
	if err != nil {
		return nil, 0, w.kit.At(op, err)
	}
	if doubt != nil {
		return nil, 0, doubt
	}
	if w.window.whole {
		w.states[op.Number] = SumOf(w.state)
		w.window.ops, w.window.results = w.window.ops[:0], w.window.results[:0]
	}
	if w.exact() {
		name := w.kit.Name(op)
		if err := SameResult(w.last.op, w.last.was, w.last.returned, "after "+name); err != nil {
			return nil, 0, err
		}
		w.last = result{name, returned, bytes.Clone(returned)}
	}
	return returned, w.Digest(), nil
}

// Doubt returns an error that Execute has held back, because the next operation may show the same mistake more simply.
func (w *Witness) Doubt() error { return w.doubt }

// apply applies the operation to the machine, and checks that its body is not kept.
func (w *Witness) apply(op smr.Op) (returned []byte, err error) {
	x := &w.window
	if len(x.ops) == 0 {
		x.before = w.state
		if w.exact() {
			if x.frozen, err = w.machine.Snapshot(); err != nil {
				return nil, err
			}
		}
	}
	x.ops = append(x.ops, op)
	x.whole = len(x.ops) >= w.Every
	if returned, err = w.machine.Lend(op); err != nil {
		return nil, err
	}
	x.results = append(x.results, bytes.Clone(returned))
	var lent []byte
	if x.whole && w.exact() {
		if lent, err = w.machine.Encode(); err != nil {
			return nil, err
		}
	}
	if err := w.machine.Overwrite(returned); err != nil {
		return nil, err
	}
	if x.whole {
		if w.state, err = w.machine.Encode(); err != nil {
			return nil, err
		}
	}
	if lent != nil && w.differ(lent, w.state) {
		return nil, LeavesBody.Broken("the state changed when the body was overwritten after Apply had returned%s",
			parting(lent, w.state))
	}
	return returned, w.machine.invariant()
}

// compare compares what the other machines do, the most telling ones first.
func (w *Witness) compare(op smr.Op, returned []byte) (err error) {
	if w.exact() {
		if err := w.sameNew(); err != nil {
			return err
		}
		if w.window.whole {
			if err := w.sameFrozen(); err != nil {
				return err
			}
		}
	}
	if err := w.sameSiblings(op, returned); err != nil {
		return err
	}
	if err := w.sameRestored(op, returned); err != nil || !w.window.whole {
		return err
	}
	if w.restored, err = w.again(); err != nil || !w.exact() {
		return err
	}
	return w.sameUsed()
}

// differ reports whether two states differ by their snapshots, as far as these can be compared.
func (w *Witness) differ(a, b []byte) bool { return w.order.Differ(a, b, w.machine) }

// another returns one more machine that New makes, which must be in the initial state. Otherwise the error begins with
// wrong.
func (w *Witness) another(wrong string) (*Machine, error) {
	m, err := w.kit.Make(There)
	if err != nil {
		return m, err
	}
	state, err := m.Encode()
	if err == nil && w.differ(w.initial, state) {
		err = Fresh.Broken("%s%s", wrong, parting(w.initial, state))
	}
	return m, err
}

// again returns a machine restored from the state, which must show it.
func (w *Witness) again() (*Machine, error) {
	m, err := w.restoredFrom(w.state)
	if err != nil {
		return m, err
	}
	state, err := m.Encode()
	if err == nil && w.differ(w.state, state) {
		err = Restores.Broken("a machine restored from the snapshot at this point writes a different one%s",
			parting(w.state, state))
	}
	return m, err
}

func (w *Witness) restoredFrom(snapshot []byte) (*Machine, error) {
	m, err := w.kit.Make(There)
	if err != nil {
		return m, err
	}
	return m, m.Restore(bytes.NewReader(snapshot))
}

// follow applies the operation to another machine, and returns its state too if whole states are compared.
func (w *Witness) follow(m *Machine, op smr.Op, whole bool) (returned, state []byte, err error) {
	if returned, err = m.Apply(op); err == nil && whole {
		state, err = m.Encode()
	}
	return returned, state, err
}

// apart is the text of two results that differ.
func apart(format string, a, b []byte) string {
	one, two := excerpt.Apart(a, b)
	return fmt.Sprintf(format, one, two)
}

// User returns the witness's machine.
func (w *Witness) User() smr.StateMachine { return w.machine.User }

// Digest returns the digest of the state.
func (w *Witness) Digest() uint64 { return w.machine.Digest() }

// Blind reports whether whole states are not compared, because snapshots of one state differ in their bytes.
func (w *Witness) Blind() bool { return w.order != Fixed }

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
	return Restores.Broken("after op %d the snapshots of one machine and of %s differ, though both applied the same "+
		"operations: Snapshot or Restore forgets a field, or since op %d an Apply was not deterministic",
		number, whose, number-min(number, uint64(w.Every)))
}

// varies reports whether snapshots of one state differ, at the witness or at another machine.
func (w *Witness) varies(m *Machine) bool {
	w.order = max(w.order, OrderOf(m), OrderOf(w.machine))
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

// SameFrozen checks that a snapshot taken after one operation and written after a later one holds the earlier state.
// was and written are the sums of that state and of the snapshot.
func (w *Witness) SameFrozen(was, written, taken, now uint64) error {
	if was == written || w.Blind() || w.varies(w.machine) {
		return nil
	}
	return Frozen.Broken("the snapshot taken after op %d, and written after op %d, shows what was changed in between",
		taken, now)
}
