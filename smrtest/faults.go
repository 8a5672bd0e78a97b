package smrtest

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/smr-go/smr"
	"github.com/smr-go/smr/internal/sim/fault"
)

// Crash cuts the power of the named replicas, or of all that are up if none is named. Disks may lose or tear writes
// that were not synced. The replicas stay down until Restart. (Fault("crash a") ends only a's process: its disk keeps
// all writes.)
func (g *group) Crash(ids ...smr.ID) {
	g.t.Helper()
	if len(ids) == 0 {
		ids = slices.DeleteFunc(g.Members(), func(id smr.ID) bool { return !g.s.Status(g.host(id)).Up })
	}
	for _, id := range ids {
		g.do(fault.Fault{Kind: fault.PowerCut, Host: g.host(id)}, "crash "+string(id))
	}
}

// CrashPrimary crashes the primary and returns its ID. It waits for a primary, as Primary does.
func (g *group) CrashPrimary() smr.ID {
	g.t.Helper()
	p := g.Primary()
	if p == "" {
		g.t.Fatal("smrtest: CrashPrimary: there is no primary at this moment")
	}
	g.Crash(p)
	return p
}

// Restart starts the named replicas, or all that are down if none is named, on what their disks hold. A replica that is
// up is killed first. A replica that has lost its memory, because its disk was wiped or found damaged, cannot start:
// the test fails if it is named.
func (g *group) Restart(ids ...smr.ID) {
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
			g.do(fault.Fault{Kind: fault.Crash, Host: i}, "kill "+string(id))
		}
		g.do(fault.Fault{Kind: fault.Start, Host: i}, "start "+string(id))
	}
}

// Partition cuts all links between these replicas and the others. A second call divides the sides that the first one
// made: Partition("a") and Partition("b") leave a, b and the rest apart.
func (g *group) Partition(side ...smr.ID) {
	g.t.Helper()
	f := fault.Fault{Kind: fault.Split}
	for _, id := range side {
		f.N |= 1 << g.host(id)
	}
	if err := g.sensible(&f); err != nil {
		g.t.Fatalf("smrtest: Partition: %v", err)
	}
	g.do(f, "cut off "+fault.List(side))
}

// Heal restores the network: all links are whole, fast and lossless again.
func (g *group) Heal() {
	g.t.Helper()
	defer g.enter()()
	g.did("heal the network")
	for i := range g.names {
		if err := g.s.Do(fault.Fault{Kind: fault.Join, Host: i}); err != nil {
			g.t.Fatalf("smrtest: cannot heal: %v", err)
		}
	}
	g.s.Rejoin()
}

// Fault makes one fault happen now. format and args, as of fmt.Sprintf, give a line of a schedule without its time:
//
//	g.Fault("slow-disk %s by 30ms", p)
//	g.Fault("cut a b")
//	g.Fault("fail-sync b n 1")
//
// The package documentation lists the faults. They include all that a failure of [Explore] reports. A fault that is
// misspelt or not possible fails the test. Fault returns at once, except that it waits for a replica to stop (stop) and
// for another primary (hand-over), unless it is called in a function given to On.
//
// rot-log, lost-in-log and misplaced-in-log damage an operation in a log. It must be above the latest snapshot and not
// among the last writes; [Call.Op] is its number. The replica finds the damage when it reads the operation, at its next
// restart at the latest, and then stays out of the group as if its disk were wiped.
func (g *group) Fault(format string, args ...any) {
	g.t.Helper()
	line := fmt.Sprintf(format, args...)
	f, err := fault.Parse("at 0s " + line)
	if err == nil {
		err = f.Check(len(g.names))
	}
	if err == nil {
		err = g.sensible(&f)
	}
	if err != nil {
		g.t.Fatalf("smrtest: Fault(%q): %s", line, strings.TrimPrefix(err.Error(), fmt.Sprintf("%q: ", "at 0s "+line)))
	}
	was := g.leading()
	g.do(f, line)
	if g.inside == "" {
		g.awaitFault(&f, was)
	}
}

// sensible returns an error if a fault would have no effect, or one that the test cannot intend.
func (g *group) sensible(f *fault.Fault) error {
	switch first, last := g.s.Covered(f.Host); {
	case f.Kind.NamesOp() && f.N == 0:
		return fmt.Errorf("%s needs the number of an operation: %[1]s %s n %d", f.Kind, g.names[f.Host], last)
	case f.Kind.NamesOp() && (f.N < int64(first) || f.N > int64(last)):
		return fmt.Errorf("the log of %s holds operations %d to %d for certain, and not %d: earlier ones are in its snapshot; later ones are certain once the replica has been idle for a moment: Run(time.Second)",
			g.names[f.Host], first, last, f.N)
	}
	return f.Sensible(len(g.names))
}

// awaitFault lets time pass until a stop or a handover is complete. was is the primary before the fault.
func (g *group) awaitFault(f *fault.Fault, was int) {
	g.t.Helper()
	switch f.Kind {
	case fault.Stop:
		g.until(func() bool { return !g.s.Status(f.Host).Up }, time.Second)
	case fault.HandOver:
		done := func() bool { p := g.leading(); return p >= 0 && (p == f.To || f.To < 0 && p != was) }
		if f.Host == was && !g.until(done, patience) {
			g.t.Fatal(g.report("%s has not handed over after %v%s", g.names[was], patience, g.because()))
		}
	}
}

// do makes a fault happen. Reports call it words.
func (g *group) do(f fault.Fault, words string) {
	g.t.Helper()
	f.Seed = g.chance.Uint64()
	why := map[fault.Kind]string{fault.PowerCut: "it has crashed", fault.Crash: "it was killed", fault.Stop: "it was stopped"}[f.Kind]
	if g.s.Status(f.Host).Paused && (why != "" || f.Kind == fault.Wipe) {
		g.do(fault.Fault{Kind: fault.Resume, Host: f.Host}, "resume "+string(g.names[f.Host])) // a killed replica is not paused when it starts
	}
	if f.Kind.LosesMemory() {
		g.memoryLost[f.Host] = true
	}
	defer g.enter()()
	g.did(words)
	g.caption(words)
	defer g.caption("")
	if err := g.s.Do(f); err != nil {
		g.t.Fatalf("smrtest: cannot %s: %v", words, err)
	}
	switch {
	case why != "":
		g.why[f.Host] = fmt.Sprintf("%s at %s", why, at(g.s.Now()))
	case f.Kind == fault.Start:
		delete(g.why, f.Host)
	}
	g.mustBeRight()
}
