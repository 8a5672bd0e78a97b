package smrtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/smr-go/smr"
	"github.com/smr-go/smr/internal/seam"
	"github.com/smr-go/smr/internal/sim"
)

// Client calls the replicas of a group and waits in virtual time. Like the group it belongs to the test's goroutine.
type Client[M smr.StateMachine] struct {
	// Patience is the time that a call may take: one minute unless the test changes it.
	Patience time.Duration

	g      *Group[M]
	at     int
	stays  bool // the client uses no other replica
	number int
}

// Propose proposes an operation once and returns its result. It returns the errors of smr.Replica.Propose:
// smr.ErrNotApplied if the operation was not applied and never will be, and smr.ErrUnknown if the replica went down, or
// Patience ran out, before the outcome was known.
func (c *Client[M]) Propose(body []byte) (result []byte, err error) {
	c.g.t.Helper()
	return c.Start(body).Wait()
}

// MustPropose proposes an operation and returns its result. While the error is smr.ErrNotApplied it tries again. If the
// outcome is unknown, or Patience runs out, the test fails.
func (c *Client[M]) MustPropose(body []byte) (result []byte) {
	g := c.g
	g.t.Helper()
	for end := g.Now() + c.Patience; ; g.Run(retry) {
		call := c.Start(body)
		call.end = end
		result, err := call.Wait()
		switch {
		case err == nil:
			return result
		case g.Now() >= end, !errors.Is(err, smr.ErrNotApplied), errors.Is(err, smr.ErrTooLarge):
			g.t.Fatal(g.report("MustPropose(%s): %v%s", g.describe(body), err, g.because()))
		}
	}
}

// retry is the time between two attempts of a call.
const retry = 50 * time.Millisecond

// Start proposes an operation and returns at once, so that the test can go on before the answer.
func (c *Client[M]) Start(body []byte) *Call {
	g := c.g
	g.t.Helper()
	defer g.enter()()
	call := &Call{g: g.group, body: append([]byte{}, body...), end: g.Now() + c.Patience}
	c.choose()
	call.at = c.at
	g.script = append(g.script, step{g.Now(), g.inside, call.String})
	if len(body) > maxOpSize {
		call.refused = fmt.Errorf("%w: %d bytes, the limit is %d (Config.MaxOpSize)", smr.ErrTooLarge, len(body), maxOpSize)
		return call
	}
	call.x = g.s.Call(c.at, c.number, sim.Operation{Name: "propose", Body: call.body, Describe: g.cfg.Describe})
	if call.x == nil {
		call.refused = fmt.Errorf("%w: %w: %s is down", smr.ErrNotApplied, smr.ErrClosed, g.names[c.at])
	}
	return call
}

// maxOpSize is the default of smr.Config.MaxOpSize.
const maxOpSize = 1 << 20

// choose moves the client to a replica that serves, or else to one that is up, unless its present replica is as good.
func (c *Client[M]) choose() {
	for _, good := range []func(i int) bool{c.g.serves, func(i int) bool { return c.g.s.Status(i).Up }} {
		for i := range c.g.names {
			if next := (c.at + i) % len(c.g.names); !c.stays && good(next) {
				c.at = next
				return
			}
		}
	}
}

// serves reports whether a replica is healthy and reaches enough healthy replicas for a quorum.
func (g *group) serves(i int) bool {
	n := 0
	for j := range g.names {
		if g.healthy(j) && g.talk(i, j) {
			n++
		}
	}
	return g.healthy(i) && n >= sim.Needed(len(g.names))
}

// healthy reports whether a replica is up, not paused, and ready as far as it knows.
func (g *group) healthy(i int) bool {
	x := g.s.Status(i)
	return x.Up && !x.Lost && !x.Paused && x.Ready
}

