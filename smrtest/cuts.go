package smrtest

import (
	"math"
	"time"

	"github.com/smr-go/smr"
	"github.com/smr-go/smr/internal/sim"
)

// Partition cuts all links between these replicas and the others. Called again it cuts the sides it
// made into smaller ones: Partition("a") and Partition("b") leave a, b and the rest apart.
func (g *stage) Partition(side ...smr.ID) {
	g.t.Helper()
	mask := int64(0)
	g.each("Partition", side, func(i int) { mask |= 1 << i })
	if mask == 1<<len(g.names)-1 {
		g.t.Fatalf("smrtest: Partition: all %d replicas are on one side, and nobody on the other", len(g.names))
	}
	g.fault(sim.Fault{Kind: sim.Split, N: mask}, "cut off %s", join(side))
}

// Cut cuts the link between two replicas, in both directions.
func (g *stage) Cut(a, b smr.ID) {
	g.t.Helper()
	g.CutOneWay(a, b)
	g.CutOneWay(b, a)
}

// CutOneWay cuts the link from one replica to another: to hears nothing of from.
func (g *stage) CutOneWay(from, to smr.ID) {
	g.t.Helper()
	g.two(from, to)
	g.fault(sim.Fault{Kind: sim.Cut, Host: g.host(from), To: g.host(to)}, "cut the link from %s to %s", from, to)
}

// Mend mends the links between two replicas that were cut, in both directions.
func (g *stage) Mend(a, b smr.ID) {
	g.t.Helper()
	g.two(a, b)
	g.fault(sim.Fault{Kind: sim.Mend, Host: g.host(a), To: g.host(b)}, "mend the link from %s to %s", a, b)
	g.fault(sim.Fault{Kind: sim.Mend, Host: g.host(b), To: g.host(a)}, "mend the link from %s to %s", b, a)
}

// Delay has messages between two replicas take d longer, in both directions. Zero: they are as quick
// as before.
func (g *stage) Delay(a, b smr.ID, d time.Duration) {
	g.t.Helper()
	g.notNegative("Delay", d)
	g.disturb(sim.Fault{Kind: sim.SlowLink, N: int64(d), For: long(d)}, a, b, "delay %s to %s by %v", d)
}

// Lose has a part of the messages between two replicas be lost, in both directions: 0.1 is one of
// ten, 0.001 the least. Zero: none are, as before.
func (g *stage) Lose(a, b smr.ID, part float64) {
	g.t.Helper()
	if !(part == 0 || part >= 0.001 && part <= 1) {
		g.t.Fatalf("smrtest: Lose: the part must be 0, or from 0.001 to 1, which %v is not", part)
	}
	f := sim.Fault{Kind: sim.LossyLink, N: int64(math.Round(part * 1000))}
	f.For = long(time.Duration(f.N))
	g.disturb(f, a, b, "lose from %s to %s a part of %v", part)
}

// two fails the test if two replicas are one, which has no link to itself.
func (g *stage) two(a, b smr.ID) {
	g.t.Helper()
	if g.host(a) == g.host(b) {
		g.t.Fatalf("smrtest: there is no link from %s to itself", a)
	}
}

func (g *stage) disturb(f sim.Fault, a, b smr.ID, words string, much any) {
	g.t.Helper()
	g.two(a, b)
	f.Host, f.To = g.host(a), g.host(b)
	g.fault(f, words, a, b, much)
	f.Host, f.To = f.To, f.Host
	g.fault(f, words, b, a, much)
}

// Heal ends all that was done to the network: every link is whole again.
func (g *stage) Heal() {
	g.t.Helper()
	defer g.enter()()
	g.did("heal the network")
	for i := range g.names {
		if err := g.s.Do(sim.Fault{Kind: sim.Join, Host: i}); err != nil {
			g.t.Fatalf("smrtest: cannot heal: %v", err)
		}
	}
	g.s.Rejoin()
}
