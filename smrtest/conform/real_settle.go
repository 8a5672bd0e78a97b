package conform

import (
	"bytes"
	"cmp"
	"io"
	"slices"

	"github.com/smr-go/smr"
	"github.com/smr-go/smr/internal/excerpt"
	"github.com/smr-go/smr/internal/sim"
)

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

// followers counts the replicas, the primary included, that are in its view and exchange messages with
// it.
func (c *Real[M]) followers(p smr.ID, view uint64) (n int) {
	for _, id := range c.up() {
		s := c.running[id].replica.Status()
		if s.Phase == smr.Normal && s.Primary == p && s.View == view && !c.cuts[[2]smr.ID{p, id}] && !c.cuts[[2]smr.ID{id, p}] {
			n++
		}
	}
	return n
}

// Settle waits until all replicas that are up have applied the same operations, and compares their states
// by their snapshots. After a minute, or if states differ, the test fails.
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
	for _, id := range up[1:] {
		got, alsoAt := c.snapshots(id)
		if at == alsoAt && differ(want, got) {
			c.t.Fatalf("conform: after op %d the states of %s and %s are not equal: %s and %s\nApply must be deterministic, and Snapshot and Restore whole: see smrtest.TestStateMachine%s",
				at, up[0], id, excerpt.Of(want[0]), excerpt.Of(got[0]), c.look())
		}
	}
}

// snapshots returns several snapshots of a replica's state, and the operation that it stands at.
func (c *Real[M]) snapshots(id smr.ID) (all [][]byte, op uint64) {
	c.t.Helper()
	a := c.running[id]
	failed := error(nil)
	err := a.replica.Read(c.t.Context(), smr.Local, func() {
		op = a.replica.Status().Applied
		for len(all) < 4 && failed == nil {
			var b bytes.Buffer
			failed = write(a.machine, &b)
			all = append(all, b.Bytes())
		}
	})
	if err = cmp.Or(err, failed); err != nil {
		c.t.Fatalf("conform: the state of %s cannot be read: %v", id, err)
	}
	return all, op
}

// write writes a snapshot of a state, as smr does.
func write(m smr.StateMachine, w io.Writer) error {
	snapshot, err := m.Snapshot()
	if err != nil {
		return err
	}
	_, err = snapshot.WriteTo(w)
	if closer, ok := snapshot.(io.Closer); ok {
		err = cmp.Or(err, closer.Close())
	}
	return err
}

// differ reports whether two states differ, given several snapshots of each. If snapshots of one state
// vary, as with the order of a map, it compares their bytes in sorted order.
func differ(a, b [][]byte) bool {
	if vary(a) || vary(b) {
		for _, snapshot := range slices.Concat(a, b) {
			slices.Sort(snapshot)
		}
	}
	return !vary(a) && !vary(b) && !bytes.Equal(a[0], b[0])
}

// vary reports whether snapshots of one state differ.
func vary(all [][]byte) bool {
	return slices.ContainsFunc(all, func(one []byte) bool { return !bytes.Equal(one, all[0]) })
}
