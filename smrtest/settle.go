package smrtest

import (
	"fmt"
	"strings"

	"github.com/smr-go/smr"
	"github.com/smr-go/smr/internal/sim"
)

// Settle lets virtual time pass until all replicas that are up stand at the same operation with
// equal states, and nobody waits for an answer. If that does not come about within a minute it
// fails the test and says what is in the way: a cut that was not healed, say.
func (g *group) Settle() {
	g.t.Helper()
	g.waits("Settle")
	if g.up() == 0 {
		g.t.Fatal(g.report("no replica is up: Restart some before Settle"))
	}
	leave := g.enter()
	open := g.s.Converge(patience)
	leave()
	g.sound()
	if open != nil {
		g.t.Fatal(g.report("the group has not settled after %v%s", patience, g.because()))
	}
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

// because lists what may keep the group from working, one thing a line; "" if nothing is known.
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
			all = append(all, fmt.Sprintf("%s says: %s", id, x.State.Problem))
		}
	}
	if len(all) == 0 {
		return ""
	}
	return ":\n  " + strings.Join(all, "\n  ")
}

// unheard returns those that are up and whose messages do not reach a replica.
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

// finish is the end of a test that has not failed: all faults end, and the group must become one
// again, unless more memory was lost than it can lose.
func (g *group) finish() {
	g.t.Helper()
	defer g.ended.Store(true)
	if g.t.Failed() || g.t.Skipped() || g.s.Violation() != nil {
		return
	}
	if lost := len(g.doomed); lost > len(g.names)-sim.Needed(len(g.names)) || lost > 0 && g.cfg.Unformed {
		return
	}
	defer g.enter()()
	g.over = true
	g.did("the test is over: all faults end, and all that are down start")
	g.s.Settle()
	g.sound()
}
