package sim

import (
	"time"

	"github.com/smr-go/smr/internal/sim/judge"
	"github.com/smr-go/smr/internal/sim/world"
	"github.com/smr-go/smr/internal/vsr"
)

// client is a caller at one member. It makes one call at a time and waits for the outcome; then it thinks before the next.
type client struct {
	s      *Sim
	at     *host
	rng    world.Stream
	number int

	acts, thinks func() // act and think, made once
}

func (s *Sim) newClient(h *host, i int) *client {
	s.callers++
	c := &client{s: s, at: h, rng: world.NewStream(s.p.Seed, "client", h.i, i), number: s.callers}
	c.acts, c.thinks = c.act, c.think
	return c
}

// think schedules the next operation.
func (c *client) think() {
	wait := c.rng.About(c.s.p.Callers.Think)
	if c.rng.Chance(c.s.p.Callers.Burst) {
		wait = 0
	}
	c.s.After(wait, c.acts)
}

// act begins an operation, if the client's process runs.
func (c *client) act() {
	p := c.at.proc
	switch {
	case c.s.closing:
		return
	case p == nil || c.at.lost:
		c.s.After(c.rng.Between(10*time.Millisecond, 200*time.Millisecond), c.acts)
		return
	}
	x := &Call{Operation: c.s.work.Next(c.rng.Rand), Host: c.at.i, Caller: c.number, then: c.thinks}
	c.s.call(p, x)
	if c.rng.Chance(c.s.p.Callers.Cancels) {
		p.after(c.rng.Between(0, c.s.p.Callers.Patience), func() { p.cancel(x) })
	}
}

// Call begins an operation at a host, and returns nil if the host is down. The call ends in a later step.
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
	c.Began = s.Now()
	c.judged = judge.Call{Caller: c.Caller, Body: c.Body, Stale: c.Level != Linearizable, Input: c.Input, Output: c.Operation.Output}
	if c.Level == AtLeast {
		c.judged.Least = vsr.OpNumber(c.Op)
	}
	s.judge.Began(&c.judged)
	if s.watcher != nil {
		s.watcher.Called(s.Now(), c)
	}
	p.take(c)
}

// ended ends a call.
func (s *Sim) ended(c *Call, outcome Outcome) {
	c.Ended, c.Outcome = s.Now(), outcome
	s.mark(c.Host, uint64(outcome), c.At)
	s.sum.mixBytes(c.Result)
	s.sum.mixValue(c.Value)
	if s.watcher != nil {
		s.watcher.Returned(s.Now(), c)
	}
	if c.then != nil {
		c.then()
	}
}

// answer ends a command with its result.
func (s *Sim) answer(p *process, c *Call, result []byte) {
	op, err := s.judge.Answered(&c.judged, p.shell.Applier.Session(), c.call.Number(), result)
	if err != nil {
		s.broke(p.h.id, err)
	}
	c.Result, c.At = result, uint64(op)
	s.stats.Answers++
	s.ended(c, Answered)
}

// read runs a read on the present state.
func (s *Sim) read(p *process, c *Call) {
	at := p.shell.Applier.Op()
	var err error
	if c.Value, err = p.user.Query(c.asked(), uint64(at), c.Read); err != nil {
		s.broke(p.h.id, err)
	}
	if err := s.judge.Read(&c.judged, at, c.Value); err != nil {
		s.broke(p.h.id, err)
	}
	c.At = uint64(at)
	s.stats.Reads++
	s.ended(c, Answered)
}

// refuse ends a call that was not and never will be applied.
func (s *Sim) refuse(p *process, c *Call) {
	if err := s.judge.Refused(&c.judged, p.shell.Applier.Session(), c.call.Number()); err != nil {
		s.broke(p.h.id, err)
	}
	s.stats.Refusals++
	s.ended(c, NotApplied)
}

// unknown ends a call without an outcome.
func (s *Sim) unknown(p *process, c *Call) {
	s.judge.Unknown(&c.judged, p.shell.Applier.Session(), c.call.Number())
	s.stats.Unknown++
	s.ended(c, Unknown)
}
