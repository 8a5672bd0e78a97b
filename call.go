package smr

import (
	"context"
	"fmt"
	"slices"
	"time"

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
// until a quorum is back. It copies body, and the caller owns the result. Concurrent calls are not
// ordered; to order two operations, wait for the first to return.
//
// The error is an ErrNotApplied if the operation was not applied and never will be; ErrOverloaded,
// ErrTooLarge and the errors of full disks, of this replica or of too many members, are of this kind.
// It is an ErrUnknown if ctx ended or the replica stopped before the outcome was known, or, as
// ErrNoResult, if the operation was applied and its result is lost.
func (r *Replica) Propose(ctx context.Context, body []byte) (result []byte, err error) {
	if len(body) > r.cfg.MaxOpSize {
		return nil, fmt.Errorf("%w: %d bytes, the limit is %d (Config.MaxOpSize)", ErrTooLarge, len(body), r.cfg.MaxOpSize)
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotApplied, err)
	}
	c := r.spare.Get().(*call)
	c.Call = shell.Call{Body: slices.Clone(body), Caller: c}
	in, err := r.shell.Propose(&c.Call)
	if err != nil && !r.stopping() {
		return nil, err
	}
	if err != nil || !r.inbox.Add(in) {
		return nil, shell.Because(ErrNotApplied, r.whyClosed())
	}
	late := r.callbacks.late(ctx)
	defer r.callbacks.ended(late)
	for {
		select {
		case o := <-c.outcome:
			r.spare.Put(c)                       // the loop no longer holds it
			return slices.Clone(o.result), o.err // the session table holds the result too
		case <-ctx.Done():
			return r.cancel(c, ctx.Err())
		case <-late.C:
			if r.callbacks.runs() {
				return r.cancel(c, errCallback)
			}
		}
	}
}

// answerLimit is how long a call whose context has ended waits until the loop reports the outcome.
const answerLimit = 250 * time.Millisecond

// cancel cancels a call with the reason why, and returns its outcome. The loop answers every call, at the latest when it
// ends, unless it hangs.
func (r *Replica) cancel(c *call, why error) (result []byte, err error) {
	r.do(func(l *shell.Loop) { l.Cancel(&c.Call, why) })
	limit := time.NewTimer(answerLimit)
	defer limit.Stop()
	select {
	case o := <-c.outcome:
		return slices.Clone(o.result), o.err
	case <-limit.C:
		return nil, shell.Because(ErrUnknown, fmt.Errorf("%w, and the protocol loop does not answer: is a call of "+
			"Config.Transport or Config.Detector stuck, or the machine overloaded?", why))
	}
}
