package smrtest

import (
	"time"

	"github.com/smr-go/smr/internal/sim"
)

// Run lets d of virtual time pass.
func (g *group) Run(d time.Duration) {
	g.t.Helper()
	g.notNegative("Run", d)
	g.waits("Run")
	defer g.enter()()
	g.s.RunFor(d)
	g.sound()
}

// RunUntil lets virtual time pass until cond returns true, for at most a minute, and reports whether it
// did. cond is called after every event and must not wait.
func (g *group) RunUntil(cond func() bool) bool {
	g.t.Helper()
	g.given("RunUntil", "cond", cond != nil)
	g.waits("RunUntil")
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
	g.sound()
	return held
}

// Now returns the virtual time since the group was made.
func (g *group) Now() time.Duration { return g.s.Now() }

// patience is the time that anything expected to happen soon may take.
const patience = time.Minute

// Settle lets virtual time pass until all replicas that are up have applied the same operations, have
// equal states, and no call is pending. If that takes longer than a minute the test fails with the
// causes that are known, such as a link that is still cut.
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

// finish ends all faults at the end of a test that has not failed. The replicas must then agree again,
// unless more of them lost their memory than the group survives.
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
	g.did("the test is over: all faults end, and all replicas that are down start")
	g.s.Settle()
	g.sound()
}
