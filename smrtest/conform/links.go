package conform

import (
	"hash/fnv"
	"math/rand/v2"
	"time"

	"github.com/smr-go/smr"
)

// links has a random stream for each link, that is, for each two members and each direction.
type links struct {
	seed    uint64
	self    smr.ID
	streams map[smr.ID]*rand.Rand
}

func linksOf(seed uint64) links { return links{seed: seed, streams: map[smr.ID]*rand.Rand{}} }

// lot is what the stream of a link has for one message: four numbers from 0 to below 1, so many
// whatever is made of them, so that a message's lot depends on its place among those of the link
// alone.
type lot struct{ lose, repeat, first, second float64 }

// next draws the lot of the next message.
func (l *links) next(to smr.ID) lot {
	r := l.streams[to]
	if r == nil {
		r = l.stream(to)
		l.streams[to] = r
	}
	return lot{r.Float64(), r.Float64(), r.Float64(), r.Float64()}
}

func (l *links) stream(to smr.ID) *rand.Rand {
	h := fnv.New64a()
	h.Write([]byte(l.self))
	h.Write([]byte{0}) // ab to c is not a to bc
	h.Write([]byte(to))
	return rand.New(rand.NewPCG(l.seed, h.Sum64()))
}

// fate is what becomes of a message: none, one or two copies that are sent, each after a delay.
type fate struct {
	copies int
	delays [2]time.Duration
}

func (l lot) under(d Disturbance) fate {
	f := fate{copies: 1, delays: [2]time.Duration{d.delay(l.first), d.delay(l.second)}}
	switch {
	case l.lose < d.Lose:
		f.copies = 0
	case l.repeat < d.Repeat:
		f.copies = 2
	}
	return f
}

// delay returns the delay so far between the least and the longest.
func (d Disturbance) delay(at float64) time.Duration {
	return d.MinDelay + time.Duration(at*float64(max(0, d.MaxDelay-d.MinDelay)))
}
