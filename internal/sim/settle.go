package sim

import (
	"fmt"
	"time"

	"github.com/smr-go/smr/internal/vsr"
)

// How long a healed group may take until it is one again, and how long callers go on before that.
const (
	healing = 40 * time.Second
	lastUse = 2 * time.Second
)

// settle heals everything, and expects all members to become one group with equal logs and states,
// and every operation to have its outcome.
func (s *Sim) settle() {
	s.heal()
	s.runFor(lastUse)
	for end := s.now + healing; s.err == nil && s.stats.Answers == 0 && s.now < end; {
		s.runFor(lastUse) // the group has only just formed
	}
	s.closing = true
	var open error
	for end := s.now + healing; s.err == nil && s.now < end; {
		s.runFor(100 * time.Millisecond)
		if open = s.unsettled(); open == nil {
			break
		}
	}
	switch {
	case s.err != nil:
	case open != nil:
		s.fail("%v after the last call began, and longer after the last fault: %v", healing, open)
	case s.witness.commands == 0 || s.stats.Answers == 0:
		s.fail("too little happened: %+v", s.stats)
	}
}

// heal ends all faults.
func (s *Sim) heal() {
	s.note(-1, "all is healed", 0)
	s.healed = true
	for _, h := range s.hosts {
		h.pausedUntil, h.slowUntil, h.fuse = 0, 0, 0
		h.fs.SetCapacity(0)
		h.start()
	}
}

func (s *Sim) runFor(d time.Duration) {
	for end := s.now + d; s.err == nil; {
		if !s.step(end) {
			s.now = end
			return
		}
	}
}

// unsettled returns what is still open; nil once all members that have kept their memory are Normal
// in one view with equal logs and states, and nobody waits.
func (s *Sim) unsettled() error {
	var first *process
	for _, h := range s.hosts {
		p := h.proc
		switch {
		case p == nil:
			return fmt.Errorf("%s does not run", name(h.i))
		case h.lost:
			continue
		case first == nil:
			first = p
		}
		if err := p.settledLike(first); err != nil {
			return fmt.Errorf("%s: %w; it is %+v", name(h.i), err, p.seen)
		}
	}
	return nil
}

func (p *process) settledLike(first *process) error {
	x, y := &p.seen, &first.seen
	switch {
	case x.Phase != vsr.Primary && x.Phase != vsr.Backup:
		return fmt.Errorf("it is not normal")
	case x.Head.View != y.Head.View || x.Last != y.Last || x.Commit != x.Last.Op:
		return fmt.Errorf("view %d, log to %v, commit %d; %s has view %d, log to %v", x.Head.View, x.Last, x.Commit, name(first.h.i), y.Head.View, y.Last)
	case p.applier.at != x.Commit || p.applier.machine.sum() != first.applier.machine.sum():
		return fmt.Errorf("applied %d of %d, or the states differ", p.applier.at, x.Commit)
	case len(p.callers.proposals) > 0 || len(p.callers.reads) > 0:
		return fmt.Errorf("%d proposals and %d reads have no outcome", len(p.callers.proposals), len(p.callers.reads))
	case p.h.truth.last != x.Last:
		return fmt.Errorf("the log is durable to %v only", p.h.truth.last)
	}
	return nil
}
