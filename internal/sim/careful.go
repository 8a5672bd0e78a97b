package sim

import (
	"bytes"
	"fmt"
	"io"

	"github.com/smr-go/smr/internal/vsr"
)

// careful is a second witness of what the state machine does, slow and exact: it compares whole
// states around every operation, so that it names the first one that breaks a rule, and the rule.
type careful struct {
	work     *Work
	machine  *machine
	sibling  *machine // has applied the same, elsewhere
	restored *machine // from the machine's last snapshot
	state    []byte   // that snapshot
	result   []byte   // of the last operation, as Apply returned it
	was      []byte   // as it was then
	last     string   // the last operation in words
	blind    bool     // snapshots of one state differ in their bytes: only results are compared
}

func newCareful(w *Work) (c *careful, err error) {
	c = &careful{work: w, last: "the beginning"}
	if c.machine, err = newMachine(w, false); err != nil {
		return c, err
	}
	if c.sibling, err = newMachine(w, true); err != nil {
		return c, err
	}
	if c.state, err = c.machine.encode(); err != nil {
		return c, fmt.Errorf("the initial state: %w", err)
	}
	if c.restored, err = c.again(); err != nil {
		return c, fmt.Errorf("the initial state: %w", err)
	}
	return c, nil
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
		func() error { return c.sameBefore(frozen, before) },
		func() error { return c.sameSibling(e, result) },
		func() error { return c.sameRestored(e, result) },
	} {
		if err == nil {
			err = rule()
		}
	}
	if err == nil {
		c.restored, err = c.again()
	}
	if err != nil {
		return c.work.named(err, e)
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

// sameSibling sees that another machine with the same history does the same.
func (c *careful) sameSibling(e *vsr.Entry, result []byte) error {
	other, state, err := c.follow(c.sibling, e)
	switch {
	case err != nil:
		return err
	case !bytes.Equal(result, other):
		return breaks(ruleDeterministic, "it returned %s, and on another machine with the same history %s: %s", quote(result), quote(other), causes)
	case c.differ(c.state, state):
		return breaks(ruleDeterministic, "two machines with the same history are in different states after it: %s", causes)
	}
	return nil
}

const causes = "Apply must ask for no time, no random number, no order of a map, nothing that machines share"

// sameRestored sees that a machine restored from a snapshot just before does the same.
func (c *careful) sameRestored(e *vsr.Entry, result []byte) error {
	other, state, err := c.follow(c.restored, e)
	switch {
	case err != nil:
		return err
	case !bytes.Equal(result, other):
		return breaks(ruleWhole, "it returned %s, and on a machine just restored from a snapshot %s: it depends on what Snapshot does not write, or Restore does not read", quote(result), quote(other))
	case c.differ(c.state, state):
		return breaks(ruleWhole, "a machine restored from a snapshot just before is in another state after it: what it does depends on what Snapshot does not write, or Restore does not read")
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
	m, err := newMachine(c.work, true)
	if err != nil {
		return m, err
	}
	if err := m.restore(bytes.NewReader(c.state)); err != nil {
		return m, err
	}
	state, err := m.encode()
	if err == nil && c.differ(c.state, state) {
		err = breaks(ruleRestore, "after it, a machine restored from a snapshot writes another: Snapshot or Restore forgets what it changed")
	}
	return m, err
}

// differ reports whether two states differ by their snapshots, if these can be compared.
func (c *careful) differ(a, b []byte) bool {
	if c.blind || bytes.Equal(a, b) {
		return false
	}
	c.blind = !c.machine.stable()
	return !c.blind
}
