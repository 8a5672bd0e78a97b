package shell

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr/internal/vfs"
	"github.com/smr-go/smr/internal/vsr"
)

// failing makes operations of a disk fail, and counts them.
func failing(disk *vfs.Mem, err error, which func(op vfs.Op) bool) (failed *int) {
	failed = new(int)
	disk.SetHook(func(op vfs.Op) error {
		if !which(op) {
			return nil
		}
		*failed++
		return err
	})
	return failed
}

// warnings returns how many warnings and errors an operator has received.
func (n *node) warnings() (count int) {
	for _, x := range n.notes {
		if x.Level >= hclog.Warn {
			count++
		}
	}
	return count
}

// inSnapshots reports whether an operation is one of that kind on a file of snapshots.
func inSnapshots(kind vfs.OpKind) func(op vfs.Op) bool {
	return func(op vfs.Op) bool { return op.Kind == kind && strings.Contains(op.Name, SnapshotDir+"/") }
}

// F13: a writer that can open no file waits, reports once why, and goes on. A full disk that follows is reported too.
func TestWriterWithoutDescriptors(t *testing.T) {
	d := newWriter(t)
	d.Add(save(1, 1, 1))
	d.all(t)
	d.told()
	failing(d.disk, syscall.EMFILE, func(op vfs.Op) bool { return op.Kind == vfs.OpOpen })
	d.Add(save(2, 2, 99))
	require.True(t, d.Begin())
	perform := func(again time.Duration) {
		t.Helper()
		wait, err := d.Perform(at)
		require.NoError(t, err)
		require.Equal(t, again, wait)
	}
	perform(FullRetry)
	perform(FullRetry)
	told := d.told()
	require.Len(t, told, 1)
	full := told[0].(*vsr.DiskFull)
	require.True(t, full.Full)
	require.Contains(t, full.Short, "too many open files")
	require.Len(t, d.notes, 1)
	d.disk.SetHook(nil)
	d.disk.SetCapacity(1)
	perform(FullRetry)
	perform(FullRetry)
	require.Equal(t, []vsr.Event{&vsr.DiskFull{Full: true}}, d.told())
	d.disk.SetCapacity(0)
	perform(0)
	require.Equal(t, []vsr.Event{&vsr.DiskFull{}, &vsr.Saved{Seq: 2}}, d.told())
	require.Len(t, d.notes, 3)
}

// A member that has no space for the primary's snapshot, or no descriptor, tries ever more rarely, and reports that
// once. When there is space, it receives the snapshot.
func TestASnapshotThatCannotBeReceived(t *testing.T) {
	for errno, kind := range map[syscall.Errno]vfs.OpKind{syscall.ENOSPC: vfs.OpAllocate, syscall.EMFILE: vfs.OpOpen} {
		g := newGroup(t, 3, everyTenOps)
		n, p := g.backups()[0], g.primary()
		n.cut = true
		p.fill(60, "while it is cut off ")
		n.notes = nil
		failed := failing(n.disk, errno, inSnapshots(kind))
		n.cut = false
		g.pass(100 * time.Second)
		require.Less(t, *failed, 10, errno)
		require.Greater(t, *failed, 3, errno)
		require.Equal(t, 1, n.warnings(), n.notes)
		require.Contains(t, n.state.Snapshots, "cannot be received")
		require.Contains(t, n.state.Snapshots, errno.Error())
		n.disk.SetHook(nil)
		g.pass(retryAfter + 10*time.Second)
		require.Equal(t, p.state.Commit, n.state.Commit)
		require.Empty(t, n.state.Snapshots)
		require.Equal(t, 1, n.warnings(), n.notes)
		require.True(t, n.noted("a snapshot was received, after attempts that failed"))
	}
}

