package smr

import (
	"bytes"
	"context"
	"errors"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// errCallback is the error of calls that a method of the StateMachine makes and that would wait for its own return.
var errCallback = errors.New("called inside Apply, Snapshot, Restore or WriteTo, for whose return it waits: call it in another goroutine, " +
	"and do not wait for that one")

// callbacks knows the goroutines in which a replica calls its StateMachine. Asking for a goroutine's number takes
// microseconds, so only calls ask that are rare or have waited.
type callbacks struct {
	applier, snapshot atomic.Uint64 // 0: none
	alarms            sync.Pool     // *alarm
}

// alarm yields when a call has waited for so long that the StateMachine may have made it. Its zero value never does.
type alarm struct {
	C     <-chan time.Time
	timer *time.Timer
}

// enter records that the calling goroutine calls the StateMachine, in *which.
func (*callbacks) enter(which *atomic.Uint64) { which.Store(goroutine()) }

// runs reports whether the calling goroutine calls the StateMachine.
func (c *callbacks) runs() bool {
	id := goroutine()
	return id == c.applier.Load() || id == c.snapshot.Load()
}

// silent is the alarm of calls that a deadline ends anyway.
var silent = new(alarm)

// late sets the alarm of a call with this context. The call passes it to ended when it returns.
func (c *callbacks) late(ctx context.Context) *alarm {
	if _, ends := ctx.Deadline(); ends {
		return silent
	}
	a, ok := c.alarms.Get().(*alarm)
	if !ok {
		timer := time.NewTimer(time.Second)
		return &alarm{timer.C, timer}
	}
	a.timer.Reset(time.Second)
	return a
}

// ended stops the alarm of a call that returns.
func (c *callbacks) ended(a *alarm) {
	if a != silent {
		a.timer.Stop()
		c.alarms.Put(a)
	}
}

// goroutine returns the number of the calling goroutine, which the runtime shows only at the beginning of a stack trace.
func goroutine() uint64 {
	var b [64]byte
	fields := bytes.Fields(b[:runtime.Stack(b[:], false)])
	id, err := strconv.ParseUint(string(fields[1]), 10, 64)
	if err != nil {
		panic(err) // the format of stack traces has changed; a test fails
	}
	return id
}
