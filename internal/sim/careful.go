package sim

import (
	"bytes"
	"cmp"
	"fmt"
	"io"

	"github.com/smr-go/smr/internal/vsr"
)

// careful is a second witness of what the state machine does, slow and exact: it compares whole
// states around every operation, so that it names the first one that breaks a rule, and the rule.
type careful struct {
	work     *Work
	machine  *machine
	siblings []*machine // have applied the same, elsewhere
	restored *machine   // from the machine's last snapshot
	used     *machine   // has applied and restored all along
	applied  int
	doubt    error  // about a Restore over the state; the next operation may show something simpler
	state    []byte // that snapshot
	initial  []byte // the first one
	result   []byte // of the last operation, as Apply returned it
	was      []byte // as it was then
	last     string // the last operation in words
	blind    bool   // snapshots of one state differ in their bytes: only results are compared
}

func newCareful(w *Work) (c *careful, err error) {
	c = &careful{work: w, last: "the beginning"}
	if c.machine, err = newMachine(w, false); err != nil {
		return c, err
	}
	if c.state, err = c.machine.encode(); err != nil {
		return c, initially(err)
	}
	c.initial = c.state
	for range siblings {
		m, err := c.another("in different states")
		if err != nil {
			return c, initially(err)
		}
		c.siblings = append(c.siblings, m)
	}
	if c.restored, err = c.again(); err != nil {
		return c, initially(err)
	}
	if c.used, err = c.again(); err != nil {
		return c, initially(err)
	}
	return c, nil
}

// initially says where a rule is broken before any operation.
func initially(err error) error { return fmt.Errorf("the initial state: %w", err) }

// another returns one more machine that New makes, which must be in the initial state.
func (c *careful) another(how string) (*machine, error) {
	m, err := newMachine(c.work, true)
	if err != nil {
		return m, err
	}
	state, err := m.encode()
	if err == nil && c.differ(c.initial, state) {
		err = breaks(ruleNew, "New returns machines %s: each must have maps, slices and pointers of its own, and begin alike", how)
	}
	return m, err
}

// execute applies the operation, and names the first rule that is broken by it.
func (c *careful) execute(e *vsr.Entry) error {
	before := c.state
	frozen, err := c.machine.freeze()
	if err != nil {
		return c.work.named(err, e)
	}
	result, err := c.apply(e)
	for _, rule := range []func() error{
		c.sameNew,
		func() error { return c.sameBefore(frozen, before) },
		func() error { return c.sameSiblings(e, result) },
		func() error { return c.sameRestored(e, before, result) },
		func() error { c.restored, err = c.again(); return err },
	} {
		if err == nil {
			err = rule()
		}
	}
	if err != nil {
		return c.work.named(err, e)
	}
	if c.doubt != nil {
		return c.doubt
	}
	if c.doubt, err = c.sameUsed(e, before, result); err != nil {
		return c.work.named(err, e)
	}
	if c.doubt != nil {
		c.doubt = c.work.named(c.doubt, e)
	}
	if !bytes.Equal(c.result, c.was) {
		return breaks(ruleResult, "%s returned %s, and after %s that result is %s: a result is smr's, and a buffer that is used again must be copied",
			c.last, quote(c.was), c.work.inWords(e), quote(c.result))
	}
	c.result, c.was, c.last = result, bytes.Clone(result), c.work.inWords(e)
	return nil
}

// apply applies the operation, and sees that its body is not kept.
func (c *careful) apply(e *vsr.Entry) (result []byte, err error) {
	if result, err = c.machine.lend(e); err != nil {
		return nil, err
	}
	lent, err := c.machine.encode()
	if err != nil {
		return nil, err
	}
	if err := c.machine.spoil(result); err != nil {
		return nil, err
	}
	if c.state, err = c.machine.encode(); err != nil {
		return nil, err
	}
	if c.differ(lent, c.state) {
		return nil, breaks(ruleBody, "the state changed when the body was overwritten after Apply had returned: copy what is to be kept")
	}
	return result, c.machine.invariant()
}

// sameNew sees that a new machine does not show what another has done. That comes out soon, if at all.
func (c *careful) sameNew() error {
	if c.applied++; c.applied&(c.applied-1) != 0 {
		return nil
	}
	_, err := c.another("of which one shows what was applied to another")
	return err
}

// sameBefore sees that what was frozen before the operation does not show it.
func (c *careful) sameBefore(frozen io.WriterTo, want []byte) error {
	got, err := write(frozen)
	if err != nil {
		return err
	}
	if c.differ(want, got) {
		return breaks(ruleFrozen, "a snapshot taken before it, and written after it, shows what it changed: Snapshot must copy what later operations change in place")
	}
	return nil
}

