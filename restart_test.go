package smr

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// S2. A restart with other members, or in another order, is refused, because the list in the log is binding.
func TestRestartWithAnotherList(t *testing.T) {
	for name, members := range map[string][]Member{
		"reordered": {{ID: "c"}, {ID: "b"}, {ID: "a"}},
		"replaced":  {{ID: "a"}, {ID: "d"}, {ID: "c"}},
		"alone":     {{ID: "a"}}, // would be a quorum by itself
	} {
		t.Run(name, func(t *testing.T) {
			scenarioWith(t, 3, snapshots, func(g *group) {
				g.start()
				g.proposeMany("a", 30, "op ")
				g.settle()
				for _, id := range g.all() {
					g.close(id)
				}
				for _, id := range []ID{members[0].ID, members[len(members)-1].ID} {
					err := g.tryStart(id, func(cfg *Config) { cfg.Members = members })
					require.ErrorContains(t, err, "same members in the same order")
					require.ErrorContains(t, err, "holds a group of a, b, c, but Config.Members is ")
				}
				g.start()
				g.propose("b", "after")
			})
		})
	}
}

// A replica that hears no other reports that there is no quorum and which members are missing, and does not
// call itself primary.
func TestStatusWithoutAQuorum(t *testing.T) {
	scenario(t, 3, func(g *group) {
		g.start()
		g.propose("a", "before")
		p := g.primary()
		down := g.others(p)
		g.crash(down...)
		time.Sleep(10 * time.Second)
		s := g.replica(p).Status()
		require.Equal(t, ViewChange, s.Phase)
		require.Empty(t, s.Primary)
		require.Contains(t, s.Problem, ": 1 of 3 members can be reached, 2 are needed")
		g.start(down...)
		g.settle()
		g.wait("the problem is over", func() bool { return g.replica(p).Status().Problem == "" })
	})
}

// The primary loses power, and then the next primary. The last member, a backup whose vote for another view has no
// effect, reports that there is no primary and which members are missing.
func TestStatusOfABackupWithoutAQuorum(t *testing.T) {
	scenario(t, 3, func(g *group) {
		g.start()
		g.propose("a", "before")
		first := g.primary()
		g.crash(first)
		second := g.primary()
		g.propose(second, "without the first")
		g.settle()
		g.crash(second)
		time.Sleep(10 * time.Second)
		r := g.replica(g.ids()[0])
		s := r.Status()
		require.Equal(t, ViewChange, s.Phase)
		require.Empty(t, s.Primary)
		require.Contains(t, s.Problem, ": 1 of 3 members can be reached, 2 are needed")
		require.Contains(t, s.Problem, string(first))
		require.Contains(t, s.Problem, string(second))
		g.start(second)
		g.settle()
		g.wait("only the first is missing", func() bool {
			return strings.HasPrefix(r.Status().Problem, string(first)+" has not been heard since ")
		})
		g.start(first)
		g.wait("the problem is over", func() bool { return r.Status().Problem == "" })
	})
}

// The primary loses power while the disk of a backup is full. The two that are left have a primary, which refuses writes:
// an operation needs space on both their disks (F13).
func TestFullBackupAndADeadPrimary(t *testing.T) {
	scenario(t, 3, func(g *group) {
		g.start()
		g.propose("a", "before")
		g.settle()
		p := g.primary()
		full, other := g.others(p)[0], g.others(p)[1]
		g.disks[full].SetCapacity(g.disks[full].Used())
		for i := 0; g.replica(full).Status().Problem == ""; i++ {
			g.propose(p, fmt.Sprint("meanwhile ", i))
		}
		g.crash(p)
		time.Sleep(10 * time.Second)
		s := g.replica(other).Status()
		require.Equal(t, Normal, s.Phase)
		require.NotEmpty(t, s.Primary)
		require.Contains(t, s.Problem, "writes are refused")
		require.Contains(t, s.Problem, "the disks of "+string(full)+" are full, and 2 members must have space")
		_, err := g.replica(other).Propose(g.in(time.Second), []byte("refused"))
		require.ErrorIs(t, err, ErrNotApplied)
		g.disks[full].SetCapacity(1 << 30)
		g.wait("the disk has space", func() bool { return !strings.Contains(g.replica(other).Status().Problem, "full") })
		g.propose(other, "after")
		g.settle()
	})
}
