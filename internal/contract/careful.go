package contract

import (
	"bytes"
	"cmp"
	"fmt"

	"github.com/smr-go/smr"
	"github.com/smr-go/smr/internal/excerpt"
)

// Careful applies operations one by one, slowly and exactly: it compares whole states around each, on several machines, so
// that it names the first operation that breaks a rule, and the rule.
type Careful struct {
	kit      *Kit
	machine  *Machine
	siblings []*Machine // have applied the same, elsewhere
	restored *Machine   // from the machine's last snapshot
	used     *Machine   // has applied and restored all along
	applied  int
	doubt    error  // about a Restore over the state; the next operation may show something simpler
	state    []byte // that snapshot
	initial  []byte // the first one
	last     string // the last operation in words
	result   []byte // of the last operation, as Apply returned it
	was      []byte // as it was then
	blind    bool   // snapshots of one state differ in their bytes: only results are compared
}

// NewCareful returns a Careful whose machines are in the initial state.
func NewCareful(k *Kit) (*Careful, error) {
	c := &Careful{kit: k, last: "the beginning"}
	if err := c.begin(); err != nil {
		return c, fmt.Errorf("the initial state: %w", err)
	}
	return c, nil
}

func (c *Careful) begin() (err error) {
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

// another returns one more machine that New makes, which must be in the initial state.
func (c *Careful) another(how string) (*Machine, error) {
	m, err := c.kit.Make(There)
	if err != nil {
		return m, err
	}
	state, err := m.Encode()
	if err == nil && c.differ(c.initial, state) {
		err = Fresh.Broken("New returns machines %s", how)
	}
	return m, err
}

// Execute applies the operation, and names the first rule that is broken by it.
func (c *Careful) Execute(op smr.Op) error {
	before := c.state
	frozen, err := c.machine.Snapshot()
	if err != nil {
		return c.kit.At(op, err)
	}
	result, err := c.apply(op)
	for _, rule := range []func() error{
		c.sameNew,
		func() error { return c.sameBefore(frozen, before) },
		func() error { return c.sameSiblings(op, result) },
		func() error { return c.sameRestored(op, before, result) },
		func() error { c.restored, err = c.again(); return err },
	} {
		if err == nil {
			err = rule()
		}
	}
	if err != nil {
		return c.kit.At(op, err)
	}
	if c.doubt != nil {
		return c.doubt
	}
	if c.doubt, err = c.sameUsed(op, before, result); err != nil {
		return c.kit.At(op, err)
	}
	if c.doubt != nil {
		c.doubt = c.kit.At(op, c.doubt)
	}
	name := c.kit.Name(op)
	if err := SameResult(c.last, c.was, c.result, "after "+name); err != nil {
		return err
	}
	c.result, c.was, c.last = result, bytes.Clone(result), name
	return nil
}

// apply applies the operation, and sees that its body is not kept.
func (c *Careful) apply(op smr.Op) (result []byte, err error) {
	if result, err = c.machine.Lend(op); err != nil {
		return nil, err
	}
	lent, err := c.machine.Encode()
	if err != nil {
		return nil, err
	}
	if err := c.machine.Spoil(result); err != nil {
		return nil, err
	}
	if c.state, err = c.machine.Encode(); err != nil {
		return nil, err
	}
	if c.differ(lent, c.state) {
		return nil, LeavesBody.Broken("the state changed when the body was overwritten after Apply had returned")
	}
	return result, c.machine.invariant()
}

// sameNew sees that a new machine does not show what another has done. That comes out soon, if at all.
func (c *Careful) sameNew() error {
	if c.applied++; c.applied&(c.applied-1) != 0 {
		return nil
	}
	_, err := c.another("of which one shows what was applied to another")
	return err
}

// sameBefore sees that what was frozen before the operation does not show it.
func (c *Careful) sameBefore(frozen Snapshot, want []byte) error {
	got, err := frozen.Bytes()
	if err != nil {
		return err
	}
	if c.differ(want, got) {
		return Frozen.Broken("a snapshot taken before it, and written after it, shows what it changed")
	}
	return nil
}

// sameSiblings sees that other machines with the same history do the same.
func (c *Careful) sameSiblings(op smr.Op, result []byte) error {
	for _, m := range c.siblings {
		other, state, err := c.follow(m, op)
		switch {
		case err != nil:
			return err
		case !bytes.Equal(result, other):
			one, two := excerpt.Apart(result, other)
			return Deterministic.Broken("it returned %s, and on another machine with the same history %s", one, two)
		case c.differ(c.state, state):
			return Deterministic.Broken("two machines with the same history are in different states after it")
		}
	}
	return nil
}

// siblings is how many there are: two may have the same order of a map by chance.
const siblings = 3

// sameRestored sees that a machine restored from a snapshot just before does the same.
func (c *Careful) sameRestored(op smr.Op, before, result []byte) error {
	other, state, err := c.follow(c.restored, op)
	switch {
	case err != nil:
		return err
	case !bytes.Equal(result, other):
		one, two := excerpt.Apart(result, other)
		err = Restores.Broken("it returned %s, and on a machine just restored from a snapshot %s", one, two)
	case c.differ(c.state, state):
		err = Restores.Broken("a machine restored from a snapshot just before is in another state after it")
	default:
		return nil
	}
	return cmp.Or(c.sameAgain(op, before, other, state), err)
}

// sameUsed sees that a machine which has done the operation already, and much before it, is brought
// back to where it was, and does the same again. If only that differs there is a doubt: a field that
// Restore leaves as it was may be one that snapshots lack, and then a new machine shows it soon.
func (c *Careful) sameUsed(op smr.Op, before, result []byte) (doubt, err error) {
	if _, err := c.used.Apply(op); err != nil {
		return nil, err
	}
	const how = "a snapshot taken before it, restored over the state after it, "
	if err := c.used.Restore(bytes.NewReader(before)); err != nil {
		return nil, Replaces.Broken(how+"fails: %v", err)
	}
	state, err := c.used.Encode()
	if err != nil {
		return nil, err
	}
	if c.differ(before, state) {
		return nil, Replaces.Broken(how + "gives another state")
	}
	other, state, err := c.follow(c.used, op)
	switch {
	case err != nil:
		return nil, err
	case !bytes.Equal(result, other):
		one, two := excerpt.Apart(result, other)
		doubt = Replaces.Broken("it returned %s, and, after "+how+"it returned %s", one, two)
	case c.differ(c.state, state):
		doubt = Replaces.Broken("after " + how + "it leads to another state")
	default:
		return nil, nil
	}
	return doubt, c.sameAgain(op, before, result, c.state)
}

// sameAgain sees that machines restored from one snapshot do the same as one of them did: those that
// do not, differ by chance.
func (c *Careful) sameAgain(op smr.Op, before, result, state []byte) error {
	for range 64 { // two keys of a map change places in one of eight runs
		m, err := c.restoredFrom(before)
		if err != nil {
			return err
		}
		other, next, err := c.follow(m, op)
		if err != nil {
			return err
		}
		if !bytes.Equal(result, other) || c.differ(state, next) {
			return Deterministic.Broken("two machines restored from one snapshot do not do the same")
		}
	}
	return nil
}

func (c *Careful) follow(m *Machine, op smr.Op) (result, state []byte, err error) {
	if result, err = m.Apply(op); err == nil {
		state, err = m.Encode()
	}
	return result, state, err
}

// again returns a machine restored from the state, which must show it.
func (c *Careful) again() (*Machine, error) {
	m, err := c.restoredFrom(c.state)
	if err != nil {
		return m, err
	}
	state, err := m.Encode()
	if err == nil && c.differ(c.state, state) {
		err = Restores.Broken("after it, a machine restored from a snapshot writes another")
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

// differ reports whether two states differ by their snapshots, if these can be compared.
func (c *Careful) differ(a, b []byte) bool {
	if c.blind || bytes.Equal(a, b) {
		return false
	}
	c.blind = !c.machine.Stable()
	return !c.blind
}
