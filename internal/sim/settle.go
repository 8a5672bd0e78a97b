package sim

import (
	"cmp"
	"fmt"
	"time"

	"github.com/smr-go/smr/internal/sim/judge"
	"github.com/smr-go/smr/internal/vsr"
)

// healing is the time within which a healed group must settle. Callers go on for lastUse before that.
const (
	healing = 40 * time.Second
	lastUse = 2 * time.Second
)

// Settle heals everything but the few members that stay out of reach, and later those too. Each time it expects all members
// within reach to answer and to settle with equal logs and states.
func (s *Sim) Settle() {
	s.leaveUnhealed()
	s.heal()
	s.RunFor(lastUse)
	s.closing = true
	s.serves("without those who stay out of reach")
	if s.err == nil && s.comeBack() {
		s.serves("now that all are within reach")
	}
	if s.work.Next != nil && s.judge.Executed() == 0 {
		s.fail("too little", "%d operations had an answer, and %d commands were executed, in %v: callers must have commands", s.stats.Answers, s.judge.Executed(), s.Now())
	}
	if s.work.Model != nil && s.err == nil {
		s.judged(judge.Linearizable(s.judge.History(), s.work.Model))
	}
}

// serves expects all members within reach to answer and to settle.
func (s *Sim) serves(when string) {
	asked := s.probeAll()
	if open := s.until(healing, func() error { return cmp.Or(unanswered(asked), s.unsettled()) }); open != nil {
		s.fail("liveness", "%v after the last call began, and longer after the last fault, %s: %v", healing, when, open)
	}
}

// Converge lets time pass, at most d, until the group is settled. Otherwise it returns the reason.
func (s *Sim) Converge(d time.Duration) (open error) { return s.until(d, s.unsettled) }

// until lets time pass, at most d, until look returns nil; then it compares the states. Otherwise it returns look's last
// error.
func (s *Sim) until(d time.Duration, look func() error) (open error) {
	for end := s.Now() + d; s.err == nil && s.Now() < end; {
		s.RunFor(100 * time.Millisecond)
		if open = look(); open == nil {
			s.compareStates()
			return nil
		}
	}
	if s.err != nil {
		return nil
	}
	return open
}

// compareStates compares the whole states of a settled group.
func (s *Sim) compareStates() {
	op := s.judge.Committed().Op
	if err := s.witness.Note(uint64(op)); err != nil {
		s.broke("", err)
		return
	}
	for _, h := range s.hosts {
		if h.proc == nil || h.lost || h.absent != present {
			continue
		}
		if err := s.witness.Same(h.proc.user.Machine, uint64(op), h.id); err != nil {
			s.broke(h.id, err)
		}
	}
}

// heal ends all faults but the absences of members that stay out of reach.
func (s *Sim) heal() {
	s.note(-1, "all is healed", 0)
	s.net.Healed = true
	s.waiting = nil
	s.net.Changed()
	for _, h := range s.hosts {
		if h.absent != staysPaused {
			h.resume()
		}
		h.slow, h.dull, h.full = nil, nil, nil
		h.fuseUnburnt("that change of the disk never came")
		h.syncUnfailed()
		a := &h.faults
		a.fuse, a.syncs, a.noReads, a.noWrites = 0, 0, nil, nil
		h.fs.SetCapacity(0)
		if !h.lost {
			h.start()
		}
	}
}

// unsettled returns nil if all members that have their memory and are within reach are Normal in one view, with equal
// logs that are durable and applied, and no call waits.
func (s *Sim) unsettled() error {
	var first *process
	for _, h := range s.hosts {
		p := h.proc
		switch {
		case h.lost, h.absent != present, p == nil && h.idle && !s.net.Healed:
			continue
		case p == nil:
			return fmt.Errorf("%s does not run", h.id)
		case first == nil:
			first = p
		}
		if err := p.settledLike(first); err != nil {
			return fmt.Errorf("%s: %w; it is %+v", h.id, err, p.seen)
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
		return fmt.Errorf("view %d, log to %v, commit %d; %s has view %d, log to %v", x.Head.View, x.Last, x.Commit, first.h.id, y.Head.View, y.Last)
	case p.shell.Applier.Op() != x.Commit:
		return fmt.Errorf("applied %d of %d", p.shell.Applier.Op(), x.Commit)
	case len(p.proposals) > 0 || len(p.reads) > 0:
		return fmt.Errorf("%d proposals and %d reads have no outcome", len(p.proposals), len(p.reads))
	case p.h.truth().Last != x.Last:
		return fmt.Errorf("the log is durable to %v only", p.h.truth().Last)
	}
	return nil
}
