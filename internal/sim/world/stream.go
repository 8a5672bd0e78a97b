package world

import (
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"time"
)

// Stream is one source of randomness. Every link, disk and caller, and every kind of fault, has its own, with a name, so
// that what one of them draws does not change what the others do.
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
