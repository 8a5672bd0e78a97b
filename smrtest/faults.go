package smrtest

import (
	"fmt"
	"slices"
	"time"

	"github.com/smr-go/smr"
	"github.com/smr-go/smr/internal/sim"
)

// Crash cuts the power of replicas: the disk may lose or tear what was not synced. They stay down
// until Restart.
func (g *stage) Crash(ids ...smr.ID) {
	g.t.Helper()
	g.each("Crash", ids, func(i int) { g.fell(i, "it has crashed", sim.Fault{Kind: sim.PowerCut}, "crash %s", g.names[i]) })
}

// CrashPrimary crashes the primary, which it waits for if there is none, and returns its name.
func (g *stage) CrashPrimary() smr.ID {
	g.t.Helper()
	p := g.Primary()
	if p == "" {
		g.t.Fatal("smrtest: CrashPrimary: there is no primary at this moment")
	}
	g.Crash(p)
	return p
}

// CrashAll cuts the power of all replicas that are up, at once.
func (g *stage) CrashAll() {
	g.t.Helper()
	for i, id := range g.names {
		if g.s.Status(i).Up {
			g.Crash(id)
		}
	}
}

// Kill ends the processes of replicas, as SIGKILL does: their disks keep what was written, synced or
// not. They stay down until Restart.
func (g *stage) Kill(ids ...smr.ID) {
	g.t.Helper()
	g.each("Kill", ids, func(i int) { g.fell(i, "it was killed", sim.Fault{Kind: sim.Crash}, "kill %s", g.names[i]) })
}

// Stop stops replicas in order, as Close does: a primary tells the others, who choose another at
// once. They stay down until Restart.
func (g *stage) Stop(ids ...smr.ID) {
	g.t.Helper()
	g.each("Stop", ids, func(i int) {
		g.fell(i, "it was stopped", sim.Fault{Kind: sim.Stop}, "stop %s", g.names[i])
		if g.inside == "" {
			g.until(func() bool { return !g.s.Status(i).Up }, time.Second)
		}
	})
}

// Restart starts replicas on what their disks hold, all that are down if none is named. Those that
// are up are killed first. One that has lost its memory (Wipe, or a disk found damaged) cannot come
// back yet: that fails the test if it is named.
func (g *stage) Restart(ids ...smr.ID) {
	g.t.Helper()
	if len(ids) == 0 {
		for i, id := range g.names {
			if x := g.s.Status(i); !x.Up && !x.Lost {
				ids = append(ids, id)
			}
		}
	}
	for _, id := range ids {
		i := g.host(id)
		if g.s.Status(i).Up {
			g.Kill(id)
		}
		g.fault(sim.Fault{Kind: sim.Start, Host: i}, "start %s", id)
		delete(g.why, i)
	}
}

// Pause has the processes of replicas stand still, as SIGSTOP does, until Resume.
func (g *stage) Pause(ids ...smr.ID) {
	g.t.Helper()
	g.each("Pause", ids, func(i int) { g.fault(sim.Fault{Kind: sim.Pause, Host: i}, "pause %s", g.names[i]) })
}

// Resume ends Pause, of all replicas if none is named.
func (g *stage) Resume(ids ...smr.ID) {
	g.t.Helper()
	for i, id := range g.names {
		if g.s.Status(i).Paused && (len(ids) == 0 || slices.Contains(ids, id)) {
			g.fault(sim.Fault{Kind: sim.Resume, Host: i}, "resume %s", id)
		}
	}
	g.each("Resume", ids, func(int) {})
}

// Suspend has a whole machine stand still for d, and its monotonic clock with it, as a virtual
// machine that is moved. It does not wait.
func (g *stage) Suspend(id smr.ID, d time.Duration) {
	g.t.Helper()
	g.lasting("Suspend", d)
	g.fault(sim.Fault{Kind: sim.Suspend, Host: g.host(id), For: d}, "suspend %s for %v", id, d)
}

// Slow has a replica's process take up to d for each of its turns, as on a busy machine. Zero: it is
// quick again.
func (g *stage) Slow(id smr.ID, d time.Duration) {
	g.t.Helper()
	g.notNegative("Slow", d)
	g.fault(sim.Fault{Kind: sim.SlowTurns, Host: g.host(id), N: int64(d), For: long(d)}, "slow %s by %v a turn", id, d)
}

// Handover has the primary hand its role over to a replica, or to any if to is "", and waits until
// it has.
func (g *stage) Handover(to smr.ID) {
	g.t.Helper()
	was := g.Primary()
	if was == "" {
		g.t.Fatal("smrtest: Handover: there is no primary at this moment")
	}
	f := sim.Fault{Kind: sim.HandOver, Host: g.host(was), To: -1}
	if to != "" {
		f.To = g.host(to)
	}
	if to == was {
		return
	}
	g.fault(f, "hand over from %s to %q", was, to)
	done := func() bool { p := g.leading(); return p >= 0 && p != f.Host && (to == "" || p == f.To) }
	if g.inside == "" && !g.until(done, patience) {
		g.t.Fatal(g.report("%s has not handed over to %q after %v%s", was, to, patience, g.because()))
	}
}

// fell is a fault that takes a replica down.
func (g *stage) fell(i int, why string, f sim.Fault, words string, args ...any) {
	g.t.Helper()
	if g.s.Status(i).Paused {
		g.Resume(g.names[i]) // who is killed is not paused when he starts again
	}
	f.Host, f.Seed = i, g.chance.Uint64()
	g.fault(f, words, args...)
	g.why[i] = fmt.Sprintf("%s at %s", why, at(g.s.Now()))
}

// each calls do for each of the replicas, of which there must be one.
func (g *stage) each(what string, ids []smr.ID, do func(i int)) {
	g.t.Helper()
	if len(ids) == 0 && what != "Resume" {
		g.t.Fatalf("smrtest: %s must be told which replicas", what)
	}
	for _, id := range ids {
		do(g.host(id))
	}
}

// fault lets a fault happen, and writes it down.
func (g *stage) fault(f sim.Fault, words string, args ...any) {
	g.t.Helper()
	defer g.enter()()
	what := fmt.Sprintf(words, args...)
	g.did(what)
	g.calls(what)
	defer g.calls("")
	if err := g.s.Do(f); err != nil {
		g.t.Fatalf("smrtest: cannot %s: %v", what, err)
	}
	g.sound()
}

// long is how long something lasts that lasts until it is set to zero.
func long(d time.Duration) time.Duration {
	if d == 0 {
		return 0
	}
	return 100_000 * time.Hour
}
