package smrtest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/smr-go/smr"
	"github.com/smr-go/smr/internal/seam"
	"github.com/smr-go/smr/internal/sim"
	"github.com/smr-go/smr/internal/vsr"
)

// Members returns the names of all replicas, whether they are up or not.
func (g *group) Members() []smr.ID { return slices.Clone(g.names) }

// Primary returns the primary that a majority follows. It waits for one; after a minute the test fails.
// In a function given to On it does not wait, and returns "" without a primary.
func (g *group) Primary() smr.ID {
	g.t.Helper()
	if g.inside == "" && !g.until(func() bool { return g.leading() >= 0 }, patience) {
		g.t.Fatal(g.report("there is no primary after waiting for %v%s", patience, g.because()))
	}
	if p := g.leading(); p >= 0 {
		return g.names[p]
	}
	return ""
}

// leading returns the primary that a majority follows now; -1 without one.
func (g *group) leading() int {
	for p := range g.names {
		if x := g.s.Status(p); x.Up && !x.Paused && x.State.Phase == vsr.Primary && g.followers(p, x.State.Head.View) >= sim.Needed(len(g.names)) {
			return p
		}
	}
	return -1
}

// followers counts the replicas, the primary included, that are in its view and exchange messages with
// it.
func (g *group) followers(p int, view vsr.View) (n int) {
	for i := range g.names {
		x := g.s.Status(i)
		normal := x.State.Phase == vsr.Primary || x.State.Phase == vsr.Backup
		if x.Up && !x.Paused && normal && x.State.Head.View == view && g.talk(i, p) {
			n++
		}
	}
	return n
}

// talk reports whether messages pass between two replicas in both directions.
func (g *group) talk(i, j int) bool { return g.s.Reaches(i, j) && g.s.Reaches(j, i) }

// Status returns what smr.Replica.Status would. For a replica that is down, Phase is smr.Stopped and
// Problem gives the reason.
func (g *group) Status(id smr.ID) smr.Status {
	g.t.Helper()
	defer g.alone()()
	return g.status(g.host(id))
}

func (g *group) status(i int) smr.Status {
	x := g.s.Status(i)
	if x.Up {
		return seam.Status(&x.State, string(g.names[i]), vsr.OpNumber(x.Applied)).(smr.Status)
	}
	status := smr.Status{ID: g.names[i], Phase: smr.Stopped, Problem: g.whyDown(i)}
	for _, id := range g.names {
		status.Members = append(status.Members, smr.Member{ID: id, Addr: string(id)})
	}
	return status
}

// whyDown returns why a replica is down.
func (g *group) whyDown(i int) string {
	switch {
	case g.s.Status(i).Lost:
		return "its memory is lost, so it stays out of the group"
	case g.why[i] != "":
		return g.why[i]
	case g.cfg.Unformed && g.s.Now() == 0:
		return "it has not started yet"
	}
	return "it has stopped by itself, and restarts within a second"
}

// because lists the known reasons why the group may not work, one a line; "" if there are none.
func (g *group) because() string {
	var all []string
	if n, needed := g.up(), sim.Needed(len(g.names)); n < needed {
		all = append(all, fmt.Sprintf("%d of %d replicas are up, and a group of %d needs %d: Restart some", n, len(g.names), len(g.names), needed))
	}
	for i, id := range g.names {
		x := g.s.Status(i)
		if x.Paused {
			all = append(all, fmt.Sprintf("%s is paused: Resume it", id))
		}
		if deaf := g.unheard(i); len(deaf) > 0 && x.Up {
			all = append(all, fmt.Sprintf("%s does not hear %s: Heal first", id, join(deaf)))
		}
		if x.Up && x.State.Problem != "" {
			all = append(all, fmt.Sprintf("%s reports: %s", id, x.State.Problem))
		}
	}
	if len(all) == 0 {
		return ""
	}
	return ":\n  " + strings.Join(all, "\n  ")
}

// up returns how many replicas are up.
func (g *group) up() (n int) {
	for i := range g.names {
		if g.s.Status(i).Up {
			n++
		}
	}
	return n
}

// unheard returns the replicas that are up and whose messages do not reach i.
func (g *group) unheard(i int) (ids []smr.ID) {
	for j, id := range g.names {
		if g.s.Status(j).Up && !g.s.Reaches(j, i) {
			ids = append(ids, id)
		}
	}
	return ids
}

func join(ids []smr.ID) string {
	var b strings.Builder
	for i, id := range ids {
		switch {
		case i > 0 && i == len(ids)-1:
			b.WriteString(" and ")
		case i > 0:
			b.WriteString(", ")
		}
		b.WriteString(string(id))
	}
	return b.String()
}

// host returns the index of a replica.
func (g *group) host(id smr.ID) int {
	g.t.Helper()
	i := slices.Index(g.names, id)
	if i < 0 {
		g.t.Fatalf("smrtest: there is no replica %q: the group has %s", id, join(g.names))
	}
	return i
}
