package sim

import (
	"slices"
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

// trigger returns the trigger that would fire at the last of these moments, counted from the present time.
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
	s.waiting = slices.DeleteFunc(s.waiting, func(x *scheduled) bool {
		if x.Fault.After.Matches(h.i, when, m) {
			x.left--
		}
		if x.left == 0 {
			due = append(due, x)
		}
		return x.left == 0
	})
	for _, x := range due {
		t := x.Fault.After
		s.after(t.Host, t.When, t.Message, func() { s.strikeScheduled(x) })
	}
}

// after has strike make faults that follow this moment at a host.
func (s *Sim) after(host int, when fault.Moment, m vsr.MessageKind, strike func()) {
	s.trigger = s.instant.trigger(host, when, m)
	strike()
	s.trigger = nil
}

// Ineffective is a fault that had no effect, and why. A schedule with such faults shows less than it seems to.
type Ineffective struct {
	Fault  fault.Fault
	Why    string
	struck bool // it is among those that have happened
}

// scheduled is a fault that a schedule asks for.
type scheduled struct {
	Ineffective     // while Why is not ""
	left        int // moments until its trigger fires
}

// Inject schedules a fault: it strikes at its time, or now if that has passed, or when its trigger fires after that.
func (s *Sim) Inject(f fault.Fault) {
	x := &scheduled{Ineffective: Ineffective{Fault: f, Why: "its time never came"}}
	s.scheduled = append(s.scheduled, x)
	s.inject(x)
}

func (s *Sim) inject(x *scheduled) {
	switch {
	case x.Fault.At > s.Now():
		s.FaultAt(x.Fault.At, func() { s.inject(x) })
	case x.Fault.After != nil:
		x.Why, x.left = "its moment never came", max(x.Fault.After.Nth, 1)
		s.waiting = append(s.waiting, x)
	default:
		s.strikeScheduled(x)
	}
}

func (s *Sim) strikeScheduled(x *scheduled) {
	x.Why = ""
	if err := s.strike(x.Fault); err != nil {
		x.Why = err.Error()
	}
}

// await has a fault that has struck wait for its moment at the host. It takes the place of one of its kind that waits.
func (h *host) await(f *fault.Fault) error {
	h.expire("another one took its place", f.Kind)
	h.pending[f.Kind] = f
	return nil
}

// expire ends the waiting of faults of these kinds.
func (h *host) expire(why string, kinds ...fault.Kind) {
	for _, kind := range kinds {
		if f := h.pending[kind]; f != nil {
			h.s.expired = append(h.s.expired, Ineffective{*f, why, true})
			delete(h.pending, kind)
		}
	}
}

// ineffective returns the faults without effect: scheduled ones that could not strike, and those that expired.
func (s *Sim) ineffective() (all []Ineffective) {
	for _, x := range s.scheduled {
		if x.Why != "" {
			all = append(all, x.Ineffective)
		}
	}
	return append(all, s.expired...)
}

// Classes returns the classes of faults that have happened in the run.
func (r *Report) Classes() fault.Class {
	x := r.Happened().Class()
	p := &r.Schedule.Setup
	n := p.Network
	if n.Loss > 0 || n.Double > 0 || n.Late > 0 || n.Replay > 0 || n.Corrupt > 0 {
		x |= fault.NetworkClass
	}
	if p.Drift > 0 || p.ClockGap > 0 {
		x |= fault.ClockClass
	}
	if p.Turn > 0 {
		x |= fault.PauseClass
	}
	return x
}

// Happened counts the faults that have happened in the run.
func (r *Report) Happened() (n fault.Counts) {
	for i := range r.Schedule.Faults {
		n[r.Schedule.Faults[i].Kind]++
	}
	for i := range r.Ineffective {
		if x := &r.Ineffective[i]; x.struck {
			n[x.Fault.Kind]--
		}
	}
	return n
}
