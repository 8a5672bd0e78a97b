package shell

import (
	"errors"
	"io"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr/internal/detector"
	"github.com/smr-go/smr/internal/snap"
	"github.com/smr-go/smr/internal/store"
	"github.com/smr-go/smr/internal/vfs"
	"github.com/smr-go/smr/internal/vsr"
)

// A replica comes back on its disk: the state of the snapshot at once, and the rest of the log when it is committed.
func TestOpenRecovers(t *testing.T) {
	g := newGroup(t, 1, everyTenOps)
	n := g.nodes[0]
	n.fill(15, "op ")
	items := n.user.items
	require.NotZero(t, n.state.Snapshot)
	snapshot := n.state.Snapshot
	g.restart(0)
	require.Equal(t, items[:10], n.user.items)
	require.Equal(t, snapshot, n.shell.Loop.Applied())
	require.Equal(t, "16", n.must("after"))
	require.Equal(t, items, n.user.items[:15])
}

// Heartbeats slow down while the group is idle if the detector learns the slower rhythm.
func TestIdleHeartbeatFollowsTheDetector(t *testing.T) {
	for want, d := range map[time.Duration]vsr.Detector{
		heartbeat: detector.NewFixed(time.Second), 4 * heartbeat: detector.Default(heartbeat),
	} {
		seen := &events{}
		newGroup(t, 1, func(c *Config) { c.Core.Detector, c.Recorder = d, seen })
		require.Equal(t, want, seen.core.IdleHeartbeat)
	}
}

// The directory of a group of other members is refused, whether the list is in the log or in a snapshot (S2).
func TestOpenRefusesOtherMembers(t *testing.T) {
	for ops, change := range map[int]func(*Config){0: nil, 12: everyTenOps} {
		g := newGroup(t, 1, change)
		n := g.nodes[0]
		n.fill(ops, "op ")
		n.shell.Close()
		g.members = vsr.NewMembership([]vsr.Member{{ID: "a"}, {ID: "z"}})
		require.EqualError(t, g.tryStart(0), "data holds a group of a, but Config.Members is a, z; "+
			"give the same members in the same order (their addresses may change)")
		g.members = vsr.NewMembership([]vsr.Member{{ID: "a", Addr: "elsewhere:1"}})
		g.start(0)
	}
}

// A damaged snapshot is noted. It is no error if the log reaches back far enough; otherwise the error names the directory,
// the damage and the remedy, and the directory is free again.
func TestOpenWithADamagedSnapshot(t *testing.T) {
	for name, segment := range map[string]int64{"the log reaches back": 1 << 20, "the log begins after it": 4096} {
		t.Run(name, func(t *testing.T) {
			g := newGroup(t, 1, func(c *Config) { everyTenOps(c); c.SegmentSize = segment })
			n := g.nodes[0]
			for n.state.First == 1 && len(n.user.items) < 200 {
				n.must("op")
			}
			items := slices.Clone(n.user.items)
			n.shell.Close()
			n.shell = nil
			n.rot(t)
			err := g.tryStart(0)
			require.True(t, n.noted("a snapshot is damaged and is not used"))
			if segment > 4096 {
				require.NoError(t, err)
				n.must("after")
				require.Equal(t, items, n.user.items[:len(items)])
				return
			}
			require.True(t, store.IsCorrupt(err))
			require.ErrorIs(t, err, snap.ErrCorrupt, "the cause")
			require.ErrorContains(t, err, "no sound snapshot reaches that far")
			require.ErrorContains(t, err, "(in data); keep the directory, and leave this replica out: the group goes on without it, if enough other members run")
			require.True(t, store.IsCorrupt(g.tryStart(0)), "it is not locked")
		})
	}
}

// rot damages the first chunk of every snapshot on a disk.
func (n *node) rot(t *testing.T) {
	names, err := n.disk.ReadDir("data/" + SnapshotDir)
	require.NoError(t, err)
	for _, name := range names {
		name = "data/" + SnapshotDir + "/" + name
		b, err := n.disk.ReadFile(name)
		require.NoError(t, err)
		_, chunks := snap.Extents(b)
		require.NoError(t, n.disk.FlipBit(name, chunks[0].Off+20, 1))
	}
}

