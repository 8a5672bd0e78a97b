package smr

import (
	"bytes"
	"context"
	"errors"
	"runtime"
	"strconv"
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
}

// enter records that the calling goroutine calls the StateMachine, in *which.
func (*callbacks) enter(which *atomic.Uint64) { which.Store(goroutine()) }

// runs reports whether the calling goroutine calls the StateMachine.
func (c *callbacks) runs() bool {
	id := goroutine()
	return id == c.applier.Load() || id == c.snapshot.Load()
}

// late returns a channel that yields when a call with this context has waited for so long that it may be made by the
// StateMachine; nil if a deadline ends the call anyway.
func (*callbacks) late(ctx context.Context) <-chan time.Time {
	if _, ends := ctx.Deadline(); ends {
		return nil
	}
	return time.After(time.Second)
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
