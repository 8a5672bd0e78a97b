package sim

import (
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"time"
)

// stream is one source of randomness. Every link, disk, client and fault maker has its own, named,
// so that what one of them draws does not change what the others do.
type stream struct{ *rand.Rand }

// newStream derives the stream of that name from the seed.
func newStream(seed uint64, name string, numbers ...int) stream {
	h := fnv.New64a()
	fmt.Fprint(h, name, numbers)
	return stream{rand.New(rand.NewPCG(seed, h.Sum64()))}
}

// chance is true with probability p.
func (s stream) chance(p float64) bool { return p > 0 && s.Float64() < p }

// between returns a duration from a to b, every one as likely.
func (s stream) between(a, b time.Duration) time.Duration {
	if b <= a {
		return a
	}
	return a + time.Duration(s.Int64N(int64(b-a)))
}

// scale returns a duration from a to b, every order of magnitude as likely.
func (s stream) scale(a, b time.Duration) time.Duration {
	return time.Duration(float64(a) * math.Pow(float64(b)/float64(a), s.Float64()))
}

// about returns a duration of that mean, as the gaps between independent events are.
func (s stream) about(mean time.Duration) time.Duration {
	return time.Duration(s.ExpFloat64() * float64(mean))
}

// oneOf returns one of the values.
func oneOf[T any](s stream, values ...T) T { return values[s.IntN(len(values))] }
