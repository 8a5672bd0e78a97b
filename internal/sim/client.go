package sim

import (
	"time"

	"github.com/smr-go/smr/internal/vsr"
)

// client is a caller at one member: it does one thing at a time, waits for its outcome, thinks,
// and goes on.
type client struct {
	s    *Sim
	at   *host
	rng  stream
	call *call // under way, or the last one
}

func newClient(s *Sim, h *host, number int) *client {
	return &client{s: s, at: h, rng: newStream(s.seed, "client", h.i, number)}
}

// think has the next operation follow.
func (c *client) think() {
	wait := c.rng.about(c.s.p.Clients.Think)
	if c.rng.chance(c.s.p.Clients.Burst) {
		wait = 0
	}
	c.s.after(wait, c.act)
}

// act begins an operation, if the client's process runs.
func (c *client) act() {
	switch p := c.at.proc; {
	case c.s.closing:
	case p == nil || c.at.lost:
		c.s.after(c.rng.between(10*time.Millisecond, 200*time.Millisecond), c.act)
	case c.rng.chance(c.s.p.Clients.Reads):
		c.begin(&call{client: c, read: true}, p)
		p.readLinearizable(c.call)
	default:
		c.begin(c.command(), p)
		p.propose(c.call)
	}
}

func (c *client) begin(x *call, p *process) {
	c.call, x.floor = x, c.s.floor
	if c.rng.chance(c.s.p.Clients.Cancels) {
		p.after(c.rng.between(0, c.s.p.Clients.Patience), func() { p.cancel(x) })
	}
}

func (c *client) command() *call {
	s := c.s
	s.lastID++
	key := byte(c.rng.IntN(keys))
	kind, length := byte(appends), uint64(0)
	if c.rng.chance(s.p.Clients.Compares) {
		kind, length = compares, s.witness.machine.keys[key].count
	}
	return &call{client: c, id: s.lastID, body: command(kind, key, s.lastID, length, c.rng.IntN(s.p.Clients.Fill))}
}

// answer gives a client its result, which must be that of the log, and come after everything that
// any caller had seen before the operation began (11.7, 11.9).
func (s *Sim) answer(c *call, result []byte) {
	op, err := s.witness.answered(c.id, result)
	if err == nil && op <= c.floor {
		s.fail("11.9: command %d was executed at op %d; when it was proposed, a caller had seen op %d", c.id, op, c.floor)
	}
	if err != nil {
		s.fail("%v", err)
	}
	s.stats.Answers++
	s.floor = max(s.floor, op)
	s.note(c.client.at.i, "answers command", c.id, c.id, op)
	c.end()
}

// sawState ends a read that saw the state after the command at version (11.9).
func (s *Sim) sawState(c *call, version vsr.OpNumber) {
	if version < c.floor {
		s.fail("11.9: a read at %s saw the state after op %d; when it began, a caller had seen op %d", name(c.client.at.i), version, c.floor)
	}
	s.stats.Reads++
	s.floor = max(s.floor, version)
	s.note(c.client.at.i, "answers a read, state", uint64(version), version)
	c.end()
}

// refuse tells a client that its command was not and never will be applied.
func (s *Sim) refuse(c *call) {
	if c.id != 0 {
		if err := s.witness.never(c.id); err != nil {
			s.fail("%v", err)
		}
	}
	s.stats.Refusals++
	s.note(c.client.at.i, "refuses command", c.id, c.id)
	c.end()
}

// unknown ends a call without an outcome.
func (s *Sim) unknown(c *call) {
	s.stats.Unknown++
	c.end()
}

func (c *call) end() {
	c.done = true
	c.client.think()
}
