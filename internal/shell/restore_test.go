package shell

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A snapshot that waits to be restored is the one that the core named, also if a newer one arrives meanwhile: the entries
// that follow it are queued behind it.
func TestRestoreIsOfTheSnapshotThatWasMeant(t *testing.T) {
	g := newGroup(t, 3, everyTenOps)
	n, p := g.backups()[0], g.primary()
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
