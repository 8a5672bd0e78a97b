package sim

import (
	"fmt"
	"time"

	"github.com/smr-go/smr"
	"github.com/smr-go/smr/internal/sim/world"
)

// prober begins operations at a member, one after the other, and repeats each until it is answered: a group that refuses
// everything has no calls that wait, and is still of no use.
type prober struct {
	s      *Sim
	at     *host
	number int
	left   []func() Operation // without an answer
	last   *Call              // nil: none yet
}

// probeAgain is the time from a refusal to the next attempt.
const probeAgain = 100 * time.Millisecond

// probeAll probes each member that is within reach and has its memory, with a command and a linearizable read. It probes
// none if a test makes all calls.
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

// commandBy returns a command of the work, or a read if 100 draws give none.
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

// unanswered returns an error if an operation of a prober has no answer.
func unanswered(all []*prober) error {
	for _, a := range all {
		switch {
		case a.at.lost || len(a.left) == 0:
		case a.last == nil:
			return fmt.Errorf("%s cannot be asked", a.at.id)
		case a.last.Outcome == Pending:
			return fmt.Errorf("%s does not answer: %v", a.at.id, a.last)
		default:
			return fmt.Errorf("%s is asked again and again; the last time: %v", a.at.id, a.last)
		}
	}
	return nil
}