// sameSiblings sees that other machines with the same history do the same.
func (c *careful) sameSiblings(e *vsr.Entry, result []byte) error {
	for _, m := range c.siblings {
		other, state, err := c.follow(m, e)
		switch {
		case err != nil:
			return err
		case !bytes.Equal(result, other):
			return breaks(ruleDeterministic, "it returned %s, and on another machine with the same history %s: %s", quote(result), quote(other), causes)
		case c.differ(c.state, state):
			return breaks(ruleDeterministic, "two machines with the same history are in different states after it: %s", causes)
		}
	}
	return nil
}

// siblings is how many there are: two may have the same order of a map by chance.
const siblings = 3

const causes = "Apply must ask for no time, no random number, no order of a map, nothing that machines share"

// sameRestored sees that a machine restored from a snapshot just before does the same.
func (c *careful) sameRestored(e *vsr.Entry, before, result []byte) error {
	other, state, err := c.follow(c.restored, e)
	why := "it depends on what Snapshot does not write, or Restore does not read"
	switch {
	case err != nil:
		return err
	case !bytes.Equal(result, other):
		err = breaks(ruleWhole, "it returned %s, and on a machine just restored from a snapshot %s: %s", quote(result), quote(other), why)
	case c.differ(c.state, state):
		err = breaks(ruleWhole, "a machine restored from a snapshot just before is in another state after it: %s", why)
	default:
		return nil
	}
	return cmp.Or(c.sameAgain(e, before, other, state), err)
}

// sameUsed sees that a machine which has done the operation already, and much before it, is brought
// back to where it was, and does the same again. If only that differs there is a doubt: a field that
// Restore leaves as it was may be one that snapshots lack, and then a new machine shows it soon.
func (c *careful) sameUsed(e *vsr.Entry, before, result []byte) (doubt, err error) {
	if _, err := c.used.apply(e); err != nil {
		return nil, err
	}
	const how = "a snapshot taken before it, restored over the state after it, "
	const why = "Restore must begin with an empty state, and keep nothing of the old one"
	if err := c.used.restore(bytes.NewReader(before)); err != nil {
		return nil, breaks(ruleReplaces, how+"fails: %v", err)
	}
	state, err := c.used.encode()
	if err != nil {
		return nil, err
	}
	if c.differ(before, state) {
		return nil, breaks(ruleReplaces, how+"gives another state: "+why)
	}
	other, state, err := c.follow(c.used, e)
	switch {
	case err != nil:
		return nil, err
	case !bytes.Equal(result, other):
		doubt = breaks(ruleReplaces, "it returned %s, and, after "+how+"it returned %s: "+why, quote(result), quote(other))
	case c.differ(c.state, state):
		doubt = breaks(ruleReplaces, "after "+how+"it leads to another state: "+why)
	default:
		return nil, nil
	}
	return doubt, c.sameAgain(e, before, result, c.state)
}

// sameAgain sees that machines restored from one snapshot do the same as one of them did: those that
// do not, differ by chance.
func (c *careful) sameAgain(e *vsr.Entry, before, result, state []byte) error {
	for range 64 { // two keys of a map change places in one of eight runs
		m, err := c.restoredFrom(before)
		if err != nil {
			return err
		}
		other, next, err := c.follow(m, e)
		if err != nil {
			return err
		}
		if !bytes.Equal(result, other) || c.differ(state, next) {
			return breaks(ruleDeterministic, "two machines restored from one snapshot do not do the same: %s", causes)
		}
	}
	return nil
}

func (c *careful) follow(m *machine, e *vsr.Entry) (result, state []byte, err error) {
	if result, err = m.apply(e); err == nil {
		state, err = m.encode()
	}
	return result, state, err
}

// again returns a machine restored from the state, which must show it.
func (c *careful) again() (*machine, error) {
	m, err := c.restoredFrom(c.state)
	if err != nil {
		return m, err
	}
	state, err := m.encode()
	if err == nil && c.differ(c.state, state) {
		err = breaks(ruleRestore, "after it, a machine restored from a snapshot writes another: Snapshot or Restore losesMemory what it changed")
	}
	return m, err
}

func (c *careful) restoredFrom(snapshot []byte) (*machine, error) {
	m, err := newMachine(c.work, true)
	if err != nil {
		return m, err
	}
	return m, m.restore(bytes.NewReader(snapshot))
}

// differ reports whether two states differ by their snapshots, if these can be compared.
func (c *careful) differ(a, b []byte) bool {
	if c.blind || bytes.Equal(a, b) {
		return false
	}
	c.blind = !c.machine.stable()
	return !c.blind
}
