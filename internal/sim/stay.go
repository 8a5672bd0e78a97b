package sim

import (
	"math/rand/v2"
	"time"
)

// Staying is who stays out of reach when all else is healed, while the others must answer and be one:
// so many members of each kind, and no more altogether than the group can do without.
type Staying struct {
	Down   int
	Mute   int // nobody hears it
	Deaf   int // it hears nobody
	Paused int
	Hung   int // nothing that it asks of its disk ends
}

// drawStaying chooses what stays.
func drawStaying(seed uint64) (x Staying) {
	r := newStream(seed, "staying")
	if !r.chance(0.6) {
		return x
	}
	for range 1 + r.IntN(3) {
		*oneOf(r, &x.Down, &x.Mute, &x.Deaf, &x.Paused, &x.Hung)++
	}
	return x
}

// only leaves what is of these sorts.
func (x Staying) only(sorts Sorts) Staying {
	if sorts&CrashFaults == 0 {
		x.Down = 0
	}
	if sorts&PartitionFaults == 0 {
		x.Mute, x.Deaf = 0, 0
	}
	if sorts&PauseFaults == 0 {
		x.Paused = 0
	}
	if sorts&DiskFaults == 0 {
		x.Hung = 0
	}
	return x
}

// staying is what keeps a member out of reach.
type staying uint8

const (
	nowhere staying = iota // it is within reach
	staysDown
	staysMute
	staysDeaf
	staysPaused
	staysHung
)

var stayingNames = [...]string{"", "stays down", "stays mute", "stays deaf", "stays paused", "stays with a hung disk"}

// choose says who stays out of reach: never so many that the others are no group without them.
// Whoever may lose his memory counts as one of them.
func (s *Sim) choose() {
	x := &s.p.Staying
	r := newStream(s.p.Seed, "stay")
	spare := len(s.hosts) - max(s.members.Qr, s.members.Qv)
	for _, h := range s.hosts {
		if h.lost || h.ailing.rotten {
			spare--
		}
	}
	down, hung := x.Down, x.Hung
	if s.p.Volatile {
		down = 0 // it would have lost its memory
	}
	if s.p.DiskLimit == 0 {
		hung = 0 // a primary that waits for its disk for ever keeps from the others what only it has (D3)
	}
	if s.judge.Committed().Op <= 1 {
		return // the group is not confirmed, for which it takes all of them
	}
	for i, n := range []int{down, x.Mute, x.Deaf, x.Paused, hung} {
		for ; n > 0 && spare > 0; n-- {
			if h := s.victim(r); h.stays == nowhere && !h.lost && !h.ailing.rotten {
				h.stay(staying(i+1), r)
				spare--
			}
		}
	}
}

// hangs is what a disk takes that hangs.
const hangs = 10_000 * time.Hour

// stay keeps a member out of reach.
func (h *host) stay(how staying, r stream) {
	h.stays = how
	h.s.stats.Stayed++
	h.s.note(h.i, stayingNames[how], uint64(how))
	switch how {
	case staysDown:
		h.fall(r.chance(0.5), rand.New(rand.NewPCG(r.Uint64(), 0)))
		h.idle = true
	case staysPaused:
		h.pausedUntil = forever
	}
}

// comeBack ends that for all, and reports whether it was so for any.
func (s *Sim) comeBack() (any bool) {
	for _, h := range s.hosts {
		was := h.stays
		if was == nowhere {
			continue
		}
		any = true
		h.stays = nowhere
		h.s.note(h.i, "is within reach again", uint64(was))
		switch was {
		case staysDown:
			h.start()
		case staysPaused:
			h.resume()
		case staysHung:
			h.hasten(func(at time.Duration) bool { return at > s.now+hangs/2 })
		}
	}
	s.linksChanged()
	return any
}

// apart reports whether a link is cut because of who stays out of reach.
func (l *link) apart() bool {
	return l.from != l.to && (l.s.hosts[l.from].stays == staysMute || l.s.hosts[l.to].stays == staysDeaf)
}
