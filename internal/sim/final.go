package sim

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/smr-go/smr"
	"github.com/smr-go/smr/internal/sim/world"
)

// finalCaller begins operations at a member, one after the other, and repeats each until it is answered: a group that
// refuses everything has no calls that wait, and is still of no use.
type finalCaller struct {
	s      *Sim
	at     *host
	number int
	rng    world.Stream
	left   int   // calls without an answer: 2, the command and the read; 1, the read
	last   *Call // nil: none yet
}

// retryAfter is the time from a refusal to the next attempt.
const retryAfter = 100 * time.Millisecond

// startFinalCalls has a caller at each member whose callers must be answered begin a command, and then a linearizable
// read. It has none if a test makes all calls.
func (s *Sim) startFinalCalls() (all []*finalCaller) {
	if s.work.Next == nil {
		return nil
	}
	for _, h := range s.hosts {
		if !h.mustAnswer() {
			continue
		}
		rng := world.NewStream(s.p.Seed, "ask", h.i, s.final)
		s.final++
		a := &finalCaller{s: s, at: h, number: firstFinal + s.final, rng: rng, left: 2}
		all = append(all, a)
		a.call()
	}
	return all
}

// firstFinal is a number above those of all other callers.
const firstFinal = 1000

// nothingRead is a read whose answer does not matter.
var nothingRead = Operation{Name: "read", Read: func(smr.StateMachine) any { return nil }}

// finalCall returns a call of a finalCaller, which has not begun.
func (s *Sim) finalCall(host, caller int, o Operation) *Call {
	return &Call{Operation: o, Host: host, Caller: caller, final: true}
}

// finalCommand returns the next final command of the schedule for a caller, or else one of chance. It has not begun.
func (s *Sim) finalCommand(host, caller int, rng world.Stream) *Call {
	c := s.finalCall(host, caller, Operation{})
	i := slices.IndexFunc(s.planned, func(x *planned) bool {
		return x.Final && x.Caller == caller && x.Host == host && x.made == nil
	})
	if i < 0 {
		c.Operation = s.commandBy(rng)
	} else {
		var err error
		c.plan = s.planned[i]
		c.plan.made = c
		if c.Operation, err = s.work.operation(&c.plan.PlannedCall); s.failOn("", err) {
			c.Operation = nothingRead
		}
	}
	if c.Body != nil {
		s.calls = append(s.calls, c)
	}
	return c
}

// commandBy returns a command like the last one of a caller. Without one it is any command of the work, or a read if
// 100 draws give none.
func (s *Sim) commandBy(rng world.Stream) (o Operation) {
	for _, c := range slices.Backward(s.calls) {
		if c.Body != nil && s.work.Named != nil {
			if o, err := s.work.Named(c.Operation.Name, rng.Uint64(), nil); err == nil {
				return o
			}
		}
	}
	for range 100 {
		if o = s.work.Next(rng.Rand); o.Body != nil {
			return o
		}
	}
	return nothingRead
}

// call begins the next operation, if the member runs.
func (a *finalCaller) call() {
	p := a.at.proc
	switch {
	case a.left == 0 || a.s.err != nil || a.at.lost:
		return
	case p == nil:
		a.s.After(retryAfter, a.call)
		return
	}
	if a.last = a.s.finalCall(a.at.i, a.number, nothingRead); a.left == 2 {
		a.last = a.s.finalCommand(a.at.i, a.number, a.rng)
	}
	a.last.then = a.ended
	a.s.call(p, a.last)
}

func (a *finalCaller) ended() {
	if a.last.Outcome != Answered {
		a.s.After(retryAfter, a.call)
		return
	}
	a.left--
	a.call()
}

// unanswered returns an error if an operation of a finalCaller has no answer.
func unanswered(all []*finalCaller) error {
	for _, a := range all {
		switch {
		case a.left == 0 || !a.at.mustAnswer():
		case a.last == nil:
			return fmt.Errorf("%s cannot be called", a.at.id)
		case a.last.Outcome == Pending:
			return fmt.Errorf("%s does not answer: %v", a.at.id, a.last)
		default:
			return fmt.Errorf("%s is called again and again; the last time: %v", a.at.id, a.last)
		}
	}
	return nil
}

// mustAnswer reports whether a member's callers must be answered: it has its memory and is within reach, or only its
// disk hangs (section 2, X5, R1). One whose disk hangs must have saved its start number, without which it sends
// nothing, and have applied what it has saved, which it may have to read. It cannot take a snapshot, so the logs must
// go back to what it could acknowledge. And entries must not come from the primary's disk, which gives the next batch
// only once the one before is acknowledged. If they exceed the window of what it is sent without an acknowledgement, it
// need not answer once it reports that (F15). Nor can it answer in a view that only it has entered: its disk keeps the
// vote for that view to itself.
func (h *host) mustAnswer() bool {
	p := h.proc
	if h.lost || h.outage != outageHung || p == nil {
		return !h.lost && h.outage == noOutage
	}
	disk := h.durable()
	for _, other := range h.s.hosts {
		q := other.proc
		if q == nil {
			continue
		}
		if q.seen.First > disk.Last.Op+1 || q.seen.Head.View < p.seen.Head.View {
			return false
		}
	}
	serves := disk.Head.Start == p.seen.Head.Start && disk.Last.Op <= p.shell.Applier.Op()
	reports := strings.Contains(p.seen.Problem, "are not received here")
	return serves && !reports && h.s.p.Tail >= 32<<10 && !h.s.p.Differ
}
