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
// are not applied until it returns. If Read returns an error, f was not called: the error wraps that of
// ctx, or is ErrClosed if the replica has stopped.
func (r *Replica) Read(ctx context.Context, level ReadLevel, f func()) error {
	if err := r.await(ctx, level); err != nil {
		return err
	}
	r.state.RLock()
	defer r.state.RUnlock()
	if r.shell.Applier.Failure() != nil || r.stopping() {
		return ErrClosed
	}
	f()
	return nil
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
	w := &waiter{Read: read, ready: make(chan struct{})}
	w.Reader = w
	if !r.do(func(l *shell.Loop) { l.Read(&w.Read) }) {
		return ErrClosed
	}
	select {
	case <-w.ready:
		return nil
	case <-ctx.Done():
		r.do(func(l *shell.Loop) { l.CancelRead(&w.Read) })
		return fmt.Errorf("smr: not read: %w before %s", ctx.Err(), level.wanted())
	case <-r.stop:
		return ErrClosed
	}
}

// wanted describes the state that a read waits for.
func (l ReadLevel) wanted() string {
	if l.kind == readAtLeast {
		return fmt.Sprintf("op %d was applied here", l.op)
	}
	return "a quorum confirmed the read"
}

// waiter is a caller of Read that waits.
type waiter struct {
	shell.Read
	ready chan struct{} // closed when f may run
}

// Ready implements shell.Reader.
func (w *waiter) Ready() { close(w.ready) }
