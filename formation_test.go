package smr

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
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
		g.wait("c is recovering", func() bool { return g.replica("c").Status().Phase == Recovering })
		assert.Contains(t, g.replica("c").Status().Problem, "stays out")
		g.propose("a", "without c")
		require.Empty(t, g.history("c"))
		_, err := g.replica("c").Propose(g.in(time.Second), []byte("not through c"))
		require.ErrorIs(t, err, ErrNotApplied)
		require.ErrorContains(t, g.replica("c").Read(g.in(time.Second), Linearizable, func() {}), "before a quorum")
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
