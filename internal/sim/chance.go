package sim

import (
	"time"

	"github.com/smr-go/smr/internal/sim/fault"
	"github.com/smr-go/smr/internal/sim/world"
	"github.com/smr-go/smr/internal/vsr"
)

// chance makes faults while a run goes on. Each source has a random stream of its own, and a fault
// that chance makes is one that a schedule could have.
type chance struct {
	*Sim
	*Hazards
	streams []world.Stream        // of Triggered
	offers  map[*host]fault.Fault // of snapshots: they strike when the host offers its snapshot
}

// expose has chance make faults until the run's Trouble is over.
func (s *Sim) expose(h *Hazards) {
	c := &chance{Sim: s, Hazards: h, offers: map[*host]fault.Fault{}}
	s.chance = c
	for i := range h.Triggered {
		c.streams = append(c.streams, world.NewStream(s.p.Seed, "aim", i))
	}
	for i := range sourceTable {
		if h.Every[i] > 0 {
			c.begin(&sourceTable[i], h.Every[i])
		}
	}
	if h.MemoryLoss {
		r := world.NewStream(s.p.Seed, "memory")
		s.FaultAt(r.Between(s.Now(), s.trouble), func() { c.loseMemory(r) })
	}
}

// begin has a source make a fault again and again, with that mean time between two.
func (c *chance) begin(x *source, mean time.Duration) {
	rng := world.NewStream(c.p.Seed, x.stream)
	var next func()
	next = func() {
		if c.active() {
			x.strike(c, rng)
			c.FaultAt(c.Now()+rng.About(mean), next)
		}
	}
	c.FaultAt(c.Now()+rng.About(mean), next)
}

// active reports whether chance makes faults now.
func (c *chance) active() bool { return !c.net.Healed && c.Now() < c.trouble && c.err == nil }

// victim chooses a member that has its memory.
func (s *Sim) victim(r world.Stream) *host {
	return s.pick(r, func(h *host) bool { return !h.lost })
}

// running chooses a member whose process runs, any member if none does.
func (s *Sim) running(r world.Stream) *host {
	return s.pick(r, func(h *host) bool { return h.proc != nil })
}

// pick chooses a suitable member, often the primary; any member if none is suitable.
func (s *Sim) pick(r world.Stream, suits func(h *host) bool) *host {
	primary, from := r.Chance(0.4), r.IntN(len(s.hosts))
	if h := s.primary(); primary && h != nil && suits(h) {
		return h
	}
	for i := range s.hosts {
		if h := s.hosts[(from+i)%len(s.hosts)]; suits(h) {
			return h
		}
	}
	return s.hosts[from]
}

// other chooses a member other than this one, unless it is the only one.
func (s *Sim) other(r world.Stream, than int) int {
	n := len(s.hosts)
	return (than + 1 + r.IntN(max(n-1, 1))) % n
}

// primary returns the host of the latest view's primary, or nil.
func (s *Sim) primary() (h *host) {
	for _, x := range s.hosts {
		if p := x.proc; p != nil && p.seen.Phase == vsr.Primary && (h == nil || p.seen.Head.View > h.proc.seen.Head.View) {
			h = x
		}
	}
	return h
}
