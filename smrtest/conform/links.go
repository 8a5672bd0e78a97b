package conform

import (
	"hash/fnv"
	"math/rand/v2"
	"time"

	"github.com/smr-go/smr"
)

// links has a random stream for each link from self to another member.
type links struct {
	seed    uint64
	self    smr.ID
	streams map[smr.ID]*rand.Rand
}

func linksOf(seed uint64) links { return links{seed: seed, streams: map[smr.ID]*rand.Rand{}} }

// lot holds the random numbers of one message, each in [0,1). There are always four, used or not, so that
// a message's lot depends only on its position among the messages of its link.
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

// fate is the number of copies of a message that are sent, 0 to 2, and the delay of each.
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

// delay returns the delay at a fraction of the way from MinDelay to MaxDelay.
func (d Disturbance) delay(at float64) time.Duration {
	return d.MinDelay + time.Duration(at*float64(max(0, d.MaxDelay-d.MinDelay)))
}
