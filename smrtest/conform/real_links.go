package conform

import (
	"cmp"

	"github.com/smr-go/smr"
	"github.com/smr-go/smr/internal/contract"
	"github.com/smr-go/smr/internal/excerpt"
	"github.com/smr-go/smr/internal/sim"
)

// Partition cuts all links between these replicas and the others.
func (c *Real[M]) Partition(side ...smr.ID) {
	c.t.Helper()
	inside := map[smr.ID]bool{}
	for _, id := range side {
		c.must(id)
		inside[id] = true
	}
	if len(inside) == 0 || len(inside) == len(c.members) {
		c.t.Fatalf("conform: Partition: %d of %d replicas are on one side, and none on the other", max(len(inside), len(c.members)-len(inside)), len(c.members))
	}
	for _, a := range c.Members() {
		for _, b := range c.Members() {
			if inside[a] != inside[b] {
				c.CutOneWay(a, b)
			}
		}
	}
}

// Cut cuts the link between two replicas, in both directions.
func (c *Real[M]) Cut(a, b smr.ID) {
	c.t.Helper()
	c.CutOneWay(a, b)
	c.CutOneWay(b, a)
}

// CutOneWay cuts the link from one replica to another: no messages from from reach to.
func (c *Real[M]) CutOneWay(from, to smr.ID) {
	c.t.Helper()
	if from == to {
		c.t.Fatalf("conform: there is no link from %s to itself", from)
	}
	c.must(from)
	c.must(to)
	c.mu.Lock()
	c.cuts[[2]smr.ID{from, to}] = true
	c.mu.Unlock()
	if a := c.running[from]; a != nil {
		a.wires.CutTo(to)
	}
}

// Heal restores all links. A Disturbance stays.
func (c *Real[M]) Heal() {
	c.mu.Lock()
	clear(c.cuts)
	c.mu.Unlock()
	for _, a := range c.running {
		a.wires.Heal()
	}
}

// Disturb sets the losses, repetitions and delays of all messages from now on. The zero Disturbance ends them.
func (c *Real[M]) Disturb(d Disturbance) {
	c.t.Helper()
	if d.Lose < 0 || d.Lose > 1 || d.Repeat < 0 || d.Repeat > 1 || d.MinDelay < 0 || d.MaxDelay < 0 {
		c.t.Fatalf("conform: Disturb(%+v): Lose and Repeat are parts, from 0 to 1, and delays are not negative", d)
	}
	c.disturb = d
	for _, a := range c.running {
		a.wires.Disturb(d)
	}
}

// Primary returns the primary that a majority follows. It waits for one; after a minute the test fails.
func (c *Real[M]) Primary() (p smr.ID) {
	c.t.Helper()
	c.wait("no majority has followed a primary", func() bool {
		for _, p = range c.up() {
			if s := c.running[p].replica.Status(); s.Primary == p && s.Phase == smr.Normal && c.followers(p, s.View) >= sim.Needed(len(c.members)) {
				return true
			}
		}
		return false
	})
	return p
}

// followers counts the replicas, the primary included, that are in its view and exchange messages with it.
func (c *Real[M]) followers(p smr.ID, view uint64) (n int) {
	for _, id := range c.up() {
		s := c.running[id].replica.Status()
		if s.Phase == smr.Normal && s.Primary == p && s.View == view && !c.cuts[[2]smr.ID{p, id}] && !c.cuts[[2]smr.ID{id, p}] {
			n++
		}
	}
	return n
}

// Settle waits until all replicas that are up have applied the same operations, and compares their states by their
// snapshots. After a minute, or if states differ, the test fails.
func (c *Real[M]) Settle() {
	c.t.Helper()
	up := c.up()
	if len(up) == 0 {
		c.t.Fatal("conform: no replica is up: Restart some before Settle")
	}
	c.wait("the replicas that are up have not reached the same operation", func() bool {
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
	var order contract.Order
	for _, id := range up[1:] {
		got, alsoAt := c.snapshots(id)
		if at == alsoAt && order.Differ(want[0], got[0], &cycle{all: want}, &cycle{all: got}) {
			c.t.Fatalf("conform: after op %d the states of %s and %s are not equal: %s and %s\nApply must be deterministic, and Snapshot and Restore whole: see smrtest.TestStateMachine%s",
				at, up[0], id, excerpt.Of(want[0]), excerpt.Of(got[0]), c.look())
		}
	}
}

// snapshots returns several snapshots of a replica's state, and the operation that it stands at.
func (c *Real[M]) snapshots(id smr.ID) (all [][]byte, op uint64) {
	c.t.Helper()
	a := c.running[id]
	m, failed := contract.Wrap(a.machine), error(nil)
	err := a.replica.Read(c.t.Context(), smr.Local, func() {
		op = a.replica.Status().Applied
		for len(all) < 4 && failed == nil {
			var b []byte
			b, failed = m.Encode()
			all = append(all, b)
		}
	})
	if err = cmp.Or(err, failed); err != nil {
		c.t.Fatalf("conform: the state of %s cannot be read: %v", id, err)
	}
	return all, op
}

// cycle writes the same snapshots again and again.
type cycle struct {
	all  [][]byte
	next int
}

func (c *cycle) Encode() ([]byte, error) {
	c.next++
	return c.all[c.next%len(c.all)], nil
}
