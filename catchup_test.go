package smr

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr/internal/vfs"
)

// snapshots configures a group that takes snapshots often and keeps no log below them for members that
// lag. The log is cut by segments, whose size follows SnapshotBytes.
func snapshots(cfg *Config) { cfg.SnapshotEvery, cfg.SnapshotBytes, cfg.KeepLog = 20, 64<<10, -1 }

// fill proposes enough operations for more than two segments of the log. Meanwhile snapshots are written wherever they are
// due.
func (g *group) fill(at ID, prefix string) {
	for i := range 280 {
		if i%20 == 0 {
			time.Sleep(time.Millisecond)
		}
		g.propose(at, fmt.Sprint(prefix, i))
	}
}

// N3. A backup that was down catches up from the log.
func TestCatchUpFromTheLog(t *testing.T) {
	scenario(t, 3, func(g *group) {
		g.start()
		g.propose("a", "before")
		away := g.backup()
		g.crash(away)
		g.proposeMany(g.primary(), 300, "while it was away ")
		g.start(away)
		g.settle()
		require.Len(t, g.history(away), 301)
		require.Zero(t, g.replica(away).Status().Snapshot)
	})
}

// C1. A backup that needs entries that the log no longer holds receives a snapshot, while the group goes on.
func TestCatchUpFromASnapshot(t *testing.T) {
	scenarioWith(t, 3, snapshots, func(g *group) {
		g.wires.latency = time.Millisecond
		g.start()
		g.propose("a", "before")
		away := g.backup()
		g.crash(away)
		g.fill(g.primary(), "while it was away ")
		g.start(away)
		g.proposeMany(g.primary(), 50, "while it catches up ")
		g.settle()
		require.Len(t, g.history(away), 331)
		require.NotZero(t, g.replica(away).Status().Snapshot)
		require.Less(t, len(g.states[away].numbers), 331, "it applied operations that the snapshot held")
	})
}

// C2. The primary crashes while it sends a snapshot, and the next primary completes the transfer.
func TestSnapshotSurvivesItsSender(t *testing.T) {
	scenarioWith(t, 5, snapshots, func(g *group) {
		g.wires.latency = 20 * time.Millisecond
		g.start()
		g.propose("a", "before")
		sender, away := g.primary(), g.backup()
		g.crash(away)
		g.fill(sender, strings.Repeat("x", 5<<10))
		var written atomic.Int32 // writes to the snapshot, the first of its head
		g.disks[away].SetHook(func(op vfs.Op) error {
			if op.Kind == vfs.OpWrite && strings.HasSuffix(op.Name, ".part") {
				time.Sleep(100 * time.Millisecond)
				written.Add(1)
			}
			return nil
		})
		g.start(away)
		g.wait("the first chunk is written", func() bool { return written.Load() > 1 })
		require.Equal(t, sender, g.replica(away).Status().Primary)
		require.Zero(t, g.replica(away).Status().Snapshot, "the transfer is under way")
		g.crash(sender)
		g.proposeMany(g.primary(), 20, "under the next ")
		g.settle()
		require.Len(t, g.history(away), 301)
		require.NotZero(t, g.replica(away).Status().Snapshot)
		require.Less(t, len(g.states[away].numbers), 301, "it applied operations that the snapshot held")
	})
}

// S5, C3. Restarted replicas continue from their snapshots and the logs above them.
func TestRestartFromSnapshotAndLog(t *testing.T) {
	scenarioWith(t, 3, snapshots, func(g *group) {
		g.start()
		for i := range 5 {
			g.proposeMany("a", 13, fmt.Sprint(i, ". "))
			g.settle()
			g.crash(g.all()...)
			g.start()
		}
		require.Equal(t, "66", g.propose("b", "after all"))
		g.settle()
		require.NotZero(t, g.replica("a").Status().Snapshot)
	})
}

// X3. If a replica installs a snapshot that covers a waiting operation, the caller gets the result from it.
func TestCallerIsAnsweredFromASnapshot(t *testing.T) {
	scenarioWith(t, 3, snapshots, func(g *group) {
		g.start()
		at := g.backup()
		g.propose(at, "opens the session")
		p := g.primary()
		g.wires.cutLinks(link{p, at}) // at is heard, but no longer hears the primary
		g.wires.cutLinks(link{g.others(p, at)[0], at})
		answer := make(chan string, 1)
		go func() { answer <- g.propose(at, "asked before") }()
		g.wait("the others apply it", func() bool { return len(g.history(p)) == 2 })
		g.fill(p, "meanwhile ")
		g.wait("the primary's log no longer reaches back", func() bool {
			base, _ := g.replica(p).shell.Log.Bounds()
			return base.Op > g.replica(at).Status().Op
		})
		g.wires.heal()
		require.Equal(t, "2", <-answer)
		g.wait("its status shows the snapshot", func() bool { return g.replica(at).Status().Snapshot > 0 })
	})
}

// F9, F15. A slow read of a damaged snapshot ends after the primary has taken the same snapshot again. The
// damage belongs to the old file, so the waiting backup gets the new one.
func TestDamageIsNotTheNextSnapshots(t *testing.T) {
	scenarioWith(t, 3, snapshots, func(g *group) {
		g.start()
		g.propose("a", "before")
		g.crash("c")
		for i := range 80 {
			g.propose("a", fmt.Sprint(strings.Repeat("x", 8<<10), i))
		}
		g.fill("a", "meanwhile ")
		atSnapshot := func() bool { s := g.replica("a").Status(); return s.Snapshot == s.Applied }
		for i := 0; i < 45 && !atSnapshot(); i++ {
			g.propose("a", fmt.Sprint("more ", i))
			g.settle()
			time.Sleep(100 * time.Millisecond) // until the snapshot is written
		}
		require.True(t, atSnapshot(), "no snapshot ends with the last operation: the next would not be the same")
		disk := g.disks["a"]
		names, err := disk.ReadDir("data/snapshots")
		require.NoError(t, err)
		file := "data/snapshots/" + names[len(names)-1]
		b, err := disk.ReadFile(file)
		require.NoError(t, err)
		for off := 5000; off < len(b); off += 100_000 {
			require.NoError(t, disk.FlipBit(file, int64(off), 1))
		}
		taken := make(chan struct{})
		var slow, ended atomic.Bool
		disk.SetHook(func(op vfs.Op) error {
			switch {
			case op.Kind == vfs.OpRead && op.Name == file && op.Offset > 200_000 && slow.CompareAndSwap(false, true):
				<-taken
				time.Sleep(time.Millisecond)
			case op.Kind == vfs.OpSyncDir && op.Name == "data/snapshots" && ended.CompareAndSwap(false, true):
				close(taken)
			}
			return nil
		})
		g.start("c")
		g.settle()
		require.True(t, slow.Load() && ended.Load(), "nothing was read while a snapshot was taken")
	})
}
