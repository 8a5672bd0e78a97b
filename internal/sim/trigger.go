package sim

import (
	"time"

	"github.com/smr-go/smr/internal/sim/fault"
	"github.com/smr-go/smr/internal/vsr"
)

// hook is what a test does at a moment.
type hook struct {
	fault.Trigger // Nth is not used
	do            func()
}

// On calls do right after each such moment at host; message 0 is any.
func (s *Sim) On(host int, when fault.Moment, message vsr.MessageKind, do func()) {
	s.hooks = append(s.hooks, hook{fault.Trigger{Host: host, When: when, Message: message}, do})
}

// instant holds the moments of the present virtual time.
type instant struct {
	at      time.Duration
	moments []fault.Trigger
}

// trigger returns the trigger that would fire at the last of these moments, counted from the present
// time.
func (x *instant) trigger(host int, when fault.Moment, m vsr.MessageKind) *fault.Trigger {
	t := &fault.Trigger{Host: host, When: when, Message: m}
	for _, moment := range x.moments {
		if t.Matches(moment.Host, moment.When, moment.Message) {
			t.Nth++
		}
	}
	return t
}

// happened strikes with the scheduled and random faults that follow a moment, and calls the hooks.
func (s *Sim) happened(h *host, when fault.Moment, m vsr.MessageKind) {
	if s.instant.at != s.Now() {
		s.instant.at, s.instant.moments = s.Now(), s.instant.moments[:0]
	}
	s.instant.moments = append(s.instant.moments, fault.Trigger{Host: h.i, When: when, Message: m})
	if len(s.waiting) > 0 {
		s.fire(h, when, m)
	}
	if s.chance != nil {
		s.chance.happened(h, when, m)
	}
	for i := range s.hooks {
		if x := &s.hooks[i]; x.Matches(h.i, when, m) && h.proc != nil {
			x.do()
		}
	}
}

// fire strikes with the scheduled faults whose triggers fire at this moment.
func (s *Sim) fire(h *host, when fault.Moment, m vsr.MessageKind) {
	var due []*scheduled
	kept := s.waiting[:0]
	for _, x := range s.waiting {
		if x.Fault.After.Matches(h.i, when, m) {
			x.left--
		}
		if x.left == 0 {
			due = append(due, x)
		} else {
			kept = append(kept, x)
		}
	}
	s.waiting = kept
	for _, x := range due {
		t := x.Fault.After
		s.trigger = s.instant.trigger(t.Host, t.When, t.Message)
		s.strikeScheduled(x)
		s.trigger = nil
	}
}
