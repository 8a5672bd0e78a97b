package sim

import (
	"fmt"
	"time"

	"github.com/smr-go/smr"
	"github.com/smr-go/smr/internal/sim/world"
)

// prober wants some operations answered at a member, one after the other, and asks until they are: of
// a group that refuses everything nobody waits for anything, and yet it is of no use.
type prober struct {
	s      *Sim
	at     *host
	number int
	left   []func() Operation // that have no answer
	last   *Call              // nil: none yet
}

// probeAgain is how long one waits who was refused.
const probeAgain = 100 * time.Millisecond

// probeAll has a command and a linearizable read asked for at each member that is within reach and has
// kept its memory. A test that drives the group by itself asks for itself.
func (s *Sim) probeAll() (all []*prober) {
	if s.work.Next == nil {
		return nil
	}
	for _, h := range s.hosts {
		if h.lost || h.absent != present {
			continue
		}
		rng := world.NewStream(s.p.Seed, "ask", h.i, s.callers)
		s.callers++
		a := &prober{s: s, at: h, number: s.callers}
		a.left = []func() Operation{func() Operation { return s.commandBy(rng) }, func() Operation { return nothingRead }}
		all = append(all, a)
		a.ask()
	}
	return all
}

// nothingRead is a read whose answer does not matter.
var nothingRead = Operation{Name: "read", Read: func(smr.StateMachine) any { return nil }}

// commandBy returns a command of the work; a read if it seems to have none.
func (s *Sim) commandBy(rng world.Stream) (o Operation) {
	for range 100 {
		if o = s.work.Next(rng.Rand); o.Body != nil {
			return o
		}
	}
	return nothingRead
}

// ask begins the next operation, if the member runs.
func (a *prober) ask() {
	p := a.at.proc
	switch {
	case len(a.left) == 0 || a.s.err != nil || a.at.lost:
		return
	case p == nil:
		a.s.After(probeAgain, a.ask)
		return
	}
	a.last = &Call{Operation: a.left[0](), Host: a.at.i, Caller: a.number, then: a.ended}
	a.s.call(p, a.last)
}

func (a *prober) ended() {
	if a.last.Outcome != Answered {
		a.s.After(probeAgain, a.ask)
		return
	}
	a.left = a.left[1:]
	a.ask()
}

// unanswered returns what was asked for, and has no answer.
func unanswered(all []*prober) error {
	for _, a := range all {
		switch {
		case a.at.lost || len(a.left) == 0:
		case a.last == nil:
			return fmt.Errorf("%s cannot be asked", Name(a.at.i))
		case a.last.Outcome == Pending:
			return fmt.Errorf("%s does not answer: %v", Name(a.at.i), a.last)
		default:
			return fmt.Errorf("%s is asked again and again, and in the end: %v", Name(a.at.i), a.last)
		}
	}
	return nil
}
