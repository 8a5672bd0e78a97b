package smr

import (
	"runtime"
	"time"
)

// gathering lets the inputs of many callers share a turn of the loop. The Go scheduler runs a goroutine that was woken
// ahead of those that have been ready to run for longer. Callers that were answered together, and add their next inputs
// one after another, would therefore have a turn for each: the first of them wakes the loop.
type gathering struct {
	rest  time.Duration // the rest after the latest yield, in multiples of what that took; 0: it was quick
	after time.Time     // when the loop may yield again
}

const (
	// yieldLimit is how long a yield may take. A thousand callers that are ready take about a millisecond. A program,
	// or a machine, that has much else to run takes longer.
	yieldLimit = 5 * time.Millisecond
	// The least and the most of rest. It doubles with each yield that takes too long, so that a program that is always
	// busy delays the loop hardly ever, and one interruption by the system has no lasting effect.
	leastRest, mostRest = 4, 1024
)

// yield runs other goroutines that are ready to run before the loop goes on.
func (g *gathering) yield() {
	began := time.Now()
	if began.Before(g.after) {
		return
	}
	runtime.Gosched()
	g.took(began, time.Since(began))
}

// took records how long a yield took.
func (g *gathering) took(began time.Time, long time.Duration) {
	if long <= yieldLimit {
		g.rest = 0
		return
	}
	g.rest = min(max(2*g.rest, leastRest), mostRest)
	g.after = began.Add(g.rest * long)
}
