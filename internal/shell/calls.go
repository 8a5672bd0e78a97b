package shell

import (
	"fmt"
	"slices"

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
// shares the result, so the caller must not change it. If there is no result, err is an ErrNotApplied or an ErrUnknown
// (X4).
type Caller interface {
	Done(result []byte, err error)
}

// Number returns the call's number in the replica's session, 0 if the core never had it.
func (c *Call) Number() uint64 { return c.number }

// calls are the calls that wait. Owned by the loop.
type calls struct {
	loop    *Loop
	waiting map[uint64]*Call // by number
}

// propose gives a new proposal to the core.
func (c *calls) propose(x *Call) {
	e := &c.loop.memory.propose
	*e = vsr.Propose{Body: x.Body}
	c.loop.step(e)
	e.Body = nil
	if e.Err != nil {
		x.Caller.Done(nil, fmt.Errorf("%w: %w; try again later, or at another replica", ErrOverloaded, e.Err))
		return
	}
	x.number, x.Body = e.Number, nil
	c.waiting[x.number] = x
}

// take removes the call of that number and returns it; nil if none waits.
func (c *calls) take(number uint64) *Call {
	x := c.waiting[number]
	delete(c.waiting, number)
	return x
}

// done ends a call with the result of its operation.
func (c *calls) done(number uint64, result []byte) {
	if x := c.take(number); x != nil {
		x.Caller.Done(result, nil)
	}
	c.loop.forget(number)
}

// refused ends a call whose operation never was nor will be applied.
func (c *calls) refused(number uint64) {
	if x := c.take(number); x != nil {
		x.Caller.Done(nil, fmt.Errorf("%w: the primary has no room for more; try again later", ErrOverloaded))
	}
}

// Cancel ends a call that its caller gives up, if it still waits (X4).
func (l *Loop) Cancel(x *Call, why error) {
	c, number := &l.calls, x.number
	if number == 0 || c.waiting[number] != x {
		return
	}
	c.take(number).Caller.Done(nil, c.unanswered(number, why))
	l.forget(number)
}

// forget makes the core drop a request whose result is known or no longer wanted (X2).
func (l *Loop) forget(number uint64) {
	l.memory.forget.Request = number
	l.step(&l.memory.forget)
}

// unanswered returns the error of a call that ends before its outcome is known.
func (c *calls) unanswered(number uint64, why error) error {
	if c.loop.core.Sent(number) {
		return Because(ErrUnknown, why)
	}
	return Because(ErrNotApplied, fmt.Errorf("%w before a primary was found", why))
}

// numbers returns those of the calls that wait, rising.
func (c *calls) numbers() []uint64 {
	n := make([]uint64, 0, len(c.waiting))
	for number := range c.waiting {
		n = append(n, number)
	}
	slices.Sort(n)
	return n
}

// stop ends all calls because the replica stops.
func (c *calls) stop(why error) {
	for _, number := range c.numbers() {
		c.take(number).Caller.Done(nil, c.unanswered(number, why))
	}
}

// Waiting returns how many calls and reads wait.
func (l *Loop) Waiting() (calls, reads int) {
	return len(l.calls.waiting), len(l.reads.unconfirmed) + len(l.reads.unapplied)
}
