package contract

import (
	"bytes"
	"fmt"

	"github.com/smr-go/smr"
	"github.com/smr-go/smr/internal/excerpt"
)

// Careful applies operations one by one to several machines. It names the first operation at which a broken rule shows, and
// the rule. It compares results after each operation, and whole states before and after each window of operations.
type Careful struct {
	// Every is the number of operations of a window. It may be changed after each operation. With 1 the operation that
	// breaks a rule is named; otherwise, if only a state shows it, the last one of the window.
	Every int

	kit      *Kit
	machine  *Machine
	siblings []*Machine // have applied the same operations, elsewhere
	restored *Machine   // from the state before the window
	used     *Machine   // has applied and restored all along
	window   window
	applied  int
	doubt    error  // held back for one operation: the next may show the mistake more simply
	state    []byte // the last snapshot that was compared
	initial  []byte // the first one
	last     result
	order    order // whether snapshots of one state have the same bytes
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

// NewCareful returns a Careful whose machines are in the initial state. Two machines may agree by chance, for instance on
// the order of a map; many siblings do not.
func NewCareful(k *Kit, every, siblings int) (*Careful, error) {
	c := &Careful{Every: every, kit: k}
	if err := c.begin(siblings); err != nil {
		return c, fmt.Errorf("the initial state: %w", err)
	}
	return c, nil
}

func (c *Careful) begin(siblings int) (err error) {
	if c.machine, err = c.kit.Make(Here); err != nil {
		return err
	}
	if c.state, err = c.machine.Encode(); err != nil {
		return err
	}
	c.initial = c.state
	for range siblings {
		m, err := c.another("in different states")
		if err != nil {
			return err
		}
		c.siblings = append(c.siblings, m)
	}
	if c.restored, err = c.again(); err != nil {
		return err
	}
	c.used, err = c.again()
	return err
}

// Execute applies the operation.
func (c *Careful) Execute(op smr.Op) error {
	doubt := c.doubt
	returned, err := c.apply(op)
	if err == nil {
		err = c.compare(op, returned)
	}
	if err != nil {
		return c.kit.At(op, err)
	}
	if doubt != nil {
		return doubt
	}
	name := c.kit.Name(op)
	if err := SameResult(c.last.op, c.last.was, c.last.returned, "after "+name); err != nil {
		return err
	}
	c.last = result{name, returned, bytes.Clone(returned)}
	return nil
}

// Doubt returns an error that Execute has held back, because the next operation may show the same mistake more simply.
func (c *Careful) Doubt() error { return c.doubt }

// apply applies the operation to the machine, and checks that its body is not kept.
func (c *Careful) apply(op smr.Op) (returned []byte, err error) {
	w := &c.window
	if len(w.ops) == 0 {
		w.before = c.state
		if w.frozen, err = c.machine.Snapshot(); err != nil {
			return nil, err
		}
	}
	w.ops = append(w.ops, op)
	w.whole = len(w.ops) >= c.Every
	if returned, err = c.machine.Lend(op); err != nil {
		return nil, err
	}
	w.results = append(w.results, bytes.Clone(returned))
	if !w.whole {
		if err := c.machine.Spoil(returned); err != nil {
			return nil, err
		}
		return returned, c.machine.invariant()
	}
	lent, err := c.machine.Encode()
	if err != nil {
		return nil, err
	}
	if err := c.machine.Spoil(returned); err != nil {
		return nil, err
	}
	if c.state, err = c.machine.Encode(); err != nil {
		return nil, err
	}
	if c.differ(lent, c.state) {
		return nil, LeavesBody.Broken("the state changed when the body was overwritten after Apply had returned%s", parting(lent, c.state))
	}
	return returned, c.machine.invariant()
}

// compare compares what the other machines do, the most telling ones first, and ends the window when it is full.
func (c *Careful) compare(op smr.Op, returned []byte) error {
	if err := c.sameNew(); err != nil {
		return err
	}
	if c.window.whole {
		if err := c.sameFrozen(); err != nil {
			return err
		}
	}
	if err := c.sameSiblings(op, returned); err != nil {
		return err
	}
	if err := c.sameRestored(op, returned); err != nil || !c.window.whole {
		return err
	}
	var err error
	if c.restored, err = c.again(); err != nil {
		return err
	}
	err = c.sameUsed()
	c.window.ops, c.window.results = c.window.ops[:0], c.window.results[:0]
	return err
}

// another returns one more machine that New makes, which must be in the initial state.
func (c *Careful) another(how string) (*Machine, error) {
	m, err := c.kit.Make(There)
	if err != nil {
		return m, err
	}
	state, err := m.Encode()
	if err == nil && c.differ(c.initial, state) {
		err = Fresh.Broken("New returns machines %s%s", how, parting(c.initial, state))
	}
	return m, err
}

// again returns a machine restored from the state, which must show it.
func (c *Careful) again() (*Machine, error) {
	m, err := c.restoredFrom(c.state)
	if err != nil {
		return m, err
	}
	state, err := m.Encode()
	if err == nil && c.differ(c.state, state) {
		err = Restores.Broken("after it, a machine restored from a snapshot writes another%s", parting(c.state, state))
	}
	return m, err
}

func (c *Careful) restoredFrom(snapshot []byte) (*Machine, error) {
	m, err := c.kit.Make(There)
	if err != nil {
		return m, err
	}
	return m, m.Restore(bytes.NewReader(snapshot))
}

// follow applies the operation to another machine, and returns its state too if whole states are compared.
func (c *Careful) follow(m *Machine, op smr.Op, whole bool) (returned, state []byte, err error) {
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
