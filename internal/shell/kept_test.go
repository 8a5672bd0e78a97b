package shell

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr/internal/store"
	"github.com/smr-go/smr/internal/vfs"
	"github.com/smr-go/smr/internal/vsr"
)

// A snapshot that is offered is kept, although a newer one is complete, until it has not been offered for 30 seconds; then
// its file is removed.
func TestOfferedSnapshotIsKept(t *testing.T) {
	g := newGroup(t, 3, everyTenOps)
	n, p := g.backups()[0], g.primary()
	n.cut = true
	p.fill(30, "op ")
	n.held.fetcher, n.cut = true, false
	g.until("a snapshot is offered", func() bool { return p.shell.Loop.Kept() > 0 })
	n.cut = true
	p.fill(30, "more ")
	require.Greater(t, p.files(t), 1)
	g.pass(keepFor / 3)
	require.Greater(t, p.files(t), 1)
	n.held.fetcher, n.cut = false, false
	g.until("the member is up to date", func() bool { return n.state.Commit == p.state.Commit })
	g.pass(keepFor * 11 / 10)
	require.Zero(t, p.shell.Loop.Kept())
	require.Equal(t, 1, p.files(t))
}

// files returns the number of a replica's snapshots on its disk.
func (n *node) files(t *testing.T) int {
	names, err := n.disk.ReadDir("data/" + SnapshotDir)
	require.NoError(t, err)
	return len(names)
}

// latest returns the ID of a replica's latest snapshot.
func (n *node) latest() vsr.SnapshotID {
	info, _ := n.shell.Snapshots.Latest()
	return store.Describe(info, vsr.Membership{}).SnapshotID
}

// A snapshot of which chunks are asked for is kept from request to request.
func TestSnapshotIsKeptWhileItIsSent(t *testing.T) {
	g := newGroup(t, 1, everyTenOps)
	n := g.nodes[0]
	n.fill(12, "op ")
	wanted := vsr.ChunkWanted{To: 0, Snapshot: n.latest()}
	for range 5 {
		n.do(func(l *Loop) { l.sendChunk(wanted) })
		g.pass(keepFor * 9 / 10)
		require.Equal(t, 1, n.shell.Loop.Kept())
		n.fill(12, "more ")
		require.Equal(t, 2, n.files(t))
	}
	g.pass(keepFor)
	require.Zero(t, n.shell.Loop.Kept())
	require.Equal(t, 1, n.files(t))
	n.do(func(l *Loop) { l.sendChunk(wanted) })
	g.mail = nil
	g.run()
	require.Zero(t, n.shell.Loop.Kept(), "it is gone")
}

// If snapshots follow each other quickly, only so many are kept: the one needed least recently is released.
func TestKeptSnapshotsAreFew(t *testing.T) {
	g := newGroup(t, 1, everyTenOps)
	n := g.nodes[0]
	for range maxKept + 3 {
		n.fill(12, "op ")
		id := n.latest()
		n.do(func(l *Loop) { l.sendChunk(vsr.ChunkWanted{Snapshot: id}) })
		g.pass(keepFor / 100)
	}
	require.Equal(t, maxKept, n.shell.Loop.Kept())
	n.fill(12, "op ")
	require.Equal(t, maxKept+1, n.files(t))
}

// Room is made by the snapshot needed least recently, but not by those that the applier is yet to restore.
func TestRoomIsMadeByOthersThanTheAwaited(t *testing.T) {
	snapshots := newStore(t, vfs.NewMem())
	n := &node{shell: &Shell{Snapshots: snapshots}}
	l := &Loop{shell: n.shell, driver: n}
	l.jobs.loop = l
	k := &kept{loop: l}
	var ids []vsr.SnapshotID
	for i := range maxKept + 2 {
		id := snapshotAt(t, snapshots, uint64(i)+10).SnapshotID
		require.NoError(t, k.keep(id))
		if ids = append(ids, id); i < 2 {
			l.jobs.add(Job{Restore: &vsr.Snapshot{SnapshotID: id}})
		}
		k.loop.now = k.loop.now.Add(time.Second)
	}
	var left []vsr.SnapshotID
	for _, x := range k.list {
		left = append(left, x.id)
	}
	require.Equal(t, append(ids[:2:2], ids[4:]...), left)
	require.Len(t, n.tasks, 2)
}

// Everything that is kept is released when the shell is closed.
func TestCloseReleasesWhatIsKept(t *testing.T) {
	g := newGroup(t, 1, everyTenOps)
	n := g.nodes[0]
	n.fill(12, "op ")
	id := n.latest()
	n.do(func(l *Loop) { l.kept.keep(id) })
	n.fill(12, "more ")
	require.Equal(t, 2, n.files(t))
	n.shell.Close()
	require.Equal(t, 1, n.files(t))
	require.Zero(t, n.shell.Loop.Kept())
}
