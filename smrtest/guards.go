package smrtest

import "time"

// enter is alone for methods that change the group: it also fails if the test has ended.
func (g *group) enter() (leave func()) {
	g.t.Helper()
	if g.ended.Load() {
		g.t.Fatalf("smrtest: the group is used after the end of its test %s", g.t.Name())
	}
	return g.alone()
}

// alone fails the test if another goroutine is in a method. The caller must call leave when it is done.
func (g *group) alone() (leave func()) {
	g.t.Helper()
	if !g.busy.CompareAndSwap(false, true) {
		g.t.Fatal(twoAtOnce)
	}
	return func() { g.busy.Store(false) }
}

const twoAtOnce = "smrtest: two goroutines use the group at once; only the test's goroutine may. For concurrent calls use Client.Start"

// waits fails the test if the caller is a callback, where time cannot pass.
func (g *group) waits(what string) {
	g.t.Helper()
	if g.inside != "" {
		g.t.Fatalf("smrtest: %s cannot be called %s: time does not pass there", what, g.inside)
	}
}

// given fails the test if a required function is nil.
func (g *group) given(what, argument string, is bool) {
	g.t.Helper()
	if !is {
		g.t.Fatalf("smrtest: %s: %s is nil; give a function", what, argument)
	}
}

// notNegative fails the test if a duration is negative.
func (g *group) notNegative(what string, d time.Duration) {
	g.t.Helper()
	if d < 0 {
		g.t.Fatalf("smrtest: %s: %v is negative; time does not pass backwards", what, d)
	}
}

// within calls a callback of the test, which may use the group.
func (g *group) within(where string, do func()) {
	was, busy := g.inside, g.busy.Swap(false)
	g.inside = where
	do()
	g.inside = was
	if busy && !g.busy.CompareAndSwap(false, true) {
		g.t.Fatal(twoAtOnce)
	}
}

// sound fails the test if the simulator has found a violation.
func (g *group) sound() {
	g.t.Helper()
	if v := g.s.Violation(); v != nil {
		g.t.Fatal(g.report("%s", explain(v)))
	}
}
