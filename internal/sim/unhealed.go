package sim

import (
	"math/rand/v2"
	"time"

	"github.com/smr-go/smr/internal/sim/fault"
	"github.com/smr-go/smr/internal/sim/world"
)

// Unhealed is the number of members that stay out of reach in each way when all else is healed. The
// others must answer and settle. In total, no more members stay out of reach than the group can do
// without.
type Unhealed struct {
	Down   int
	Mute   int // no member receives its messages
	Deaf   int // it receives no messages
	Paused int
	Hung   int // its disk completes nothing
}

func drawUnhealed(seed uint64) (x Unhealed) {
	r := world.NewStream(seed, "staying")
	if !r.Chance(0.6) {
		return x
	}
	for range 1 + r.IntN(3) {
		*world.OneOf(r, &x.Down, &x.Mute, &x.Deaf, &x.Paused, &x.Hung)++
	}
	return x
}

// only returns the part of x that belongs to these classes.
func (x Unhealed) only(classes fault.Class) Unhealed {
	if classes&fault.CrashClass == 0 {
		x.Down = 0
	}
	if classes&fault.PartitionClass == 0 {
		x.Mute, x.Deaf = 0, 0
	}
	if classes&fault.PauseClass == 0 {
		x.Paused = 0
	}
	if classes&fault.DiskClass == 0 {
		x.Hung = 0
	}
	return x
}

// absence is the reason why a member is out of reach.
type absence uint8

const (
	present absence = iota // it is within reach
	staysDown
	staysMute
	staysDeaf
	staysPaused
	staysHung
)

var absenceNames = [...]string{"", "stays down", "stays mute", "stays deaf", "stays paused", "stays with a hung disk"}

// leaveUnhealed chooses the members that stay out of reach. The others remain enough for a group
// without them, and without the members that may have lost their memory.
func (s *Sim) leaveUnhealed() {
	x := s.p.Unhealed
	r := world.NewStream(s.p.Seed, "stay")
	spare := len(s.hosts) - max(s.members.Qr, s.members.Qv)
	for _, h := range s.hosts {
		if h.lost || h.faults.rotten {
			spare--
		}
	}
	if s.p.Volatile {
		x.Down = 0 // it would have lost its memory
	}
	if s.p.DiskLimit == 0 {
		x.Hung = 0 // a primary that waits for its disk without limit withholds from the others what only it has (D3)
	}
	if !s.confirmed() {
		return // it takes all members to confirm the group
	}
	for i, n := range []int{x.Down, x.Mute, x.Deaf, x.Paused, x.Hung} {
		for ; n > 0 && spare > 0; n-- {
			if h := s.victim(r); h.absent == present && !h.lost && !h.faults.rotten {
				h.stayAway(absence(i+1), r)
				spare--
			}
		}
	}
}

// hangTime is how long an operation of a hung disk takes.
const hangTime = 10_000 * time.Hour

// stayAway keeps a member out of reach.
func (h *host) stayAway(how absence, r world.Stream) {
	h.absent = how
	h.s.stats.Unhealed++
	h.s.note(h.i, absenceNames[how], uint64(how))
	switch how {
	case staysDown:
		h.fall(r.Chance(0.5), rand.New(rand.NewPCG(r.Uint64(), 0)))
		h.idle = true
	case staysPaused:
		h.pausedUntil = fault.Forever
	}
}

// comeBack ends all absences, and reports whether there were any.
func (s *Sim) comeBack() (any bool) {
	for _, h := range s.hosts {
		was := h.absent
		if was == present {
			continue
		}
		any = true
		h.absent = present
		h.s.note(h.i, "is within reach again", uint64(was))
		switch was {
		case staysDown:
			h.start()
		case staysPaused:
			h.resume()
		case staysHung:
			h.hasten(func(at time.Duration) bool { return at > s.Now()+hangTime/2 })
		}
	}
	s.net.Changed()
	return any
}
