package sim

import (
	"fmt"
	"regexp"
	"slices"
	"time"

	"github.com/smr-go/smr/internal/sim/fault"
	"github.com/smr-go/smr/internal/vsr"
)

// Whether Status tells the truth: a replica through which calls fail must report a problem, one that works in a whole
// group none.

// silence is the longest time for which calls through a replica may fail while it reports no problem, and for which it
// may report one when there is none.
func (s *Sim) silence() time.Duration { return 2*time.Second + 5*s.p.Heartbeat }

// served notes that a call of the process has an answer that takes a primary and a quorum.
func (p *process) served(c *Call) {
	if c.Body != nil || !c.Stale {
		p.servedAt = p.s.Now()
	}
}

// failing returns for how long calls through the process, which wait, have had no answer while it was not paused.
func (p *process) failing() time.Duration {
	since := p.s.Now()
	for _, c := range p.proposals {
		since = min(since, c.Began)
	}
	for _, c := range p.reads {
		if !c.Stale {
			since = min(since, c.Began)
		}
	}
	return p.s.Now() - max(since, p.servedAt, p.h.pausedUntil)
}

// checkStatus returns an error if calls through the process fail and it does not report that.
func (p *process) checkStatus(now *vsr.State) error {
	if d := p.failing(); now.Problem == "" && d > p.s.silence() {
		return fmt.Errorf("calls through %s have failed for %v, and it reports no problem: it is %+v", p.h.id, d, *now)
	}
	return nil
}

// hasStruck reports whether a fault of these kinds has struck.
func (s *Sim) hasStruck(kinds ...fault.Kind) bool {
	return slices.ContainsFunc(s.struck, func(f fault.Fault) bool { return slices.Contains(kinds, f.Kind) })
}

// isAbout reports whether a problem is about the member.
func isAbout(problem, id string) bool {
	return regexp.MustCompile(`\b` + id + `(:|, | has | is | are | and | did | \(|'s |;|$)`).MatchString(problem)
}

// checkStatuses returns nil if every member within reach names one that is not, if the group can bear the absence of
// some, and reports no problem if there are none, is ready then, and knows how many more may fail. Two members that stay apart lower the tolerance if one of them is the
// primary.
func (s *Sim) checkStatuses() error {
	away, spare := []string{}, len(s.hosts)-max(s.members.Qr, s.members.Qv)
	for _, h := range s.hosts {
		unharmed := s.p.Volatile && h.outage == outageHung // there is no disk
		if spare > 0 && (h.lost || h.outage != noOutage) && !unharmed {
			away = append(away, h.id)
		}
	}
	for _, h := range s.hosts {
		if h.proc == nil || h.lost || h.outage != noOutage {
			continue
		}
		problem := h.proc.seen.Problem
		named := slices.ContainsFunc(away, func(id string) bool { return isAbout(problem, id) })
		if len(away) > 0 && !named {
			return fmt.Errorf("%v are out of reach, and %s reports %q", away, h.id, problem)
		}
		if len(away) == 0 && s.apart == nil && problem != "" {
			return fmt.Errorf("all are well, and %s reports %q", h.id, problem)
		}
		health := h.proc.core().Health(nil)
		if most := max(spare-len(away), 0); health.Tolerance > most || len(away) == 0 && s.apart == nil && health.Tolerance < most {
			return fmt.Errorf("%v are out of reach, and %s reports that the group can bear the failure of %d more, and %q", away, h.id, health.Tolerance, problem)
		}
		if !health.Ready && problem == "" {
			return fmt.Errorf("%s reports no problem, and is not ready", h.id)
		}
	}
	return nil
}
