package smr

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
)

// routine is what a goroutine of a replica does.
type routine int

const (
	theLoop routine = iota
	theApplier
	theDisk // reads or writes Config.Dir
	theSnapshot
	theTransport // closes Config.Transport
	routines
)

// busy counts the goroutines that Close waits for.
type busy struct {
	sync.WaitGroup
	running [routines]atomic.Int32
}

// run runs f in a goroutine.
func (b *busy) run(what routine, f func()) {
	b.Go(func() { b.do(what, f) })
}

// do runs f, and counts it as running until f returns.
func (b *busy) do(what routine, f func()) {
	b.running[what].Add(1)
	defer b.running[what].Add(-1)
	f()
}

// remains returns what does not end although the replica stops, for an error of Close.
func (r *Replica) remains() string {
	var all []string
	for what, text := range [routines]string{
		theLoop:      "a call of Config.Transport.Send or of Config.Detector has not returned",
		theApplier:   r.shell.Applier.Doing() + " has not returned",
		theDisk:      fmt.Sprintf("a read or write of Config.Dir, %q, has not ended", r.cfg.Dir),
		theSnapshot:  r.shell.WritingSnapshot() + " has not returned",
		theTransport: "Config.Transport.Close has not returned",
	} {
		if r.busy.running[what].Load() > 0 {
			all = append(all, text)
		}
	}
	return strings.Join(all, ", and ")
}
