package smr

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// R1, V2. A primary that is cut off serves only Local reads, acknowledges nothing, and steps down. The
// others go on, and it follows them when the network heals.
func TestPrimaryCutOff(t *testing.T) {
	for _, n := range []int{3, 5} {
		scenario(t, n, func(g *group) {
			g.start()
			g.propose("a", "before")
			old := g.primary()
			g.wires.isolate(old)
			began := time.Now()
			g.propose(g.others(old)[0], "after")
			require.Less(t, time.Since(began), 3*time.Second)

			r := g.replica(old)
			read := false
			require.Error(t, r.Read(g.in(3*time.Second), Linearizable, func() { read = true }))
			require.False(t, read, "a read that cannot have seen the last operation")
			_, err := r.Propose(g.in(time.Second), []byte("alone"))
			require.Error(t, err)
			require.NoError(t, r.Read(g.t.Context(), Local, func() { read = true }))
			require.True(t, read)

			g.wires.heal()
			g.settle()
			require.Contains(t, g.history(old), "after")
		})
	}
}

// X4. A proposal at a member that knows no primary was not applied. One that was sent may have been.
func TestErrorsOfAMinority(t *testing.T) {
	scenario(t, 3, func(g *group) {
		g.start()
		g.propose("a", "before")
		p := g.primary()
		g.wires.isolate(p)
		_, err := g.replica(p).Propose(g.in(100*time.Millisecond), []byte("in its log"))
		require.ErrorIs(t, err, ErrUnknown)
		time.Sleep(3 * time.Second) // until it has stepped down
		_, err = g.replica(p).Propose(g.in(time.Second), []byte("nowhere"))
		require.ErrorIs(t, err, ErrNotApplied)
		g.wires.heal()
		g.settle()
		require.NotContains(t, g.history("a"), "nowhere")
	})
}

// V1. A backup that was cut off does not disturb the others when it comes back.
func TestBackupCutOff(t *testing.T) {
	scenario(t, 3, func(g *group) {
		g.start()
		g.propose("a", "before")
		p, b := g.primary(), g.backup()
		view := g.replica(p).Status().View
		g.wires.isolate(b)
		time.Sleep(30 * time.Second)
		g.propose(p, "without it")
		g.wires.heal()
		g.settle()
		require.Equal(t, view, g.replica(b).Status().View)
	})
}

// V3. If only the links of one member work, the group goes on around that member.
func TestOneMemberHearsAll(t *testing.T) {
	for _, hub := range []ID{"a", "c", "e"} {
		scenario(t, 5, func(g *group) {
			g.start()
			g.propose("a", "before")
			for _, x := range g.others(hub) {
				for _, y := range g.others(hub, x) {
					g.wires.cutLinks(link{x, y}, link{y, x})
				}
			}
			g.propose(hub, "around the hub")
			g.wires.heal()
			g.settle()
		})
	}
}

// V2. If the primary sends but hears nothing, or hears but is not heard, another member takes over.
func TestOneWayCuts(t *testing.T) {
	for _, deaf := range []bool{true, false} {
		scenario(t, 3, func(g *group) {
			g.start()
			g.propose("a", "before")
			p := g.primary()
			for _, x := range g.others(p) {
				if deaf {
					g.wires.cutLinks(link{x, p})
				} else {
					g.wires.cutLinks(link{p, x})
				}
			}
			g.propose(g.others(p)[0], "under another")
			require.NotEqual(t, p, g.replica(g.others(p)[0]).Status().Primary)
			g.wires.heal()
			g.settle()
		})
	}
}

// X6. If only the link between the primary and a backup is cut, in one direction or both, calls through the backup go
// on through the third member: commands, reads and what the backup applies.
func TestOneLinkIsCut(t *testing.T) {
	for name, cut := range map[string]func(p, b ID) []link{
		"both":        func(p, b ID) []link { return []link{{p, b}, {b, p}} },
		"to backup":   func(p, b ID) []link { return []link{{p, b}} },
		"from backup": func(p, b ID) []link { return []link{{b, p}} },
	} {
		t.Run(name, func(t *testing.T) {
			scenario(t, 3, func(g *group) {
				g.start()
				g.propose("a", "before")
				p, b := g.primary(), g.backup()
				view := g.replica(p).Status().View
				g.wires.cutLinks(cut(p, b)...)
				for i := range 20 {
					op := fmt.Sprintf("through another %d", i)
					g.propose(b, op)
					require.NoError(t, g.replica(b).Read(g.in(10*time.Second), Linearizable, func() {}))
					require.Contains(t, g.history(b), op)
					time.Sleep(time.Second)
				}
				require.Equal(t, view, g.replica(b).Status().View, "nobody has left the view")
				g.wires.heal()
				g.settle()
			})
		})
	}
}

// Clients write at all replicas while messages are lost, repeated, delayed and reordered.
func TestBadNetwork(t *testing.T) {
	for _, lose := range []float64{0.02, 0.2} {
		scenarioWith(t, 3, snapshots, func(g *group) {
			g.start()
			g.propose("a", "before")
			g.wires.disturb(lose, 0.1, 20*time.Millisecond)
			c := g.clients(3)
			time.Sleep(10 * time.Second)
			c.stop()
			g.wires.disturb(0, 0, 0)
			g.settle()
			c.check()
			require.Greater(t, len(c.acknowledged), 50)
		})
	}
}

// Clients write while partitions come and go. Every acknowledged operation is in the history once.
func TestPartitionsInTurn(t *testing.T) {
	scenario(t, 5, func(g *group) {
		g.wires.latency = time.Millisecond
		g.start()
		c := g.clients(1)
		for i := range 8 {
			g.wires.isolate(g.primary())
			if i%2 == 1 {
				g.wires.cutLinks(link{g.all()[i%5], g.all()[(i+1)%5]}, link{g.all()[(i+1)%5], g.all()[i%5]})
			}
			time.Sleep(3 * time.Second)
			g.wires.heal()
			time.Sleep(time.Second)
		}
		c.stop()
		g.settle()
		c.check()
		require.Greater(t, len(c.acknowledged), 200, fmt.Sprint(len(c.unknown)))
	})
}
