package contract

import (
	"bytes"
	"cmp"

	"github.com/smr-go/smr"
)

// sameNew checks that a new machine does not show the operations that another has applied. It looks after 1, 2, 4, …
// operations: shared state shows early.
func (c *Careful) sameNew() error {
	if c.applied++; c.applied&(c.applied-1) != 0 {
		return nil
	}
	_, err := c.another("of which one shows what was applied to another")
	return err
}

// sameFrozen checks that a snapshot taken before the window, and written after it, shows the state before it.
func (c *Careful) sameFrozen() error {
	got, err := c.window.frozen.Bytes()
	if err != nil {
		return err
	}
	if c.differ(c.window.before, got) {
		return Frozen.Broken("a snapshot taken before it, and written after it, shows what it changed%s", parting(c.window.before, got))
	}
	return nil
}

// sameSiblings checks that other machines with the same history do the same.
func (c *Careful) sameSiblings(op smr.Op, returned []byte) error {
	for _, m := range c.siblings {
		other, state, err := c.follow(m, op, c.window.whole)
		switch {
		case err != nil:
			return err
		case !bytes.Equal(returned, other):
			return Deterministic.Broken("%s", apart("it returned %s, and on another machine with the same history %s", returned, other))
		case c.window.whole && c.differ(c.state, state):
			return Deterministic.Broken("two machines with the same history are in different states after it%s", parting(c.state, state))
		}
	}
	return nil
}

// sameRestored checks that a machine restored from a snapshot before the window does the same.
func (c *Careful) sameRestored(op smr.Op, returned []byte) error {
	other, state, err := c.follow(c.restored, op, c.window.whole)
	switch {
	case err != nil:
		return err
	case !bytes.Equal(returned, other):
		err = Restores.Broken("%s", apart("it returned %s, and on a machine just restored from a snapshot %s", returned, other))
	case c.window.whole && c.differ(c.state, state):
		err = Restores.Broken("a machine restored from a snapshot just before is in another state after it%s", parting(c.state, state))
	default:
		return nil
	}
	last := len(c.window.results) - 1
	results := append(c.window.results[:last:last], other)
	return cmp.Or(c.sameAgain(results, state), err)
}

// sameUsed checks that a machine which has done the operations of the window already, and much before them, is brought
// back to where it was, and does the same again.
func (c *Careful) sameUsed() error {
	w := &c.window
	for _, op := range w.ops {
		if _, err := c.used.Apply(op); err != nil {
			return err
		}
	}
	const how = "a snapshot taken before it, restored over the state after it, "
	if err := c.used.Restore(bytes.NewReader(w.before)); err != nil {
		return Replaces.Broken(how+"fails: %v", err)
	}
	state, err := c.used.Encode()
	if err != nil {
		return err
	}
	if c.differ(w.before, state) {
		return Replaces.Broken(how+"gives another state%s", parting(w.before, state))
	}
	for i, op := range w.ops {
		last := i == len(w.ops)-1
		other, state, err := c.follow(c.used, op, last)
		switch {
		case err != nil:
			return err
		case !bytes.Equal(w.results[i], other):
			err = Replaces.Broken("%s", apart("it returned %s, and, after "+how+"it returned %s", w.results[i], other))
		case last && c.differ(c.state, state):
			err = Replaces.Broken("after "+how+"it leads to another state%s", parting(c.state, state))
		}
		if err != nil {
			if c.doubt = c.kit.At(op, c.sameSecond()); c.doubt != nil {
				err = nil
			}
			return cmp.Or(c.sameAgain(w.results, c.state), err)
		}
	}
	return nil
}

// sameSecond checks that a machine which does the window a second time does what one does that was restored from its
// snapshot in between: a field that Restore leaves as it was may be one that snapshots lack.
func (c *Careful) sameSecond() error {
	first, err := c.restoredFrom(c.window.before)
	if err != nil {
		return err
	}
	for _, op := range c.window.ops {
		if _, err := first.Apply(op); err != nil {
			return err
		}
	}
	between, err := first.Encode()
	if err != nil {
		return err
	}
	second, err := c.restoredFrom(between)
	if err != nil {
		return err
	}
	for _, op := range c.window.ops {
		a, err1 := first.Apply(op)
		b, err2 := second.Apply(op)
		if err := cmp.Or(err1, err2); err != nil {
			return err
		}
		if !bytes.Equal(a, b) {
			return Restores.Broken("%s", apart("it returned %s a second time, and on a machine restored from a snapshot after the first time %s", a, b))
		}
	}
	return nil
}

// sameAgain checks that machines restored from the state before the window do the same as one of them did, which returned
// results and came to a state, if that is not nil: if they do not, Apply depends on chance.
func (c *Careful) sameAgain(results [][]byte, state []byte) error {
	for range 64 { // two keys of a map change places in one of eight runs
		m, err := c.restoredFrom(c.window.before)
		if err != nil {
			return err
		}
		for i, want := range results {
			other, next, err := c.follow(m, c.window.ops[i], state != nil && i == len(results)-1)
			if err != nil {
				return err
			}
			if !bytes.Equal(want, other) || next != nil && c.differ(state, next) {
				return Deterministic.Broken("two machines restored from one snapshot do not do the same")
			}
		}
	}
	return nil
}
