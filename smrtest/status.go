package smrtest

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/smr-go/smr"
	"github.com/smr-go/smr/internal/seam"
	"github.com/smr-go/smr/internal/sim"
	"github.com/smr-go/smr/internal/sim/fault"
	"github.com/smr-go/smr/internal/vsr"
)

// Members returns the names of all replicas, whether they are up or not.
func (g *group) Members() []smr.ID { return slices.Clone(g.names) }

// Primary returns the primary that a majority follows. It waits for one; after a minute the test fails. In a function
// given to On it does not wait, and returns "" without a primary.
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

// followers counts the replicas, the primary included, that are in its view and exchange messages with it.
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

// Status returns what smr.Replica.Status would. For a replica that is down, Phase is smr.Stopped and Problem gives the
// reason.
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
			all = append(all, fmt.Sprintf("%s does not hear %s: Heal first", id, fault.List(deaf)))
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

// host returns the index of a replica.
func (g *group) host(id smr.ID) int {
	g.t.Helper()
	i := slices.Index(g.names, id)
	if i < 0 {
		g.t.Fatalf("smrtest: there is no replica %q: the group has %s", id, fault.List(g.names))
	}
	return i
}

// Run lets d of virtual time pass.
func (g *group) Run(d time.Duration) {
	g.t.Helper()
	if d < 0 {
		g.t.Fatalf("smrtest: Run: %v is negative; time does not pass backwards", d)
	}
	g.mayWait("Run")
	defer g.enter()()
	g.s.RunFor(d)
	g.mustBeRight()
}

// RunUntil lets virtual time pass until cond returns true, for at most a minute, and reports whether it did. cond is
// called after every event and must not wait.
func (g *group) RunUntil(cond func() bool) bool {
	g.t.Helper()
	g.needs("RunUntil", "cond", cond != nil)
	g.mayWait("RunUntil")
	return g.until(func() (held bool) {
		g.within("in the condition of RunUntil", func() { held = cond() })
		return held
	}, patience)
}

// until is RunUntil without the checks of its caller.
func (g *group) until(cond func() bool, d time.Duration) bool {
	g.t.Helper()
	defer g.enter()()
	held := g.s.RunUntil(cond, d)
	g.mustBeRight()
	return held
}

// Now returns the virtual time since the group was made.
func (g *group) Now() time.Duration { return g.s.Now() }

// patience is the time that anything expected to happen soon may take.
const patience = time.Minute

// Settle lets virtual time pass until all replicas that are up have applied the same operations, have equal states, and
// no call is pending. If that takes longer than a minute the test fails with the causes that are known, such as a link
// that is still cut.
func (g *group) Settle() {
	g.t.Helper()
	g.mayWait("Settle")
	if g.up() == 0 {
		g.t.Fatal(g.report("no replica is up: Restart some before Settle"))
	}
	leave := g.enter()
	open := g.s.Converge(patience)
	leave()
	g.mustBeRight()
	if open != nil {
		g.t.Fatal(g.report("the group has not settled after %v%s", patience, g.because()))
	}
}

// finish ends all faults at the end of a test that has not failed. The replicas must then agree again, unless more of
// them lost their memory than the group survives.
func (g *group) finish() {
	g.t.Helper()
	defer g.ended.Store(true)
	if g.t.Failed() || g.t.Skipped() || g.s.Violation() != nil {
		return
	}
	if lost := len(g.memoryLost); lost > len(g.names)-sim.Needed(len(g.names)) || lost > 0 && g.cfg.Unformed {
		return
	}
	defer g.enter()()
	g.over = true
	g.did("the test is over: all faults end, and all replicas that are down start")
	g.s.Settle()
	g.mustBeRight()
}

// On calls do right after each moment of one kind at a replica, from now on. The replica is in the middle of its work
// then, so a crash in do is a crash at that point. The moments are those of a schedule:
//
//	sent             it sent a message; "sent Prepare" is a message of that kind
//	received         it received a message; "received Prepare" is a message of that kind
//	issued           it began to write to its log: none of that write is certain to be on disk
//	saved            the write is durable, and the replica has sent nothing about it
//	alone            as saved, and the last operation is on no other disk
//	applied          it applied operations
//	led              it became primary
//	changes          it gave up its primary, and takes part in choosing another
//
// Time does not pass in do: do may make faults, inspect the group and Start proposals, but must not wait. An unknown
// moment or kind of message fails the test with a list of the known ones.
func (g *group) On(id smr.ID, moment string, do func()) {
	g.t.Helper()
	g.hook(id, moment, func() bool { return true }, do)
}

// Once is On for the first such moment only.
func (g *group) Once(id smr.ID, moment string, do func()) {
	g.t.Helper()
	over := false
	g.hook(id, moment, func() bool { first := !over; over = true; return first }, do)
}

func (g *group) hook(id smr.ID, moment string, wanted func() bool, do func()) {
	g.t.Helper()
	g.needs("On and Once", "do", do != nil)
	when, kind, err := fault.ParseMoment(moment)
	if err != nil {
		g.t.Fatalf("smrtest: %v", err)
	}
	g.s.On(g.host(id), when, kind, func() {
		if !g.over && wanted() {
			g.within(fmt.Sprintf("right after %s %s", id, moment), do)
		}
	})
}
