package sim

import (
	"fmt"
	"strings"
)

// Vain is a fault that did nothing, and why: a schedule that has such shows less than it seems to.
type Vain struct {
	Fault Fault
	Why   string
	made  bool // it was made all the same
}

// asked is a fault that a schedule asks for.
type asked struct {
	Fault
	why  string // nothing has come of it; "": something has
	made bool
}

// Inject has a fault happen: now, if its time has come, otherwise then, or after its moment.
func (s *Sim) Inject(f Fault) {
	s.asked = append(s.asked, asked{Fault: f, why: "its time never came"})
	s.inject(len(s.asked) - 1)
}

func (s *Sim) inject(i int) {
	x := &s.asked[i]
	switch {
	case x.At > s.now:
		s.faultAt(x.At, func() { s.inject(i) })
	case x.After != nil:
		x.why = "its moment never came"
		s.armed = append(s.armed, armed{i, max(x.After.Nth, 1)})
	default:
		s.fulfil(i)
	}
}

// fulfil makes the fault that was asked for.
func (s *Sim) fulfil(i int) {
	x := &s.asked[i]
	f := x.Fault
	before := len(s.made)
	x.why = ""
	if err := s.make(f); err != nil {
		x.why, x.made = err.Error(), len(s.made) > before
	}
}

// vain returns the faults that did nothing: of those that were asked for, and of those that waited
// for something that the disk would do.
func (s *Sim) vain() (all []Vain) {
	for i := range s.asked {
		if x := &s.asked[i]; x.why != "" {
			all = append(all, Vain{x.Fault, x.why, x.made})
		}
	}
	return append(all, s.unmet...)
}

// burnsOut notes a fuse that has not burnt.
func (h *host) burnsOut(why string) {
	if a := &h.ailing; a.fuse > 0 && !a.burnt && a.fault != nil && a.fault.Kind == CrashIn {
		h.s.unmet = append(h.s.unmet, Vain{*a.fault, why, true})
	}
}

// unfailed notes a sync that was to fail and never came.
func (h *host) unfailed() {
	if h.ailing.syncs == 0 {
		return
	}
	for i := len(h.s.made) - 1; i >= 0; i-- {
		if f := &h.s.made[i]; f.Kind == FailSync && f.Host == h.i {
			h.s.unmet = append(h.s.unmet, Vain{*f, "that sync never came", true})
			return
		}
	}
}

// Sorts returns which sorts of faults have happened in the run.
func (r *Report) Sorts() (x Sorts) {
	for kind, n := range r.Happened() {
		if n > 0 {
			x |= Kind(kind).sort()
		}
	}
	p := &r.Schedule.Setup
	n := p.Network
	if n.Loss > 0 || n.Double > 0 || n.Late > 0 || n.Replay > 0 || n.Corrupt > 0 {
		x |= NetworkFaults
	}
	if p.Drift > 0 || p.ClockGap > 0 {
		x |= ClockFaults
	}
	if p.Turn > 0 {
		x |= PauseFaults
	}
	return x
}

// Happened returns how many faults of each kind have happened in the run.
func (r *Report) Happened() (n Counts) {
	for i := range r.Schedule.Faults {
		n[r.Schedule.Faults[i].Kind]++
	}
	for i := range r.Vain {
		if v := &r.Vain[i]; v.made {
			n[v.Fault.Kind]--
		}
	}
	return n
}

// Counts is how many there are of each kind of fault.
type Counts [kinds]int

func (n Counts) plus(m Counts) Counts {
	for kind := range n {
		n[kind] += m[kind]
	}
	return n
}

func (n Counts) String() string {
	var all []string
	for kind, count := range n {
		if count > 0 {
			all = append(all, fmt.Sprintf("%v %d", Kind(kind), count))
		}
	}
	return strings.Join(all, ", ")
}

// sort returns what sort of fault the kind is.
func (k Kind) sort() Sorts {
	switch k {
	case Crash, PowerCut, CrashIn, Start, Stop:
		return CrashFaults
	case Pause, Resume, Suspend, SlowTurns:
		return PauseFaults
	case Isolate, Deafen, Join, Cut, Mend, Split, SplitOneWay, Bridge, Ring:
		return PartitionFaults
	case SlowLink, LossyLink:
		return NetworkFaults
	case Wipe:
		return LostDiskFaults
	case ClockJump:
		return ClockFaults
	case HandOver:
		return HandoverFaults
	case noFault:
		return 0
	}
	return DiskFaults
}
