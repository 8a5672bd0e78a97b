package world

import (
	"time"

	"github.com/smr-go/smr/internal/reading"
)

// began is what wall clocks show at the beginning, but for their offsets.
var began = time.Unix(1_700_000_000, 0).UTC()

// Clock is the wall clock and the monotonic clock of a machine.
type Clock struct {
	Drift float64       // the difference between its rate and the true one
	Wall  time.Duration // the difference between the wall clock and the monotonic one

	behind        time.Duration // the monotonic clock, which stood still while the machine was suspended
	asleep, until time.Duration // the machine is suspended since and until then; 0: it is not
}

// Sleep stops the monotonic clock, and the wall clock with it, until then.
func (c *Clock) Sleep(now, until time.Duration) {
	c.catchUp(now)
	if c.until == 0 {
		c.asleep = now
	}
	c.until = max(c.until, until)
}

// Wake ends a Sleep.
func (c *Clock) Wake(now time.Duration) {
	c.until = min(c.until, now)
	c.catchUp(now)
}

// catchUp accounts for a sleep that is over.
func (c *Clock) catchUp(now time.Duration) {
	if 0 < c.until && c.until <= now {
		c.behind += c.until - c.asleep
		c.until = 0
	}
}

// At returns what the clocks show at a virtual time.
func (c *Clock) At(now time.Duration) time.Time {
	c.catchUp(now)
	if c.until > 0 {
		now = c.asleep
	}
	mono := now + time.Duration(float64(now)*c.Drift) - c.behind
	return reading.Of(began.Add(mono+c.Wall), mono)
}

// When returns the virtual time at which the monotonic clock shows t.
func (c *Clock) When(t time.Time) time.Duration {
	mono := t.Sub(reading.Of(began, 0))
	return time.Duration(float64(mono+c.behind) / (1 + c.Drift))
}
