package sim

import (
	"slices"
	"time"

	"github.com/smr-go/smr/internal/vsr"
)

// call is an operation that a client waits for.
type call struct {
	client *client
	read   bool
	id     uint64 // of the command
	body   []byte
	floor  vsr.OpNumber // what some caller had seen when it began: it must come after that (11.9)
	number uint64       // the request's or the read's, once the core has it
	op     vsr.OpNumber // of a confirmed read: to be applied first
	ready  bool         // a confirmed read
	done   bool
}

// callers are those who wait at a process, in the order in which they came.
type callers struct {
	proposals []*call
	reads     []*call
}

// propose hands a command to the core. The client is answered in one of three ways (X4).
func (p *process) propose(c *call) {
	p.callers.proposals = append(p.callers.proposals, c)
	p.input(func(now time.Time) {
		if c.done {
			return
		}
		number, err := p.core.Propose(now, c.body)
		if err != nil {
			p.callers.proposals = without(p.callers.proposals, c)
			p.s.refuse(c)
			return
		}
		c.number = number
	})
}

func (p *process) readLinearizable(c *call) {
	p.callers.reads = append(p.callers.reads, c)
	p.input(func(now time.Time) {
		if c.done {
			return
		}
		c.number = p.core.Read(now)
	})
}

// cancel gives a call up: it is taken back if it never was sent, and otherwise its outcome stays
// unknown.
func (p *process) cancel(c *call) {
	p.input(func(time.Time) {
		switch {
		case c.done:
			return
		case c.read:
			p.callers.reads = without(p.callers.reads, c)
		case c.number != 0:
			sent := p.core.Sent(c.number)
			p.core.Forget(c.number)
			p.callers.proposals = without(p.callers.proposals, c)
			if !sent {
				p.s.refuse(c)
				return
			}
		default: // the core has not seen it
			p.callers.proposals = without(p.callers.proposals, c)
			p.s.refuse(c)
			return
		}
		p.s.unknown(c)
	})
}

func without(calls []*call, c *call) []*call {
	if i := slices.Index(calls, c); i >= 0 {
		return slices.Delete(calls, i, i+1)
	}
	return calls
}

// settled passes on that a proposal was refused for good.
func (w *callers) settled(p *process, x vsr.Settled) {
	for _, c := range w.proposals {
		if c.number == x.Request {
			w.proposals = without(w.proposals, c)
			p.s.refuse(c)
			return
		}
	}
}

// look answers the proposal of that number, if it has a result and somebody waits for it.
func (w *callers) look(p *process, number uint64) {
	for _, c := range w.proposals {
		if c.number != number {
			continue
		}
		if result, ok := p.applier.sessions.Result(p.applier.session, number); ok {
			w.proposals = without(w.proposals, c)
			p.s.answer(c, result)
			p.input(func(time.Time) { p.core.Forget(number) })
		}
		return
	}
}

func (w *callers) lookAll(p *process) {
	for _, c := range slices.Clone(w.proposals) {
		w.look(p, c.number)
	}
}

// confirmed notes what a read must see.
func (w *callers) confirmed(p *process, x vsr.ReadReady) {
	for _, c := range w.reads {
		if c.number == x.Read {
			c.op, c.ready = x.Op, true
		}
	}
	w.readable(p)
}

// readable runs the reads that are confirmed, and whose op is applied.
func (w *callers) readable(p *process) {
	waiting := w.reads[:0]
	for _, c := range w.reads {
		if c.ready && c.op <= p.applier.at {
			p.s.sawState(c, vsr.OpNumber(p.applier.machine.version))
		} else {
			waiting = append(waiting, c)
		}
	}
	clear(w.reads[len(waiting):])
	w.reads = waiting
}

// gone leaves all who wait without an answer: the process has ended.
func (w *callers) gone(s *Sim) {
	for _, c := range w.proposals {
		s.unknown(c)
	}
	for _, c := range w.reads {
		s.unknown(c)
	}
	*w = callers{}
}
