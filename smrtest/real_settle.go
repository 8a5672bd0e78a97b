package smrtest

import (
	"fmt"

	"github.com/smr-go/smr"
	"github.com/smr-go/smr/internal/sim"
)

// Primary returns the primary that a majority follows, once there is one.
func (c *Real[M]) Primary() (p smr.ID) {
	c.t.Helper()
	c.wait("a majority follows a primary", func() bool {
		for _, p = range c.up() {
			if s := c.running[p].replica.Status(); s.Primary == p && s.Phase == smr.Normal && c.followers(p, s.View) >= sim.Needed(len(c.members)) {
				return true
			}
		}
		return false
	})
	return p
}

// followers counts those who follow a primary in its view and can talk with it, itself included.
func (c *Real[M]) followers(p smr.ID, view uint64) (n int) {
	for _, id := range c.up() {
		s := c.running[id].replica.Status()
		if s.Phase == smr.Normal && s.Primary == p && s.View == view && !c.cuts[[2]smr.ID{p, id}] && !c.cuts[[2]smr.ID{id, p}] {
			n++
		}
	}
	return n
}

// Settle waits until all replicas that are up stand at the same operation, and compares their states
// by snapshots.
func (c *Real[M]) Settle() {
	c.t.Helper()
	up := c.up()
	if len(up) == 0 {
		c.t.Fatal("smrtest: no replica is up: Restart some before Settle")
	}
	c.wait("all that are up stand at the same operation", func() bool {
		first := c.running[up[0]].replica.Status()
		for _, id := range up {
			s := c.running[id].replica.Status()
			if s.Phase != smr.Normal || s.Primary == "" || s.View != first.View || s.Op != first.Op || s.Applied != s.Op {
				return false
			}
		}
		return true
	})
	want, at := c.snapshots(up[0])
	for _, id := range up[1:] {
		got, alsoAt := c.snapshots(id)
		if difference := differ(want, got); at == alsoAt && difference != "" {
			c.t.Fatalf("smrtest: after op %d the states of %s and %s are not equal: %s\nApply must be deterministic, and Snapshot and Restore whole: see TestStateMachine%s", at, up[0], id, difference, c.look())
		}
	}
}

// snapshots returns a few of a replica's state, as they may differ by themselves, and the operation
// that it stands at.
func (c *Real[M]) snapshots(id smr.ID) (all [][]byte, op uint64) {
	c.t.Helper()
	a := c.running[id]
	err := a.replica.Read(c.t.Context(), smr.Local, func() {
		op = a.replica.Status().Applied
		for range 4 {
			w, err := a.machine.Snapshot()
			var b []byte
			if err == nil {
				b, err = frozen{WriterTo: w, name: "a snapshot"}.bytes()
			}
			if err != nil {
				c.t.Fatal(fmt.Errorf("smrtest: the state of %s: %w", id, err))
			}
			all = append(all, b)
		}
	})
	if err != nil {
		c.t.Fatalf("smrtest: the state of %s cannot be read: %v", id, err)
	}
	return all, op
}
