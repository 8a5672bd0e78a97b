package smr

import (
	"context"
	"fmt"
	"slices"

	"github.com/smr-go/smr/internal/vsr"
)

// call is a caller of Propose who waits. The loop owns it until it has sent the outcome.
type call struct {
	body    []byte
	number  uint64 // in the replica's session
	outcome chan outcome
}

type outcome struct {
	result []byte
	err    error
}

// Propose has the operation applied on all replicas, once, and returns its result as this
// replica's state machine gave it: when Propose has returned, this replica has applied it. Any
// replica takes proposals; if it is not primary it forwards them, and sends them again until the
// outcome is known. Without a deadline that takes as long as it takes. It copies body, and the
// result is the caller's. One caller's proposals are ordered by his waiting for each.
//
// Errors: ErrNotApplied (with ErrOverloaded and ErrTooLarge) if the operation was not applied and
// never will be, ErrUnknown if ctx ended or the replica stopped before the outcome was known.
func (r *Replica) Propose(ctx context.Context, body []byte) (result []byte, err error) {
	if len(body) > r.cfg.MaxOpSize {
		return nil, fmt.Errorf("%w: %d bytes, the limit is %d (Config.MaxOpSize)", ErrTooLarge, len(body), r.cfg.MaxOpSize)
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotApplied, err)
	}
	c := r.spare.Get().(*call)
	c.body, c.number = slices.Clone(body), 0
	if !r.inbox.put(event{call: c, size: len(body) + 1}, int(r.cfg.Window)) {
		return nil, r.refusedAtDoor()
	}
	select {
	case o := <-c.outcome:
		r.spare.Put(c)                       // nobody else has it any more
		return slices.Clone(o.result), o.err // the session table keeps it too
	case <-ctx.Done():
	}
	r.inbox.do(func() { r.calls.cancel(c, ctx.Err()) })
	o := <-c.outcome // the loop answers every call, when it ends at the latest
	return slices.Clone(o.result), o.err
}

// refusedAtDoor says why the inbox took nothing.
func (r *Replica) refusedAtDoor() error {
	if r.stopping() {
		return fmt.Errorf("%w: %w", ErrNotApplied, r.whyClosed())
	}
	return fmt.Errorf("%w: %d bytes of messages and proposals wait already (Config.Window)", ErrOverloaded, r.cfg.Window)
}

// calls are the callers of Propose that wait, by number. Owned by the loop.
type calls struct {
	core    *core
	waiting map[uint64]*call
}

// propose gives a new proposal to the core.
func (c *calls) propose(x *call) {
	p := vsr.Propose{Body: x.body}
	c.core.Step(c.core.now, &p)
	if p.Err != nil {
		x.outcome <- outcome{err: fmt.Errorf("%w: %w; try again later, or at another replica", ErrOverloaded, p.Err)}
		return
	}
	x.number = p.Number
	x.body = nil
	c.waiting[x.number] = x
}

// done ends a call with the result of its operation.
func (c *calls) done(number uint64, result []byte) {
	if x := c.waiting[number]; x != nil {
		delete(c.waiting, number)
		x.outcome <- outcome{result: result}
	}
	c.core.Step(c.core.now, &vsr.Forget{Request: number})
}

// refused ends a call whose operation never was nor will be applied.
func (c *calls) refused(number uint64) {
	if x := c.waiting[number]; x != nil {
		delete(c.waiting, number)
		x.outcome <- outcome{err: fmt.Errorf("%w: the primary has no room for more; try again later", ErrOverloaded)}
	}
}

// cancel ends a call whose context has ended, if it still waits (X4).
func (c *calls) cancel(x *call, why error) {
	if x.number == 0 || c.waiting[x.number] != x {
		return
	}
	delete(c.waiting, x.number)
	x.outcome <- outcome{err: c.unanswered(x.number, why)}
	c.core.Step(c.core.now, &vsr.Forget{Request: x.number})
}

// unanswered is the error of a call that ends before its outcome is known.
func (c *calls) unanswered(number uint64, why error) error {
	if c.core.Sent(number) {
		return fmt.Errorf("%w: %w", ErrUnknown, why)
	}
	return fmt.Errorf("%w: %w before a primary was found", ErrNotApplied, why)
}

// numbers returns those of the calls that wait.
func (c *calls) numbers() []uint64 {
	var n []uint64
	for number := range c.waiting {
		n = append(n, number)
	}
	return n
}

// end ends all calls because the replica stops.
func (c *calls) end(why error) {
	for number, x := range c.waiting {
		x.outcome <- outcome{err: c.unanswered(number, why)}
	}
	clear(c.waiting)
}
