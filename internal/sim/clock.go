package sim

import (
	"time"
	"unsafe"
)

// began is what the hosts' wall clocks show at the beginning, but for their offsets.
var began = time.Unix(1_700_000_000, 0).UTC()

// reading is a time as time.Now returns it, of a wall clock and a monotonic one: differences go by
// the monotonic one, and a jump of the wall clock shows in dates alone. Package time can make no
// such value of two numbers; TestReadings sees that its layout is still as it is here.
func reading(wall time.Time, mono time.Duration) time.Time {
	const (
		hasMonotonic = 1 << 63
		from1885     = 2_682_288_000 // seconds from 1885 to 1970
	)
	parts := struct {
		wall uint64
		ext  int64
		loc  *time.Location
	}{hasMonotonic | uint64(wall.Unix()+from1885)<<30 | uint64(wall.Nanosecond()), int64(mono), nil}
	return *(*time.Time)(unsafe.Pointer(&parts))
}

// clock is what a host's two clocks are like.
type clock struct {
	drift  float64       // how much the rate differs from the true one
	behind time.Duration // the monotonic clock, which stood still while the machine was suspended
	wall   time.Duration // how far the wall clock is off the monotonic one

	asleep, until time.Duration // the machine is suspended since and until then; 0: it is not
}

// sleep has the monotonic clock stand still, and the wall clock with it.
func (c *clock) sleep(now, until time.Duration) {
	c.catchUp(now)
	if c.until == 0 {
		c.asleep = now
	}
	c.until = max(c.until, until)
}

// wake has the clocks go on.
func (c *clock) wake(now time.Duration) {
	c.until = min(c.until, now)
	c.catchUp(now)
}

// catchUp accounts for a sleep that is over.
func (c *clock) catchUp(now time.Duration) {
	if 0 < c.until && c.until <= now {
		c.behind += c.until - c.asleep
		c.until = 0
	}
}

// at returns what the clocks show at a virtual time.
func (c *clock) at(now time.Duration) time.Time {
	c.catchUp(now)
	if c.until > 0 {
		now = c.asleep
	}
	mono := now + time.Duration(float64(now)*c.drift) - c.behind
	return reading(began.Add(mono+c.wall), mono)
}

// when returns the virtual time at which the monotonic clock shows t.
func (c *clock) when(t time.Time) time.Duration {
	mono := t.Sub(reading(began, 0))
	return time.Duration(float64(mono+c.behind) / (1 + c.drift))
}
