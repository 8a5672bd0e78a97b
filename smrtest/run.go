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

// patience is how long is waited for what should happen soon.
const patience = time.Minute

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