// A received snapshot that cannot be opened for want of a descriptor is restored later, and what follows it waits
// behind it.
func TestRestoreWaitsForADescriptor(t *testing.T) {
	g := newGroup(t, 3, everyTenOps)
	n, p := g.backups()[0], g.primary()
	n.held.applier, n.held.tasks[TryAgain] = true, true
	overtake(g, n)
	p.fill(3, "after the snapshot ")
	failing(n.disk, syscall.EMFILE, inSnapshots(vfs.OpOpen))
	n.held.applier = false
	g.pass(time.Second)
	require.NoError(t, n.failed)
	require.Contains(t, n.state.Snapshots, "too many open files")
	n.disk.SetHook(nil)
	n.held.tasks[TryAgain] = false
	g.pass(time.Second)
	require.NoError(t, n.failed)
	require.Empty(t, n.state.Snapshots)
	require.Equal(t, p.user.items, n.user.items)
}

// A chunk that cannot be read for want of a descriptor is not sent, and does not end the transfer.
func TestAChunkWaitsForADescriptor(t *testing.T) {
	g := newGroup(t, 3, everyTenOps)
	n, p := g.backups()[0], g.primary()
	n.cut = true
	p.fill(60, "while it is cut off ")
	n.cut = false
	failed := failing(p.disk, syscall.EMFILE, inSnapshots(vfs.OpOpen))
	g.pass(5 * time.Second)
	require.Positive(t, *failed)
	_, _, waits := p.shell.Loop.Core().Pending()
	require.Zero(t, waits, "no read of the disk counts as under way")
	p.disk.SetHook(nil)
	g.until("it has caught up", func() bool { return n.state.Commit >= 60 })
	require.Zero(t, p.warnings(), p.notes)
}

// Entries that cannot be read for want of memory are read later.
func TestLoadWaitsForMemory(t *testing.T) {
	g := newGroup(t, 3, func(c *Config) { c.Core.Tail = 1 })
	n, p := g.backups()[0], g.primary()
	n.cut = true
	p.fill(20, "while it is cut off ")
	n.cut, p.held.tasks[TryAgain] = false, true
	failing(p.disk, syscall.ENOMEM, func(op vfs.Op) bool { return op.Kind == vfs.OpRead })
	g.pass(time.Second)
	require.NoError(t, p.failed)
	p.disk.SetHook(nil)
	p.held.tasks[TryAgain] = false
	g.pass(5 * time.Second)
	require.Equal(t, p.state.Commit, n.state.Commit)
}

// F13: a snapshot begins only if the log keeps a segment in reserve: none that this replica takes, and none that it
// receives.
func TestSnapshotLeavesTheReserve(t *testing.T) {
	g := newGroup(t, 3, everyTenOps)
	n, p := g.backups()[0], g.primary()
	n.must("something")
	n.cut = true
	require.NoError(t, n.disk.Remove("data/"+LogDir+"/reserve"))
	began := 0
	n.disk.SetHook(func(op vfs.Op) error {
		switch {
		case op.Kind == vfs.OpAllocate && strings.HasSuffix(op.Name, LogDir+"/reserve"):
			return syscall.ENOSPC
		case inSnapshots(vfs.OpOpen)(op):
			began++
		}
		return nil
	})
	g.restart(int(n.i))
	p.fill(60, "more ")
	for range 2 {
		n.Apply(Job{Snapshot: true})
		g.pass(time.Second)
	}
	require.Contains(t, n.state.Snapshots, "no snapshot succeeds")
	require.Contains(t, n.state.Snapshots, "no segment in reserve")
	n.cut = false
	g.pass(10 * time.Second)
	require.Contains(t, n.state.Snapshots, "cannot be received")
	require.Contains(t, n.state.Snapshots, "no segment in reserve")
	require.Zero(t, began)
	n.disk.SetHook(nil)
	g.pass(time.Minute)
	require.NotZero(t, n.state.Snapshot)
	require.Equal(t, p.state.Commit, n.state.Commit)
	require.Empty(t, n.state.Snapshots)
}
