package sim

import (
	"slices"
	"time"
)

// spell is what a fault does for a while, and how much of it.
type spell struct {
	until time.Duration
	much  int64
}

// spells are those of one kind at one place. The latest that lasts is the one that counts; when it is
// over before an earlier one, that one goes on.
type spells []spell

// begin adds one that lasts for d; 0: to the end of all faults. Nothing of it ends those before it too.
func (x *spells) begin(now, d time.Duration, much int64) {
	if much == 0 {
		*x = nil
		return
	}
	until := lasting(now, d)
	*x = append(slices.DeleteFunc(*x, func(s spell) bool { return s.until <= until }), spell{until, much})
}

// lasting returns until when something lasts that does so for d; 0: to the end of all faults.
func lasting(now, d time.Duration) time.Duration {
	if d == 0 || d > forever-now {
		return forever
	}
	return now + d
}

// much returns how much of it there is now.
func (x spells) much(now time.Duration) int64 {
	for _, s := range slices.Backward(x) {
		if now < s.until {
			return s.much
		}
	}
	return 0
}

// last reports whether there is any now.
func (x spells) last(now time.Duration) bool { return x.much(now) != 0 }
