package sim

import "github.com/smr-go/smr/internal/sim/fault"

// Ineffective is a fault that had no effect, and why. A schedule with such faults shows less than it
// seems to.
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

// Inject schedules a fault: it strikes at its time, or now if that has passed, or when its trigger
// fires after that.
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

// ineffective returns the faults without effect: scheduled ones that could not strike, and those
// that struck and then waited in vain for the disk.
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
