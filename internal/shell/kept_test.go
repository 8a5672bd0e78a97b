package shell

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr/internal/vfs"
	"github.com/smr-go/smr/internal/vsr"
)

// A snapshot that is offered is kept, although a newer one is complete, until it has not been offered for 30 seconds; then its file
// is removed.
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

// A snapshot of which chunks are asked for is kept from request to request.
func TestSnapshotIsKeptWhileItIsSent(t *testing.T) {
	g := newGroup(t, 1, everyTenOps)
	n := g.nodes[0]
	n.fill(12, "op ")
	latest, _ := n.shell.Snapshots.Latest()
	id := vsr.SnapshotID{Last: vsr.Viewstamp{Epoch: 1, View: vsr.View(latest.ID.View), Op: vsr.OpNumber(latest.ID.Op)}, Hash: latest.ID.Hash}
	wanted := vsr.ChunkWanted{To: 0, Snapshot: id}
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
		latest, _ := n.shell.Snapshots.Latest()
		id := vsr.SnapshotID{Last: vsr.Viewstamp{Epoch: 1, View: vsr.View(latest.ID.View), Op: vsr.OpNumber(latest.ID.Op)}, Hash: latest.ID.Hash}
		n.do(func(l *Loop) { l.sendChunk(vsr.ChunkWanted{Snapshot: id}) })
		g.pass(keepFor / 100)
	}
	require.Equal(t, maxKept, n.shell.Loop.Kept())
	n.fill(12, "op ")
	require.Equal(t, maxKept+1, n.files(t))
}

// Room is made by the snapshot needed least recently, but not by one that the applier is yet to restore.
func TestRoomIsMadeByOthersThanTheAwaited(t *testing.T) {
	d, snapshots := &desk{}, newStore(t, vfs.NewMem())
	k := &kept{loop: &Loop{shell: &Shell{Snapshots: snapshots}, driver: d}}
	var ids []vsr.SnapshotID
	for i := range maxKept + 2 {
		id := snapshotAt(t, snapshots, uint64(i)+10).SnapshotID
		if ids = append(ids, id); i == 0 {
			k.keepToRestore(id)
		} else {
			k.keep(id)
		}
		k.loop.now = k.loop.now.Add(time.Second)
	}
	var left []vsr.SnapshotID
	for _, x := range k.list {
		left = append(left, x.id)
	}
	require.Equal(t, append(ids[:1:1], ids[3:]...), left)
	require.Len(t, d.tasks, 2)
}

// At most 32 chunks are read at once; those that are asked for meanwhile are left, and asked for again.
func TestChunksAreLimited(t *testing.T) {
	g := newGroup(t, 1, nil)
	n := g.nodes[0]
	n.cut = true
	n.held.tasks[ReadChunk] = true
	ask := func(count int) {
		for range count {
			n.do(func(l *Loop) { l.sendChunk(vsr.ChunkWanted{}) })
		}
		g.run()
	}
	ask(40)
	require.Len(t, n.tasks, maxChunks)
	n.held.tasks[ReadChunk] = false
	n.background()
	n.turn()
	n.held.tasks[ReadChunk] = true
	ask(40)
	require.Len(t, n.tasks, maxChunks)
}

// Everything that is kept is released when the shell is closed.
func TestCloseReleasesWhatIsKept(t *testing.T) {
	g := newGroup(t, 1, everyTenOps)
	n := g.nodes[0]
	n.fill(12, "op ")
	latest, _ := n.shell.Snapshots.Latest()
	n.do(func(l *Loop) {
		l.kept.keep(vsr.SnapshotID{Last: vsr.Viewstamp{Epoch: 1, View: vsr.View(latest.ID.View), Op: vsr.OpNumber(latest.ID.Op)}, Hash: latest.ID.Hash})
	})
	n.fill(12, "more ")
	require.Equal(t, 2, n.files(t))
	n.shell.Close()
	require.Equal(t, 1, n.files(t))
	require.Zero(t, n.shell.Loop.Kept())
}
