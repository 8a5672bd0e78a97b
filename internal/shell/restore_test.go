package shell

import (
	"io"
	"io/fs"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr/internal/vsr"
)

// A snapshot that waits to be restored is the one that the core named, also if a newer one arrives meanwhile: the entries
// that follow it are queued behind it.
func TestRestoreIsOfTheSnapshotThatWasMeant(t *testing.T) {
	g := newGroup(t, 3, everyTenOps)
	n, p := g.backups()[0], g.primary()
	g.pass(time.Second)
	n.held.applier = true
	overtake(g, n)
	first := n.state.Snapshot
	p.fill(5, "behind the first snapshot ")
	overtake(g, n)
	require.Greater(t, n.state.Snapshot, first)
	n.applyOne(t)
	require.Equal(t, first, n.shell.Applier.Op())
	n.held.applier = false
	g.pass(time.Second)
	require.NoError(t, n.failed)
	require.Equal(t, p.user.items, n.user.items)
}

// applyOne runs steps of the applier until its state has changed.
func (n *node) applyOne(t *testing.T) {
	for op := n.shell.Applier.Op(); n.shell.Applier.Op() == op; n.applyStep() {
		require.False(t, n.shell.Applier.Idle())
	}
}

// A snapshot is kept until it is restored, however long the applier takes to come to it.
func TestRestoreOfAnOldSnapshot(t *testing.T) {
	g := newGroup(t, 3, everyTenOps)
	n, p := g.backups()[0], g.primary()
	n.held.applier = true
	overtake(g, n)
	p.fill(5, "behind the first snapshot ")
	g.pass(2 * keepFor)
	overtake(g, n)
	g.pass(2 * keepFor)
	n.held.applier = false
	g.pass(time.Second)
	require.NoError(t, n.failed)
	require.Equal(t, p.user.items, n.user.items)
	g.pass(2 * keepFor)
	require.Zero(t, n.shell.Loop.Kept())
	names, err := n.disk.ReadDir("data/" + SnapshotDir)
	require.NoError(t, err)
	require.Len(t, names, 1, "the old one is removed")
}

// However many snapshots arrive while the applier is stuck, only two are kept for it: the one that it was given, and the
// latest. Those between are not restored, and calls whose results they hold are answered from the latest (X3).
func TestRestoresOfAStuckApplierAreFew(t *testing.T) {
	g := newGroup(t, 3, everyTenOps)
	n, p := g.backups()[0], g.primary()
	n.must("first")
	n.held.applier = true
	overtake(g, n)
	p.fill(5, "behind the first snapshot ")
	overtake(g, n)
	c := n.propose("mine")
	g.until("it is applied at the primary", func() bool { return slices.Contains(p.user.items, "mine") })
	for range 3 {
		p.fill(5, "behind another snapshot ")
		overtake(g, n)
		g.pass(2 * keepFor)
		require.LessOrEqual(t, n.shell.Loop.Kept(), 2)
		require.LessOrEqual(t, n.files(t), 2)
	}
	latest := n.state.Snapshot
	p.fill(5, "behind the latest snapshot ")
	restored := 0
	n.user.restore = func(io.Reader) error { restored++; return nil }
	for n.shell.Applier.Op() < latest {
		require.Zero(t, c.ended)
		n.applyOne(t)
		n.turn()
	}
	require.Equal(t, latest, n.shell.Applier.Op())
	require.Equal(t, 2, restored)
	require.Equal(t, 1, c.ended)
	require.NoError(t, c.err)
	n.held.applier = false
	g.pass(2 * keepFor)
	require.NoError(t, n.failed)
	require.Equal(t, p.user.items, n.user.items)
	require.Zero(t, n.shell.Loop.Kept())
	require.Equal(t, 1, n.files(t))
}

// If the snapshot that is to be restored is gone, or was found damaged, the replica stops: its log no longer reaches
// back to its state.
func TestRestoreOfAMissingSnapshot(t *testing.T) {
	g := newGroup(t, 1, nil)
	n := g.nodes[0]
	n.must("first")
	id := vsr.SnapshotID{Last: vsr.Viewstamp{Epoch: 1, View: 1, Op: 100}}
	n.do(func(l *Loop) { l.dispatchJobs(&vsr.Output{Restore: &vsr.Snapshot{SnapshotID: id}}) })
	n.turn()
	require.ErrorIs(t, n.failed, fs.ErrNotExist)
	require.ErrorContains(t, n.failed, "op 100")
	require.True(t, n.shell.Applier.Idle())
}
