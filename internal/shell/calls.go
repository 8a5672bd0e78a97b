package shell

import (
	"fmt"

	"github.com/smr-go/smr/internal/vsr"
)

// Call is a proposal of a caller at this replica. The loop owns it until it calls Caller.Done; then the caller may use
// it for another proposal.
type Call struct {
	Body   []byte // the core's from the proposal on
	Caller Caller

	number uint64 // in the replica's session; 0 before the core has it
}

// Caller receives the outcome of its call. The loop calls Done once; Done must not call the loop. The session table
// shares the result, so the caller must not change it. Without a result, err is an ErrNotApplied or an ErrUnknown (X4).
type Caller interface {
	Done(result []byte, err error)
}

// Number returns the call's number in the replica's session, 0 if the core never had it.
func (c *Call) Number() uint64 { return c.number }

// calls are the calls that wait. Owned by the loop.
type calls struct {
	loop    *Loop
	waiting numbered[Call]
}

// propose gives a new proposal to the core.
func (c *calls) propose(x *Call) {
	e := &c.loop.memory.propose
	*e = vsr.Propose{Body: x.Body}
	c.loop.step(e)
	e.Body = nil
	if e.Err != nil {
		s := c.loop.core.State()
		x.Caller.Done(nil, c.rejected(e.Err, &s))
		return
	}
	x.number, x.Body = e.Number, nil
	c.waiting.add(x.number, x)
}

// done ends a call with the result of its operation, or with the reason why the result is lost.
func (c *calls) done(r *Result) {
	if x := c.waiting.take(r.Request); x != nil {
		x.Caller.Done(r.Result, noResult(r.Known))
	}
	c.loop.forget(vsr.Forget{Request: r.Request, Size: int64(len(r.Result))})
}

// noResult returns the error of a call whose operation was applied but has no result here; nil if it has one.
func noResult(known vsr.Known) error {
	switch known {
	case vsr.TooLarge:
		return fmt.Errorf("%w: it is larger than %d bytes", ErrNoResult, vsr.SessionWindow)
	case vsr.NotKept:
		return fmt.Errorf("%w: this replica learned of the operation from a snapshot, which has no room for the results of all "+
			"callers that wait", ErrNoResult)
	}
	return nil
}

// rejected returns the error of a call that the core does not accept for that reason.
func (c *calls) rejected(reason error, s *vsr.State) error {
	switch reason { // the others are those of F13
	case vsr.ErrOverloaded:
		return c.congested(fmt.Errorf("%w: %w; try again later, or at another replica", ErrOverloaded, reason))
	case vsr.ErrFull: // the problem says the same
		return Because(ErrNotApplied, reason)
	case vsr.ErrShort: // the problem says the same, and why
		return hindered(ErrNotApplied, s)
	}
	return hindered(Because(ErrNotApplied, reason), s)
}

// congested returns err with the reason why requests wait at this replica, if they do.
func (c *calls) congested(err error) error {
	if why := c.loop.core.Congestion(); why != "" {
		return fmt.Errorf("%w: %s", err, why)
	}
	return err
}

// refused ends a call whose operation was not applied and never will be.
func (c *calls) refused(x vsr.Settled) {
	call := c.waiting.take(x.Request)
	if call == nil {
		return
	}
	s := c.loop.core.State()
	err := c.rejected(x.Err, &s)
	if x.Err == vsr.ErrOverloaded {
		err = hindered(fmt.Errorf("%w: the primary has no room for more; try again later", ErrOverloaded), &s)
	}
	call.Caller.Done(nil, err)
}

// Cancel ends a call that its caller has abandoned, if it still waits (X4).
func (l *Loop) Cancel(x *Call, why error) {
	c, number := &l.calls, x.number
	if number == 0 || c.waiting.get(number) != x {
		return
	}
	s := l.core.State()
	if s.Hindrance() != "" {
		why = hindered(why, &s)
	} else if !l.core.Sent(number) {
		why = c.congested(why)
	}
	c.waiting.take(number).Caller.Done(nil, c.unanswered(number, why))
	l.forget(vsr.Forget{Request: number, Lost: true})
}

// hindered returns err with the reason why calls have to wait, if there is one.
func hindered(err error, s *vsr.State) error {
	if why := s.Hindrance(); why != "" {
		return fmt.Errorf("%w: %s", err, why)
	}
	return err
}

// forget makes the core drop a request whose result is known or no longer wanted (X2).
func (l *Loop) forget(e vsr.Forget) {
	l.memory.forget = e
	l.step(&l.memory.forget)
}

// unanswered returns the error of a call that ends before its outcome is known.
func (c *calls) unanswered(number uint64, why error) error {
	if c.loop.core.Sent(number) {
		return Because(ErrUnknown, why)
	}
	return Because(ErrNotApplied, why)
}

// stop ends all calls because the replica stops.
func (c *calls) stop(why error) {
	for _, number := range c.waiting.numbers() {
		c.waiting.take(number).Caller.Done(nil, c.unanswered(number, why))
	}
}

// follow ends all calls at a replica that is not in its group.
func (c *calls) follow(s *vsr.State) {
	if s.Phase != vsr.Outside || c.waiting.count == 0 {
		return
	}
	why := noState(s)
	for _, number := range c.waiting.numbers() {
		x := c.waiting.take(number)
		x.Caller.Done(nil, c.unanswered(number, why))
		c.loop.forget(vsr.Forget{Request: number, Lost: true})
	}
}

// Callers returns how many callers waited at the beginning of the latest turn or, if more did, wait now.
func (l *Loop) Callers() int { return max(l.callers, l.waiting()) }

func (l *Loop) waiting() int {
	calls, reads := l.Waiting()
	return calls + reads
}

// Waiting returns how many calls and reads wait.
func (l *Loop) Waiting() (calls, reads int) {
	return l.calls.waiting.count, l.reads.unconfirmed.count + len(l.reads.unapplied) + len(l.reads.stateless)
}
