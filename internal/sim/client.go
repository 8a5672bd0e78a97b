package sim

import (
	"maps"
	"slices"
	"time"

	"github.com/smr-go/smr/internal/sim/judge"
	"github.com/smr-go/smr/internal/sim/world"
	"github.com/smr-go/smr/internal/vsr"
)

// client is a caller at one member. It makes one call at a time and waits for the outcome; then it thinks before the
// next, or waits for the time of the next one in the schedule.
type client struct {
	s      *Sim
	at     *host
	rng    world.Stream
	number int
	plan   []*planned // left, of a client that follows a schedule
	chance bool       // it follows none
}

// startClients starts the callers of the setup, or those of the schedule.
func (s *Sim) startClients() {
	clients := map[int]*client{}
	for _, x := range s.planned {
		if x.Final {
			continue
		}
		c := clients[x.Caller]
		if c == nil {
			c = &client{s: s, at: s.hosts[x.Host], rng: world.NewStream(s.p.Seed, "client", x.Caller), number: x.Caller}
			clients[x.Caller] = c
		}
		c.plan = append(c.plan, x)
	}
	for _, number := range slices.Sorted(maps.Keys(clients)) {
		clients[number].think()
	}
	for _, h := range s.hosts {
		for i := range s.p.Callers.PerReplica {
			number := h.i*s.p.Callers.PerReplica + i + 1
			c := &client{s: s, at: h, rng: world.NewStream(s.p.Seed, "client", h.i, i), number: number, chance: true}
			c.think()
		}
	}
}

// think schedules the next operation, if there is one.
func (c *client) think() {
	if !c.chance {
		if len(c.plan) > 0 {
			c.s.After(max(c.plan[0].At-c.s.Now(), 0), c.act)
		}
		return
	}
	wait := c.rng.About(c.s.p.Callers.Think)
	if c.rng.Chance(c.s.p.Callers.Burst) {
		wait = 0
	}
	c.s.After(wait, c.act)
}

// act begins an operation, if the client's process runs.
func (c *client) act() {
	p := c.at.proc
	switch {
	case c.s.closing:
		return
	case p == nil || c.at.lost:
		c.s.After(c.rng.Between(10*time.Millisecond, 200*time.Millisecond), c.act)
		return
	}
	x := &Call{Host: c.at.i, Caller: c.number, then: c.think}
	if c.chance {
		x.Operation = c.s.work.Next(c.rng.Rand)
	} else {
		var err error
		if x.Operation, err = c.s.work.operation(&c.plan[0].PlannedCall); c.s.failOn("", err) {
			return
		}
		x.plan, x.cancel = c.plan[0], c.plan[0].Cancel
		x.plan.made, c.plan = x, c.plan[1:]
	}
	c.s.calls = append(c.s.calls, x)
	c.s.call(p, x)
	if c.chance && c.rng.Chance(c.s.p.Callers.Cancels) {
		x.cancel = max(c.rng.Between(0, c.s.p.Callers.Patience), 1)
	}
	if x.cancel > 0 {
		p.after(x.cancel, func() { p.cancel(x) })
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
	c.judged = judge.Call{Caller: c.Caller, Host: p.h.id, Body: c.Body, Stale: c.Stale, Least: vsr.OpNumber(c.Least),
		Kind: c.Name, Output: c.Operation.Output}
	if s.work.Model != nil {
		c.judged.Input = c.Input
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
	if outcome == Answered {
		c.at.served(c)
	}
	s.hash(c.Host, uint64(outcome), c.At)
	s.sum.mixBytes(c.Result)
	s.sum.mixValue(c.Value)
	if s.watcher != nil {
		s.watcher.Returned(s.Now(), c)
	}
	if outcome == Answered && s.work.Model != nil {
		s.answers(c)
	}
	if c.then != nil {
		c.then()
	}
}

// answers has the model judge the answers so far whenever their number has grown by half, so that this costs little,
// and after each that may be the expected culprit.
func (s *Sim) answers(c *Call) {
	s.unjudged++
	if s.unjudged > s.judgedAnswers/2 || s.work.Suspect > 0 && c.At >= s.work.Suspect {
		s.judgedAnswers, s.unjudged = s.judgedAnswers+s.unjudged, 0
		s.checkModel()
	}
}

// checkModel has the model judge the answers so far. A violation has the time of the answer.
func (s *Sim) checkModel() {
	v, ok := judge.Linearizable(s.judge.History(s.open()), s.work.Model).(*judge.Violation)
	if !ok || s.err != nil {
		return
	}
	s.failOn("", v)
	for _, c := range s.calls {
		if v.Op > 0 && c.At == v.Op && c.Ended > 0 {
			s.err.At = c.Ended
		}
	}
}

// open returns the commands under way: they may be in the log.
func (s *Sim) open() (all []*judge.Call) {
	for _, h := range s.hosts {
		if p := h.proc; p != nil {
			for _, c := range p.proposals {
				if c.judged.Input == nil {
					continue
				}
				all = append(all, c.judged.Open(p.shell.Applier.Session(), c.call.Number()))
			}
		}
	}
	return all
}

// answer ends a command with its result.
func (s *Sim) answer(p *process, c *Call, result []byte) {
	op, err := s.judge.Answered(&c.judged, p.shell.Applier.Session(), c.call.Number(), result)
	s.failOn(p.h.id, err)
	c.Result, c.At = result, uint64(op)
	s.stats.Answers++
	s.ended(c, Answered)
}

// read runs a read on the present state.
func (s *Sim) read(p *process, c *Call) {
	at := p.shell.Applier.Op()
	value, err := p.user.Query(c.query(), uint64(at), c.Read)
	s.failOn(p.h.id, err)
	if at == s.judge.Committed().Op {
		s.failOn(p.h.id, s.witness.SameAnswer(p.user.Machine, "a replica", c.query(), uint64(at), c.Read, value))
	}
	s.failOn(p.h.id, s.judge.Read(&c.judged, at, value))
	c.Value, c.At = value, uint64(at)
	s.stats.Reads++
	s.ended(c, Answered)
}

// refuse ends a call that was not and never will be applied.
func (s *Sim) refuse(p *process, c *Call) {
	s.failOn(p.h.id, s.judge.Refused(&c.judged, p.shell.Applier.Session(), c.call.Number()))
	s.stats.Refusals++
	s.ended(c, NotApplied)
}

// unknown ends a call without an outcome.
func (s *Sim) unknown(p *process, c *Call) {
	s.judge.Unknown(&c.judged, p.shell.Applier.Session(), c.call.Number())
	s.stats.Unknown++
	s.ended(c, Unknown)
}
