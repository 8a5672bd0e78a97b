package smr

import (
	"context"
	"fmt"

	"github.com/smr-go/smr/internal/shell"
	"github.com/smr-go/smr/internal/vsr"
)

// Read calls f, in the caller's goroutine, once the state is as recent as level demands, and returns
// when f has returned. Apply, Snapshot and Restore do not run while f runs, but other functions given
// to Read may: f must not change the state or call the replica. It should be short, because operations
// are not applied until it returns. Read stops waiting when
// ctx ends or the replica stops. If it returns an error, f was not called: the error wraps that of ctx,
// or is ErrClosed if the replica has stopped, or ErrNoState if the replica is not in its group.
func (r *Replica) Read(ctx context.Context, level ReadLevel, f func()) error {
	if err := r.await(ctx, level); err != nil {
		return err
	}
	if err := r.lockState(ctx); err != nil {
		return err
	}
	defer r.state.RUnlock()
	if r.shell.Applier.Failure() != nil || r.stopping() {
		return ErrClosed
	}
	f()
	return nil
}

// lockState locks the state for a reader.
func (r *Replica) lockState(ctx context.Context) error {
	switch {
	case r.state.TryRLock():
		return nil
	case r.callbacks.runs():
		return fmt.Errorf("smr: not read: Read was %w", errCallback)
	case r.state.RLock(ctx, r.stop):
		return nil
	case r.stopping():
		return ErrClosed
	}
	return fmt.Errorf("smr: not read: %w before the state machine or a long Read released the state", ctx.Err())
}

// await returns when the state is as recent as level demands.
func (r *Replica) await(ctx context.Context, level ReadLevel) error {
	if r.stopping() {
		return ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("smr: not read: %w", err)
	}
	read := shell.Read{AtLeast: vsr.OpNumber(level.op), Linearizable: level.kind == readLinearizable}
	if read.Runs(vsr.OpNumber(r.state.applied.Load())) {
		return nil
	}
	w := r.spareWaiters.Get().(*waiter)
	w.Read = read
	w.Reader = w
	if !r.inbox.Add(shell.Input{Read: &w.Read}) {
		return ErrClosed
	}
	late := r.callbacks.late(ctx)
	defer r.callbacks.ended(late)
	for {
		select {
		case err := <-w.ready:
			r.spareWaiters.Put(w) // the loop no longer holds it
			return err
		case <-ctx.Done():
			r.cancelRead(w)
			return fmt.Errorf("smr: not read: %w before %s%s", ctx.Err(), level.wanted(), r.status.hindrance())
		case <-late.C:
			if r.callbacks.runs() {
				r.cancelRead(w)
				return fmt.Errorf("smr: not read: Read was %w", errCallback)
			}
		case <-r.stop:
			return ErrClosed
		}
	}
}

// cancelRead makes the loop forget a read.
func (r *Replica) cancelRead(w *waiter) {
	r.do(func(l *shell.Loop) { l.CancelRead(&w.Read) })
}

// wanted describes the state that a read waits for.
func (l ReadLevel) wanted() string {
	switch l.kind {
	case readAtLeast:
		return fmt.Sprintf("op %d was applied here", l.op)
	case readLocal:
		return "this replica had a state of a group"
	}
	return "a quorum confirmed the read"
}

// waiter is a caller of Read that waits.
type waiter struct {
	shell.Read
	ready chan error // why f may not run; nil if it may
}

func newWaiter() any { return &waiter{ready: make(chan error, 1)} }

// Ready implements shell.Reader.
func (w *waiter) Ready(err error) { w.ready <- err }
