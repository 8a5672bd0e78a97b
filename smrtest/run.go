package smrtest

import (
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/smr-go/smr"
	"github.com/smr-go/smr/internal/sim"
	"github.com/smr-go/smr/internal/vsr"
)

// group is a Group without its state machine's type.
type group struct {
	t       testing.TB
	s       *sim.Sim
	cfg     Options
	names   []smr.ID
	chance  *rand.Rand
	callers int
	script  []step // what the test did
	inside  string // what the test's function that runs now is called for; time does not pass there

	busy      atomic.Bool    // a goroutine is in the middle of something
	ended     atomic.Bool    // the test has, and all that follows it
	over      bool           // the test is
	recording *sim.Recording // nil: it is not drawn

	why    map[int]string // those that are down are so
	doomed map[int]bool   // may have lost their memory, or find that they have
}

func newGroup(t testing.TB, n int, cfg Options, w *sim.Work) *group {
	t.Helper()
	if n < 1 || n > 7 {
		t.Fatalf("smrtest: a group has 1 to 7 replicas, not %d", n)
	}
	if cfg.Seed == 0 {
		cfg.Seed = 1
	}
	g := &group{t: t, cfg: cfg, chance: rand.New(rand.NewPCG(cfg.Seed, 0)), why: map[int]string{}, doomed: map[int]bool{}}
	for i := range n {
		g.names = append(g.names, smr.ID(sim.Name(i)))
	}
	w.Watch = timedAs(t.Name(), cfg.Seed)
	var err error
	if g.s, err = sim.New(cfg.setup(n), w, g.watch()); err != nil {
		t.Fatalf("smrtest: the state machine: %v", err)
	}
	g.s.Begin()
	t.Cleanup(g.finish)
	if !cfg.Unformed {
		g.Primary()
		g.Settle()
	}
	return g
}

// setup is a calm world in which snapshots, and logs that are cut behind them, are met soon.
func (cfg *Options) setup(n int) *sim.Setup {
	p := sim.Calm(cfg.Seed)
	p.Replicas, p.SnapshotEvery, p.CompareEvery = n, 20, 5
	p.KeepLog, p.SegmentSize = 0, 16<<10
	switch {
	case cfg.SnapshotEvery > 0:
		p.SnapshotEvery = cfg.SnapshotEvery
	case cfg.SnapshotEvery < 0:
		p.SnapshotEvery = 1 << 30
	}
	return p
}

// Run lets d of virtual time pass.
func (g *group) Run(d time.Duration) {
	g.t.Helper()
	g.notNegative("Run", d)
	g.waits("Run")
	defer g.enter()()
	g.s.RunFor(d)
	g.sound()
}

// RunUntil lets virtual time pass until cond holds, for a minute at most, and reports whether it
// does. It is asked after everything that happens, and must not wait itself.
func (g *group) RunUntil(cond func() bool) bool {
	g.t.Helper()
	g.given("RunUntil", "cond", cond != nil)
	g.waits("RunUntil")
	return g.until(func() (held bool) {
		g.within("in the condition of RunUntil", func() { held = cond() })
		return held
	}, patience)
}

// until is RunUntil for this package.
func (g *group) until(cond func() bool, d time.Duration) bool {
	g.t.Helper()
	defer g.enter()()
	held := g.s.RunUntil(cond, d)
	g.sound()
	return held
}

// Now returns the virtual time since the beginning.
func (g *group) Now() time.Duration { return g.s.Now() }

// Members returns the names of all replicas, whether they are up or not.
func (g *group) Members() []smr.ID { return slices.Clone(g.names) }

// Primary returns the primary that a majority follows, once there is one. In a function given to On
// it does not wait: "" is none.
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

// leading returns the primary that a majority follows now; -1: there is none.
func (g *group) leading() int {
	for p := range g.names {
		if x := g.s.Status(p); x.Up && !x.Paused && x.State.Phase == vsr.Primary && g.followers(p, x.State.Head.View) >= sim.Needed(len(g.names)) {
			return p
		}
	}
	return -1
}