// Errors of the disk and of the state machine name what failed, and the directory is free again.
func TestOpenFails(t *testing.T) {
	g := newGroup(t, 1, everyTenOps)
	n := g.nodes[0]
	n.fill(12, "op ")
	require.ErrorIs(t, errorOf(Open(g.config(0), g.now)), vfs.ErrLocked)
	n.shell.Close()
	broken := errors.New("the disk is broken")
	for says, fails := range map[string]func(vfs.Op) bool{
		"Config.Dir cannot be made": func(op vfs.Op) bool { return op.Kind == vfs.OpMkdir },
		"Config.Dir cannot be read": func(op vfs.Op) bool { return op.Kind == vfs.OpReadDir },
		"data/":                     func(op vfs.Op) bool { return op.Kind == vfs.OpReadDir && op.Name != "data" },
	} {
		n.disk.SetHook(func(op vfs.Op) error {
			if fails(op) {
				return broken
			}
			return nil
		})
		err := errorOf(Open(g.config(0), g.now))
		require.ErrorIs(t, err, broken)
		require.ErrorContains(t, err, says)
	}
	n.disk.SetHook(nil)
	for says, restore := range map[string]func(io.Reader) error{
		"StateMachine.Restore of the snapshot of op 12: a bug":          func(io.Reader) error { return errors.New("a bug") },
		"StateMachine.Restore panicked on the snapshot of op 12: a bug": func(io.Reader) error { panic("a bug") },
	} {
		n.user.restore = restore
		require.EqualError(t, errorOf(Open(g.config(0), g.now)), says)
	}
	require.True(t, n.noted("a snapshot cannot be restored"), "with the stack of the panic")
	c := g.config(0)
	c.Group = "another"
	require.Error(t, errorOf(Open(c, g.now)))
	g.start(0)
}

func errorOf(_ *Shell, _ vsr.Durable, err error) error { return err }

// The user's Restore blames itself for damage that it was given, or does not notice: the error is that of the damage.
func TestRestoreOfDamage(t *testing.T) {
	for name, restore := range map[string]func(io.Reader) error{
		"fails":        func(r io.Reader) error { io.ReadAll(r); return errors.New("cannot parse it") },
		"reads little": func(r io.Reader) error { return nil },
	} {
		t.Run(name, func(t *testing.T) {
			b := frozenAt(t, 10)
			b.background()
			info, _ := b.shell.Snapshots.Latest()
			names, err := b.disk.ReadDir(SnapshotDir)
			require.NoError(t, err)
			text, err := b.disk.ReadFile(SnapshotDir + "/" + names[0])
			require.NoError(t, err)
			require.NoError(t, b.disk.FlipBit(SnapshotDir+"/"+names[0], int64(len(text))-1, 1))
			b.user.restore = restore
			b.a.Add(Job{Restore: &vsr.Snapshot{SnapshotID: store.Describe(info, vsr.Membership{}).SnapshotID}})
			b.a.next() // the report that the snapshot is written
			_, err = b.a.Step()
			require.ErrorIs(t, err, snap.ErrCorrupt)
			require.Error(t, b.a.Failure())
		})
	}
}

// Restore ends the goroutine that opens the shell, as a test's FailNow does: the directory is free again.
func TestOpenIsUndoneIfRestoreExits(t *testing.T) {
	g := newGroup(t, 1, everyTenOps)
	n := g.nodes[0]
	n.fill(12, "op ")
	g.run()
	require.NotZero(t, n.state.Snapshot)
	n.shell.Close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		n.user.restore = func(io.Reader) error { runtime.Goexit(); return nil }
		Open(g.config(0), g.now)
	}()
	<-done
	g.start(0)
	require.Len(t, n.user.items, 10)
}
