package smr

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr/internal/vfs"
)

// S2. A group of any size forms by itself, and the first member in the list leads it.
func TestGroupForms(t *testing.T) {
	for _, n := range []int{1, 2, 3, 5, 7} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			scenario(t, n, func(g *group) {
				g.start()
				require.Equal(t, ID("a"), g.primary())
				for i, id := range g.all() {
					require.Equal(t, fmt.Sprint(i+1), g.propose(id, "from "+string(id)))
				}
				g.settle()
				for _, id := range g.all() {
					require.Len(t, g.history(id), n)
					require.Equal(t, g.members, g.replica(id).Status().Members)
				}
			})
		})
	}
}

// S2. The group accepts no operation until the last member is running. Then it forms, in whatever order
// the members started.
func TestGroupWaitsForItsLastMember(t *testing.T) {
	scenario(t, 3, func(g *group) {
		g.start("c", "b")
		time.Sleep(time.Minute)
		require.Equal(t, Forming, g.replica("b").Status().Phase)
		_, err := g.replica("b").Propose(g.in(time.Second), []byte("too early"))
		require.ErrorIs(t, err, ErrNotApplied)
		g.start("a")
		require.Equal(t, "1", g.propose("c", "in time"))
	})
}

// S2. Members whose lists differ do not form a group. They report both lists.
func TestDifferingListsAreRefused(t *testing.T) {
	scenario(t, 3, func(g *group) {
		g.start("a", "b")
		require.NoError(t, g.tryStart("c", func(cfg *Config) {
			cfg.Members = []Member{{ID: "a"}, {ID: "c"}, {ID: "b"}}
		}))
		g.wait("a and c report both lists", func() bool {
			return g.replica("a").Status().Problem != "" && g.replica("c").Status().Problem != ""
		})
		assert.Contains(t, g.replica("a").Status().Problem, "configured with another member list")
		assert.Contains(t, g.replica("a").Status().Problem, `"a, b, c" here`)
		assert.Contains(t, g.replica("a").Status().Problem, `"a, c, b" there`)
		require.Equal(t, Forming, g.replica("a").Status().Phase)
	})
}

// S3. A member that has lost its memory stays out of the group and reports that. The others go on.
func TestMemberThatLostItsMemoryStaysOut(t *testing.T) {
	scenarioWith(t, 3, func(cfg *Config) { cfg.Volatile, cfg.Dir = true, "" }, func(g *group) {
		g.start()
		g.propose("c", "before")
		g.close("c")
		g.start("c")
		g.wait("c is recovering", func() bool { return g.replica("c").Status().Phase == Outside })
		assert.Contains(t, g.replica("c").Status().Problem, "stays out")
		g.propose("a", "without c")
		require.Empty(t, g.history("c"))
		g.hasNoState("c")
	})
}

// hasNoState checks that calls and reads at a member fail at once, without deadlines, and give the reason.
func (g *group) hasNoState(id ID) {
	g.t.Helper()
	r, began := g.replica(id), time.Now()
	g.ends(func() {
		_, err := r.Propose(context.Background(), []byte("not here"))
		assert.ErrorIs(g.t, err, ErrNotApplied)
		assert.ErrorIs(g.t, err, ErrNoState)
		assert.ErrorContains(g.t, err, r.Status().Problem)
		for _, level := range []ReadLevel{Local, AtLeast(0), AtLeast(3), Linearizable} {
			err := r.Read(context.Background(), level, func() { assert.Fail(g.t, "it has no state") })
			assert.ErrorIs(g.t, err, ErrNoState)
			assert.ErrorContains(g.t, err, r.Status().Problem)
		}
	})
	require.Zero(g.t, time.Since(began))
}

// S3, R5. A member without its directory that starts alone does not know whether there is a group. Its callers wait,
// and get the reason as soon as it knows.
func TestCallsWaitUntilAMemberKnowsItsGroup(t *testing.T) {
	scenario(t, 3, func(g *group) {
		g.start()
		g.propose("c", "before")
		for _, id := range g.all() {
			g.close(id)
		}
		g.disks["c"] = vfs.NewCrashable()
		g.start("c")
		r, ended := g.replica("c"), make(chan error, 4)
		for _, level := range []ReadLevel{Local, AtLeast(3), Linearizable} {
			go func() { ended <- r.Read(g.t.Context(), level, func() {}) }()
		}
		go func() {
			_, err := r.Propose(g.t.Context(), []byte("waits"))
			assert.ErrorIs(t, err, ErrNotApplied)
			ended <- err
		}()
		time.Sleep(time.Minute)
		require.Empty(t, ended)
		g.start("a", "b")
		for range 4 {
			require.ErrorIs(t, <-ended, ErrNoState)
		}
		g.hasNoState("c")
		g.close("c")
		g.start("c")
		g.wait("it knows that again", func() bool { return r.Status().Phase == Stopped && g.replica("c").Status().Phase == Outside })
		g.hasNoState("c")
	})
}

// R5. A member that starts alone, with its log, serves Local reads.
func TestLocalReadsAfterARestartAlone(t *testing.T) {
	scenario(t, 3, func(g *group) {
		g.start()
		g.propose("c", "before")
		g.settle()
		for _, id := range g.all() {
			g.close(id)
		}
		g.start("c")
		began := time.Now()
		require.NoError(t, g.replica("c").Read(g.in(time.Minute), Local, func() {}))
		require.Equal(t, began, time.Now())
	})
}

// S2. All members lose their disks, one after the other, and a restart in between. They form no new group, in which everything
// acknowledged would be missing.
func TestMembersThatLoseTheirDisksInTurnFormNoGroup(t *testing.T) {
	scenario(t, 3, func(g *group) {
		g.start()
		g.propose("c", "before")
		for _, id := range []ID{"c", "b", "a"} {
			g.close(id)
			g.disks[id] = vfs.NewCrashable()
			g.start(id)
			g.wait("it is recovering", func() bool { return g.replica(id).Status().Phase == Outside })
			g.crash(id)
			g.start(id)
		}
		time.Sleep(time.Minute)
		for _, id := range g.ids() {
			require.Equal(t, Outside, g.replica(id).Status().Phase)
			require.Contains(t, g.replica(id).Status().Problem, "the group exists")
		}
	})
}

// S2. If a member crashes while the group forms, the group forms once that member is back.
func TestCrashDuringFormation(t *testing.T) {
	for _, victim := range []ID{"a", "b"} {
		t.Run(string(victim), func(t *testing.T) {
			scenario(t, 3, func(g *group) {
				g.wires.latency = 10 * time.Millisecond
				g.start()
				time.Sleep(25 * time.Millisecond) // a has asked all members, and fixes the list
				g.crash(victim)
				time.Sleep(time.Second)
				g.start(victim)
				g.propose("b", "formed")
				g.settle()
			})
		})
	}
}