// followers counts those who follow a primary in its view and can talk with it, itself included.
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

// talk reports whether two replicas reach each other.
func (g *group) talk(i, j int) bool { return g.s.Reaches(i, j) && g.s.Reaches(j, i) }

// Status returns what a replica is and how far it is: the same that Replica.Status tells.
func (g *group) Status(id smr.ID) smr.Status {
	g.t.Helper()
	defer g.alone()()
	return g.status(g.host(id))
}

func (g *group) status(i int) smr.Status {
	x := g.s.Status(i)
	status := smr.Status{ID: g.names[i], Phase: smr.Stopped, Problem: g.whyDown(i)}
	for _, id := range g.names {
		status.Members = append(status.Members, smr.Member{ID: id, Addr: string(id)})
	}
	if !x.Up {
		return status
	}
	s := &x.State
	status.Phase, status.Problem = smr.Phase(s.Phase.String()), s.Problem
	if s.Phase == vsr.Primary || s.Phase == vsr.Backup {
		status.Phase = smr.Normal
	}
	if s.Primary >= 0 {
		status.Primary = g.names[s.Primary]
	}
	status.Epoch, status.View, status.Snapshot = uint64(s.Head.Epoch), uint64(s.Head.View), uint64(s.Snapshot)
	status.Applied = x.Applied
	status.Commit = max(uint64(s.Commit), x.Applied)
	status.Op = max(uint64(s.Last.Op), x.Applied)
	return status
}

// whyDown says why a replica is down.
func (g *group) whyDown(i int) string {
	switch {
	case g.s.Status(i).Lost:
		return "its memory is lost, and so it stays out of the group"
	case g.why[i] != "":
		return g.why[i]
	case g.cfg.Unformed && g.s.Now() == 0:
		return "it has not started yet"
	}
	return "it has stopped by itself, and starts again within a second"
}

// host returns the place of a replica.
func (g *group) host(id smr.ID) int {
	g.t.Helper()
	i := slices.Index(g.names, id)
	if i < 0 {
		g.t.Fatalf("smrtest: there is no replica %q: the group has %q", id, g.names)
	}
	return i
}

// enter is alone for what makes something happen: it also fails if there is no test any more.
func (g *group) enter() (leave func()) {
	g.t.Helper()
	if g.ended.Load() {
		g.t.Fatalf("smrtest: the group is used after the end of its test %s", g.t.Name())
	}
	return g.alone()
}

// alone fails the test if another goroutine is in the middle of something. The caller calls leave when
// it has done.
func (g *group) alone() (leave func()) {
	g.t.Helper()
	if !g.busy.CompareAndSwap(false, true) {
		g.t.Fatal(twoAtOnce)
	}
	return func() { g.busy.Store(false) }
}

const twoAtOnce = "smrtest: the group is used by two goroutines at once: it is for one, the test's; Client.Start has several calls under way"

// waits fails the test if time cannot pass here.
func (g *group) waits(what string) {
	g.t.Helper()
	if g.inside != "" {
		g.t.Fatalf("smrtest: %s cannot be called %s: time does not pass there", what, g.inside)
	}
}

// given fails the test if a function that must be given is nil.
func (g *group) given(what, argument string, is bool) {
	g.t.Helper()
	if !is {
		g.t.Fatalf("smrtest: %s: %s is nil; give a function", what, argument)
	}
}

// notNegative fails the test if a duration is.
func (g *group) notNegative(what string, d time.Duration) {
	g.t.Helper()
	if d < 0 {
		g.t.Fatalf("smrtest: %s: %v is negative, and time passes in one direction", what, d)
	}
}

// sound fails the test if anything is violated.
func (g *group) sound() {
	g.t.Helper()
	if v := g.s.Violation(); v != nil {
		g.t.Fatal(g.report("%s", explain(v)))
	}
}
