package smrtest

import "time"

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

// within calls a function of the test's in the middle of the run, which may use the group.
func (g *group) within(where string, do func()) {
	was, busy := g.inside, g.busy.Swap(false)
	g.inside = where
	do()
	g.inside = was
	if busy && !g.busy.CompareAndSwap(false, true) {
		g.t.Fatal(twoAtOnce)
	}
}

// sound fails the test if anything is violated.
func (g *group) sound() {
	g.t.Helper()
	if v := g.s.Violation(); v != nil {
		g.t.Fatal(g.report("%s", explain(v)))
	}
}
