package sim

import (
	"time"

	"github.com/smr-go/smr/internal/vsr"
	"github.com/smr-go/smr/internal/wire"
)

// link carries messages one way, from one member to another.
type link struct {
	s        *Sim
	from, to int
	rng      stream
	cuts     int      // faults that have cut it
	old      [][]byte // what it has carried lately, in no order: some of it comes again
}

// remembered is how many messages a link can carry again.
const remembered = 32

func (s *Sim) newLinks() {
	for i := range s.p.Replicas {
		s.links = append(s.links, nil)
		for j := range s.p.Replicas {
			s.links[i] = append(s.links[i], &link{s: s, from: i, to: j, rng: newStream(s.seed, "link", i, j)})
		}
	}
}

// send carries a message: it may be lost, doubled, delayed, overtaken by others, and altered.
func (l *link) send(b []byte, m vsr.Message) {
	n := &l.s.p.Network
	l.s.note(l.from, "sends to", uint64(b[1])<<32|uint64(len(b)), vsr.Index(l.to), m)
	l.s.stats.Messages++
	if l.s.healed {
		l.deliver(n.Delay, b)
		return
	}
	if l.rng.chance(n.Corrupt) {
		l.corrupt(b)
		return
	}
	for copies := 1; copies > 0; copies-- {
		if l.rng.chance(n.Loss) {
			continue
		}
		delay := n.Delay + l.rng.about(n.Jitter)
		if l.rng.chance(n.Late) {
			delay += l.rng.between(0, n.Lateness)
		}
		if l.rng.chance(n.Double) && copies == 1 {
			copies++
		}
		l.deliver(delay, b)
	}
	l.replay(b)
}

// replay has an old message come again, once in a while.
func (l *link) replay(b []byte) {
	odds := l.s.p.Network.Replay
	switch {
	case odds == 0:
	case len(l.old) < remembered:
		l.old = append(l.old, b)
	default:
		i := l.rng.IntN(4 * remembered)
		if i < remembered {
			l.old[i] = b
		}
		if l.rng.chance(odds) {
			l.deliver(l.s.p.Network.Delay, l.old[l.rng.IntN(remembered)])
		}
	}
}

// corrupt sees that an altered message would be noticed, which makes it a loss.
func (l *link) corrupt(b []byte) {
	altered := append([]byte(nil), b...)
	altered[l.rng.IntN(len(b))] ^= 1 << l.rng.IntN(8)
	if _, _, err := wire.DecodeMessage(altered, l.s.tag); err == nil {
		l.s.fail("a message with a flipped bit is taken for a good one")
	}
}

func (l *link) deliver(delay time.Duration, b []byte) {
	if l.cut() {
		return
	}
	l.s.after(delay, func() {
		if p := l.s.hosts[l.to].proc; p != nil && !l.cut() {
			p.receive(l.from, b)
		}
	})
}

func (l *link) cut() bool { return l.cuts > 0 && !l.s.healed }

// cutFor cuts the link for a while.
func (l *link) cutFor(d time.Duration) {
	l.cuts++
	l.s.after(d, func() { l.cuts-- })
}
