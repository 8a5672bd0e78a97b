package sim

import (
	"time"
)

// client is a caller at one member: it does one thing at a time, waits for its outcome, thinks,
// and goes on.
type client struct {
	s      *Sim
	at     *host
	rng    stream
	number int

	acts, thinks func() // act and think, made once
}

func (s *Sim) newClient(h *host, i int) *client {
	s.callers++
	c := &client{s: s, at: h, rng: newStream(s.p.Seed, "client", h.i, i), number: s.callers}
	c.acts, c.thinks = c.act, c.think
	return c
}

// think has the next operation follow.
func (c *client) think() {
	wait := c.rng.about(c.s.p.Callers.Think)
	if c.rng.chance(c.s.p.Callers.Burst) {
		wait = 0
	}
	c.s.after(wait, c.acts)
}

// act begins an operation, if the client's process runs.
func (c *client) act() {
	p := c.at.proc
	switch {
	case c.s.closing:
		return
	case p == nil || c.at.lost:
		c.s.after(c.rng.between(10*time.Millisecond, 200*time.Millisecond), c.acts)
		return
	}
	x := &Call{Operation: c.s.work.Next(c.rng.Rand), Host: c.at.i, Caller: c.number, then: c.thinks}
	c.s.call(p, x)
	if c.rng.chance(c.s.p.Callers.Cancels) {
		p.after(c.rng.between(0, c.s.p.Callers.Patience), func() { p.cancel(x) })
	}
}

// Call begins an operation at a host; nil if it is down. The call ends in some later step.
func (s *Sim) Call(host, caller int, o Operation) *Call {
	p := s.hosts[host].proc
	if p == nil {
		return nil
	}
	c := &Call{Operation: o, Host: host, Caller: caller}
	s.call(p, c)
	return c
}

func (s *Sim) call(p *process, c *Call) {
	s.order++
	c.Began, c.order, c.floor = s.now, s.order, s.floor
	if s.watcher != nil {
		s.watcher.Called(s.now, c)
	}
	p.begin(c)
}

// ended ends a call.
func (s *Sim) ended(c *Call, outcome Outcome) {
	s.order++
	c.Ended, c.end, c.Outcome = s.now, s.order, outcome
	s.history.add(c)
	s.mark(c.Host, uint64(outcome), c.At)
	if s.watcher != nil {
		s.watcher.Returned(s.now, c)
	}
	if c.then != nil {
		c.then()
	}
}

// answer gives a caller its result, which must be that of the log, and come after everything that
// any caller had seen before the operation began (11.7, 11.9).
func (s *Sim) answer(p *process, c *Call, result []byte) {
	op, err := s.witness.answered(request{p.applier.session, c.number}, result)
	if err != nil {
		s.broke(Name(p.h.i), err)
	} else if op <= c.floor {
		s.fail("11.9", "%s was executed at op %d; when it was proposed, a caller had seen op %d", quote(c.Body), op, c.floor)
	}
	c.Result, c.At = result, uint64(op)
	s.stats.Answers++
	s.floor = max(s.floor, op)
	s.ended(c, Answered)
}

// read runs a read on the state as it is (11.9).
func (s *Sim) read(p *process, c *Call) {
	at := p.applier.Last.Op
	if c.Level == Linearizable {
		if at < c.floor {
			s.fail("11.9", "a read at %s saw the state after op %d; when it began, a caller had seen op %d", Name(c.Host), at, c.floor)
		}
		s.floor = max(s.floor, at)
	}
	if err := p.applier.machine.query(c, at); err != nil {
		s.broke(Name(p.h.i), err)
	}
	c.At = uint64(at)
	s.stats.Reads++
	s.ended(c, Answered)
}

// refuse tells a caller that its command was not and never will be applied.
func (s *Sim) refuse(p *process, c *Call) {
	if session := p.applier.session; session != 0 && c.number != 0 {
		if err := s.witness.never(request{session, c.number}); err != nil {
			s.broke(Name(p.h.i), err)
		}
	}
	s.stats.Refusals++
	s.ended(c, NotApplied)
}

// unknown ends a call without an outcome.
func (s *Sim) unknown(p *process, c *Call) {
	c.session = p.applier.session
	s.stats.Unknown++
	s.ended(c, Unknown)
}
