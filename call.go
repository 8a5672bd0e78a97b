package smr

import (
	"context"
	"fmt"
	"slices"

	"github.com/smr-go/smr/internal/shell"
)

// call is a caller of Propose that waits.
type call struct {
	shell.Call
	outcome chan outcome
}

type outcome struct {
	result []byte
	err    error
}

// Done implements shell.Caller.
func (c *call) Done(result []byte, err error) { c.outcome <- outcome{result, err} }

func newCall() any { return &call{outcome: make(chan outcome, 1)} }

// Propose submits an operation to the group, waits until this replica has applied it, and returns the
// result that this replica's state machine returned. Every replica applies the operation exactly once.
// Propose may be called on any replica: a replica that is not the primary forwards the operation, and
// resends it until the outcome is known. If ctx has no deadline and there is no quorum, Propose waits
// until there is one. It copies body, and the caller owns the result. Concurrent calls are not ordered;
// to order two operations, wait for the first to return.
//
// The error is an ErrNotApplied if the operation was not applied and never will be; ErrOverloaded,
// ErrTooLarge and the error of a replica whose disk is full are of this kind. It is an ErrUnknown if ctx
// ended or the replica stopped before the outcome was known.
func (r *Replica) Propose(ctx context.Context, body []byte) (result []byte, err error) {
	if len(body) > r.cfg.MaxOpSize {
		return nil, fmt.Errorf("%w: %d bytes, the limit is %d (Config.MaxOpSize)", ErrTooLarge, len(body), r.cfg.MaxOpSize)
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotApplied, err)
	}
	c := r.spare.Get().(*call)
	c.Call = shell.Call{Body: slices.Clone(body), Caller: c}
	size := len(body) + 1 // which may exceed Window, if no more than Window waits already
	if !r.inbox.Put(shell.Input{Call: &c.Call}, size, r.cfg.Window+int64(size)) {
		return nil, r.refusedAtDoor()
	}
	select {
	case o := <-c.outcome:
		r.spare.Put(c)                       // the loop no longer holds it
		return slices.Clone(o.result), o.err // the session table holds the result too
	case <-ctx.Done():
	}
	r.do(func(l *shell.Loop) { l.Cancel(&c.Call, ctx.Err()) })
	o := <-c.outcome // the loop answers every call, at the latest when it ends
	return slices.Clone(o.result), o.err
}

// refusedAtDoor returns the reason why the inbox did not accept a proposal.
func (r *Replica) refusedAtDoor() error {
	if r.stopping() {
		return shell.Because(ErrNotApplied, r.whyClosed())
	}
	return fmt.Errorf("%w: messages and proposals that wait exceed %d bytes (Config.Window); try again later", ErrOverloaded, r.cfg.Window)
}
