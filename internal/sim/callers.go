package sim

import (
	"fmt"
	"slices"
	"time"

	"github.com/smr-go/smr/internal/excerpt"
	"github.com/smr-go/smr/internal/sim/judge"
	"github.com/smr-go/smr/internal/vsr"
)

// Outcome is how a call ended.
type Outcome uint8

// The outcomes: those that smr has (X4).
const (
	Pending Outcome = iota
	Answered
	NotApplied // not applied, and never will be
	Unknown
)

// Call is an operation that somebody waits for at a replica.
type Call struct {
	Operation
	Host    int
	Outcome Outcome
	Result  []byte        // of a command
	Value   any           // of a read
	At      uint64        // op: where the command was executed, or what state the read saw
	Began   time.Duration // virtual time
	Ended   time.Duration
	Caller  int // a number of his own; callers that the test makes itself too

	then   func() // what follows its end; may be nil
	judged judge.Call
	number uint64 // the request's or the read's, once the core has it
	need   vsr.OpNumber
	ready  bool // a read that needs nothing but op need
}

// callers are those who wait at a process, in the order in which they came.
type callers struct {
	proposals []*Call
	reads     []*Call
}

// begin hands a call to the process.
func (p *process) begin(c *Call) {
	switch {
	case c.Body != nil:
		p.callers.proposals = append(p.callers.proposals, c)
		p.input(func(now time.Time) { p.propose(now, c) })
	case c.Level == Linearizable:
		p.callers.reads = append(p.callers.reads, c)
		p.input(func(now time.Time) {
			if c.Outcome == Pending {
				var read vsr.Read
				p.core.Step(now, &read)
				c.number = read.Number
			}
		})
	default:
		c.ready = true
		if c.Level == AtLeast {
			c.need = vsr.OpNumber(c.Op)
		}
		p.callers.reads = append(p.callers.reads, c)
		p.callers.readable(p)
	}
}

func (p *process) propose(now time.Time, c *Call) {
	if c.Outcome != Pending {
		return
	}
	x := vsr.Propose{Body: c.Body}
	p.core.Step(now, &x)
	if x.Err != nil {
		p.callers.proposals = without(p.callers.proposals, c)
		p.s.refuse(p, c)
		return
	}
	c.number = x.Number
}

// cancel gives a call up: it is taken back if it never was sent, and otherwise its outcome stays
// unknown.
func (p *process) cancel(c *Call) {
	p.input(func(now time.Time) {
		switch {
		case c.Outcome != Pending:
			return
		case c.Body == nil:
			p.callers.reads = without(p.callers.reads, c)
			p.core.Step(now, &vsr.ForgetRead{Read: c.number})
			p.s.unknown(p, c)
			return
		case c.number == 0: // the core has not seen it
			p.callers.proposals = without(p.callers.proposals, c)
			p.s.refuse(p, c)
			return
		}
		sent := p.core.Sent(c.number)
		p.core.Step(now, &vsr.Forget{Request: c.number})
		p.callers.proposals = without(p.callers.proposals, c)
		if sent {
			p.s.unknown(p, c)
		} else {
			p.s.refuse(p, c)
		}
	})
}

func without(calls []*Call, c *Call) []*Call {
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
			p.s.refuse(p, c)
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
		if result, ok := p.applier.Sessions.Result(p.applier.session, number); ok {
			w.proposals = without(w.proposals, c)
			p.s.answer(p, c, result)
			p.tell(func(core *vsr.Replica, now time.Time, number uint64) { core.Step(now, &vsr.Forget{Request: number}) }, number)
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
		if c.number == x.Read && !c.ready {
			c.need, c.ready = x.Op, true
		}
	}
	w.readable(p)
}

// readable runs the reads that are confirmed, and whose op is applied.
func (w *callers) readable(p *process) {
	for i := 0; i < len(w.reads); {
		if c := w.reads[i]; c.ready && c.need <= p.applier.Last.Op {
			w.reads = slices.Delete(w.reads, i, i+1)
			p.s.read(p, c)
		} else {
			i++
		}
	}
}

// gone leaves all who wait without an answer: the process has ended.
func (w *callers) gone(p *process) {
	all := slices.Concat(w.proposals, w.reads)
	*w = callers{}
	for _, c := range all {
		p.s.unknown(p, c)
	}
}

// asked says what the caller of a read wants, as far as that is known.
func (c *Call) asked() string {
	switch in := c.Input.(type) {
	case nil:
		return c.Operation.Name
	case string, []byte:
		return fmt.Sprintf("%s %.60q", c.Operation.Name, in)
	default:
		return fmt.Sprintf("%s %.60v", c.Operation.Name, in)
	}
}

func (c *Call) String() string {
	what := c.Operation.Name
	switch {
	case c.Body != nil && c.Describe != nil:
		what = c.Describe(c.Body)
	case c.Body != nil:
		what += " " + excerpt.Of(c.Body)
	}
	switch c.Outcome {
	case Answered:
		if c.Body != nil {
			return fmt.Sprintf("%s: %s at op %d", what, excerpt.Of(c.Result), c.At)
		}
		return fmt.Sprintf("%s: %v at op %d", what, c.Value, c.At)
	case NotApplied:
		return what + ": not applied"
	case Unknown:
		return what + ": unknown"
	}
	return what
}