// Read calls f with a state that is as fresh as level requires. An error means that f was not called: it is
// smr.ErrClosed if the replica is or went down, smr.ErrNoState if it is not in its group, and context.DeadlineExceeded if
// Patience ran out. f must neither change the state nor wait.
func (c *Client[M]) Read(level smr.ReadLevel, f func(m M)) error {
	g := c.g
	g.t.Helper()
	g.mayWait("Read")
	g.needs("Read", "f", f != nil)
	c.choose()
	over := false
	o := sim.Operation{Name: "read", Read: func(m smr.StateMachine) any {
		if !over {
			g.within("in a function given to Read", func() { f(m.(M)) })
		}
		return nil
	}}
	o.Stale, o.Least = level != smr.Linearizable, seam.LevelOp(level)
	leave := g.enter()
	x := g.s.Call(c.at, c.number, o)
	leave()
	if x == nil {
		return fmt.Errorf("%w: %s is down", smr.ErrClosed, g.names[c.at])
	}
	answered := g.until(func() bool { return x.Outcome != sim.Pending }, c.Patience)
	over = true
	switch {
	case !answered:
		g.cancel(x)
		return fmt.Errorf("smr: not read at %s in %v: %w", g.names[c.at], c.Patience, context.DeadlineExceeded)
	case x.Err != nil:
		return x.Err
	case x.Outcome != sim.Answered:
		return fmt.Errorf("%w: %s went down", smr.ErrClosed, g.names[c.at])
	}
	return nil
}

// MustRead is Read, except that it tries again while replicas are down, and fails the test if Patience runs out.
func (c *Client[M]) MustRead(level smr.ReadLevel, f func(m M)) {
	g := c.g
	g.t.Helper()
	for end := g.Now() + c.Patience; ; g.Run(retry) {
		err := c.Read(level, f)
		if err == nil {
			return
		}
		if g.Now() >= end || !errors.Is(err, smr.ErrClosed) && !errors.Is(err, smr.ErrNoState) {
			g.t.Fatal(g.report("MustRead: %v%s", err, g.because()))
		}
	}
}

// Call is a proposal that Client.Start made. Its outcome may not be known yet.
type Call struct {
	g       *group
	x       *sim.Call // nil: the proposal was refused at once
	at      int
	body    []byte
	end     time.Duration // virtual time at which Patience runs out
	gaveUp  bool          // Patience ran out
	refused error
}

// Done reports whether the outcome is known.
func (c *Call) Done() bool { return c.x == nil || c.x.Outcome != sim.Pending }

// Wait waits for the outcome and returns as Client.Propose does. When the client's Patience, counted from Start, runs
// out, it gives the call up.
func (c *Call) Wait() (result []byte, err error) {
	g := c.g
	g.t.Helper()
	g.mayWait("Wait")
	if !c.Done() && !g.until(c.Done, max(c.end-g.Now(), 0)) {
		c.gaveUp = true
		g.cancel(c.x)
		g.until(c.Done, time.Second) // unless it is paused
	}
	return c.outcome()
}

// cancel ends a call as a caller's context does.
func (g *group) cancel(x *sim.Call) {
	g.t.Helper()
	defer g.enter()()
	g.s.Cancel(x)
}

// outcome returns the result of a call that is done or was given up.
func (c *Call) outcome() (result []byte, err error) {
	at, late := c.g.names[c.at], context.DeadlineExceeded
	switch {
	case c.x == nil:
		return nil, c.refused
	case c.x.Outcome == sim.Answered:
		return bytes.Clone(c.x.Result), nil
	case c.x.Outcome == sim.NotApplied && c.gaveUp:
		return nil, fmt.Errorf("%w: %w before %s found a primary", smr.ErrNotApplied, late, at)
	case c.x.Outcome == sim.NotApplied:
		return nil, c.x.Err
	case c.gaveUp:
		return nil, fmt.Errorf("%w: %w before %s learned the outcome", smr.ErrUnknown, late, at)
	}
	return nil, fmt.Errorf("%w: %w: %s went down before it learned the outcome", smr.ErrUnknown, smr.ErrClosed, at)
}

// Op returns the operation's number, smr.Op.Number, once there is a result, and 0 before.
func (c *Call) Op() uint64 {
	if c.x == nil {
		return 0
	}
	return c.x.At
}

// String returns the proposal and its outcome in one line.
func (c *Call) String() string {
	what := fmt.Sprintf("propose %s at %s", c.g.describe(c.body), c.g.names[c.at])
	if !c.Done() && !c.gaveUp {
		return what + ": no answer yet"
	}
	result, err := c.outcome()
	if err != nil {
		return what + ": " + err.Error()
	}
	return what + ": " + quote(result)
}
