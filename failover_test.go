package smr

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// detection is a time within which backups that have listened for a while suspect a silent primary and
// replace it, with the default detector.
const detection = 1500 * time.Millisecond

// V1. The primary loses power. Another member replaces it, and nothing is lost.
func TestBackupReplacesCrashedPrimary(t *testing.T) {
	scenario(t, 3, func(g *group) {
		g.start()
		g.propose("b", "before")
		time.Sleep(5 * time.Second)
		g.crash("a")
		at := time.Now()
		require.Equal(t, "2", g.propose("c", "after"))
		require.Less(t, time.Since(at), detection)
		require.NotEqual(t, ID("a"), g.primary())
	})
}

// V2. A primary that is closed hands over its role, so that callers at other members hardly wait.
func TestClosedPrimaryHandsOverAtOnce(t *testing.T) {
	scenario(t, 3, func(g *group) {
		g.wires.latency = time.Millisecond
		g.start()
		g.propose("b", "before")
		require.NoError(t, g.close("a"))
		at := time.Now()
		require.Equal(t, "2", g.propose("b", "after"))
		require.Less(t, time.Since(at), 20*time.Millisecond)
	})
}

// N3. The old primary comes back as a backup, drops entries that were never committed, and catches up.
func TestOldPrimaryReturnsAsBackup(t *testing.T) {
	scenario(t, 3, func(g *group) {
		g.start()
		g.propose("a", "before")
		g.wires.isolate("a")
		_, err := g.replica("a").Propose(g.in(100*time.Millisecond), []byte("alone"))
		require.ErrorIs(t, err, ErrUnknown)
		g.proposeMany("b", 20, "without a ")
		g.crash("a")
		g.start("a")
		g.settle()
		require.NotEqual(t, ID("a"), g.primary())
		require.Len(t, g.history("a"), 21)
		require.NotContains(t, g.history("a"), "alone")
	})
}

// V2. A primary that restarts before its backups suspect it does not lead its old view again.
func TestQuickRestartOfThePrimary(t *testing.T) {
	scenario(t, 3, func(g *group) {
		g.start()
		g.propose("a", "before")
		view := g.replica("b").Status().View
		g.crash("a")
		g.start("a")
		require.Equal(t, "2", g.propose("a", "after"))
		require.Greater(t, g.replica("a").Status().View, view)
	})
}

// Members fail one after another. The group goes on as long as a majority is up.
func TestPrimariesFailInTurn(t *testing.T) {
	for _, n := range []int{3, 5, 7} {
		scenario(t, n, func(g *group) {
			g.start()
			var dead []ID
			for range (n - 1) / 2 {
				p := g.primary()
				g.propose(g.backup(), "under "+string(p))
				g.crash(p)
				dead = append(dead, p)
			}
			g.propose(g.primary(), "by the last majority")
			g.start(dead...)
			g.settle()
			require.Len(t, g.history(dead[0]), (n-1)/2+1)
		})
	}
}

// A group of two needs both: it stops when one is lost, and resumes when that one is back.
func TestTwoReplicasSurviveNoLoss(t *testing.T) {
	scenario(t, 2, func(g *group) {
		g.start()
		g.propose("a", "together")
		g.crash("b")
		_, err := g.replica("a").Propose(g.in(10*time.Second), []byte("alone"))
		require.ErrorIs(t, err, ErrUnknown)
		g.start("b")
		g.propose("b", "together again")
	})
}

// X2. Clients at all replicas write without pause while primaries crash and come back. Every acknowledged
// operation is in the history once, at the place that its result names.
func TestExactlyOnceThroughFailovers(t *testing.T) {
	for _, n := range []int{3, 5} {
		scenarioWith(t, n, func(cfg *Config) { cfg.SnapshotEvery, cfg.KeepLog = 200, -1 }, func(g *group) {
			g.wires.latency = time.Millisecond
			g.start()
			c := g.clients(3)
			for range 6 {
				time.Sleep(700 * time.Millisecond)
				p := g.primary()
				g.crash(p)
				time.Sleep(1300 * time.Millisecond)
				g.start(p)
			}
			c.stop()
			g.settle()
			c.check()
			require.Greater(t, len(c.acknowledged), 1000)
		})
	}
}

// The same with primaries that are closed or hand over their role, and backups that crash.
func TestExactlyOnceThroughHandovers(t *testing.T) {
	scenario(t, 3, func(g *group) {
		g.wires.latency = time.Millisecond
		g.start()
		c := g.clients(3)
		for range 5 {
			time.Sleep(time.Second)
			require.NoError(t, g.replica(g.primary()).Handover(g.in(time.Minute), ""))
			p := g.primary()
			require.NoError(t, g.close(p))
			time.Sleep(time.Second)
			g.start(p)
			b := g.backup()
			g.crash(b)
			time.Sleep(time.Second)
			g.start(b)
		}
		c.stop()
		g.settle()
		c.check()
		require.Greater(t, len(c.acknowledged), 1000)
	})
}

// All members lose power at once, and come back with every acknowledged operation.
func TestWholeGroupLosesPower(t *testing.T) {
	for range 5 {
		scenarioWith(t, 3, func(cfg *Config) { cfg.SnapshotEvery = 150 }, func(g *group) {
			g.start()
			for range 3 {
				c := g.clients(3)
				time.Sleep(time.Second)
				g.crash(g.all()...)
				c.stop()
				g.start()
				g.settle()
				c.check()
			}
		})
	}
}

// All members are closed and started again.
func TestWholeGroupRestarts(t *testing.T) {
	scenarioWith(t, 3, func(cfg *Config) { cfg.SnapshotEvery = 30 }, func(g *group) {
		g.start()
		for _, round := range []string{"one ", "two ", "three "} {
			g.proposeMany("b", 40, round)
			g.end()
			g.start()
		}
		g.settle()
		require.Len(t, g.history("a"), 120)
	})
}
