package smr

import (
	"context"
	"fmt"
	"slices"

	"github.com/smr-go/smr/internal/vsr"
)

// Read runs f in the caller's goroutine when the state is as fresh as level asks for. No Apply,
// Snapshot or Restore runs meanwhile, but other readers may: f must not change the state, should
// be short, since applying waits for it, and must not call the replica. The error says that f was
// not run: ctx ended, or the replica has stopped (ErrClosed).
func (r *Replica) Read(ctx context.Context, level ReadLevel, f func()) error {
	if err := r.await(ctx, level); err != nil {
		return err
	}
	r.machine.RLock()
	defer r.machine.RUnlock()
	if r.machine.failure != nil || r.stopping() {
		return ErrClosed
	}
	f()
	return nil
}

// await returns when the state is as fresh as level asks for.
func (r *Replica) await(ctx context.Context, level ReadLevel) error {
	if r.stopping() {
		return ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("smr: not read: %w", err)
	}
	if level.kind == readLocal || level.kind == readAtLeast && r.machine.applied.Load() >= level.op {
		return nil
	}
	w := &waiter{ready: make(chan struct{})}
	if !r.inbox.do(func() { r.readers.add(w, level) }) {
		return ErrClosed
	}
	select {
	case <-w.ready:
		return nil
	case <-ctx.Done():
		r.inbox.do(func() { r.readers.cancel(w) })
		return fmt.Errorf("smr: not read: %w before %s", ctx.Err(), level.wanted())
	case <-r.stop:
		return ErrClosed
	}
}

// wanted says what a read waits for.
func (l ReadLevel) wanted() string {
	if l.kind == readAtLeast {
		return fmt.Sprintf("op %d was applied here", l.op)
	}
	return "a quorum confirmed the read"
}

// waiter is a caller of Read who waits.
type waiter struct {
	ready chan struct{} // closed when f may run
	read  uint64        // the core's number; 0 if it is not linearizable
	op    vsr.OpNumber  // to be applied first, once known
}

// readers are the callers of Read that wait. Owned by the loop.
type readers struct {
	core      *core
	confirmed map[uint64]*waiter // linearizable, not confirmed yet, by the core's number
	applied   []*waiter          // wait until their op is applied
}

func (q *readers) add(w *waiter, level ReadLevel) {
	if level.kind == readLinearizable {
		var read vsr.Read
		q.core.Step(q.core.now, &read)
		w.read = read.Number
		q.confirmed[w.read] = w
		return
	}
	w.op = vsr.OpNumber(level.op)
	q.waitFor(w)
}

// ready takes the core's word that a read may run once op is applied (R1).
func (q *readers) ready(x vsr.ReadReady) {
	if w := q.confirmed[x.Read]; w != nil {
		delete(q.confirmed, x.Read)
		w.op = x.Op
		q.waitFor(w)
	}
}

func (q *readers) waitFor(w *waiter) {
	if w.op <= q.core.appliedOp {
		close(w.ready)
		return
	}
	q.applied = append(q.applied, w)
}

// advance lets those go whose op has been applied.
func (q *readers) advance() {
	q.applied = slices.DeleteFunc(q.applied, func(w *waiter) bool {
		if w.op > q.core.appliedOp {
			return false
		}
		close(w.ready)
		return true
	})
}

// cancel forgets a caller whose context has ended.
func (q *readers) cancel(w *waiter) {
	if q.confirmed[w.read] == w {
		delete(q.confirmed, w.read)
		q.core.Step(q.core.now, &vsr.ForgetRead{Read: w.read})
		return
	}
	q.applied = slices.DeleteFunc(q.applied, func(x *waiter) bool { return x == w })
}
