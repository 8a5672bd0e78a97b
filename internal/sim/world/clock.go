package world

import (
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
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

// Stream is one source of randomness. Every link, disk and caller, and every kind of fault, has its own, with a name,
// so that what one of them draws does not change what the others do.
type Stream struct{ *rand.Rand }

// NewStream derives the stream of that name from the seed.
func NewStream(seed uint64, name string, numbers ...int) Stream {
	h := fnv.New64a()
	fmt.Fprint(h, name, numbers)
	return Stream{rand.New(rand.NewPCG(seed, h.Sum64()))}
}

// Chance is true with probability p.
func (s Stream) Chance(p float64) bool { return p > 0 && s.Float64() < p }

// Between returns a duration from a to b, all equally likely.
func (s Stream) Between(a, b time.Duration) time.Duration {
	if b <= a {
		return a
	}
	return a + time.Duration(s.Int64N(int64(b-a)))
}

// Scale returns a duration from a to b, all orders of magnitude equally likely.
func (s Stream) Scale(a, b time.Duration) time.Duration {
	return time.Duration(float64(a) * math.Pow(float64(b)/float64(a), s.Float64()))
}

// About returns a duration with that mean, distributed like the gaps between independent events.
func (s Stream) About(mean time.Duration) time.Duration {
	return time.Duration(s.ExpFloat64() * float64(mean))
}

// OneOf returns one of the values, all equally likely.
func OneOf[T any](s Stream, values ...T) T { return values[s.IntN(len(values))] }
