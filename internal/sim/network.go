package sim

import (
	"time"

	"github.com/smr-go/smr/internal/sim/fault"
	"github.com/smr-go/smr/internal/vsr"
	"github.com/smr-go/smr/internal/wire"
)

// link carries messages one way, from one member to another.
type link struct {
	s        *Sim
	from, to int
	rng      stream
	cutUntil time.Duration // by faults that cut it for a while
	cutOff   bool          // until Mend or Join
	told     bool          // the watcher knows it as cut
	slow     fault.Timed   // ns added
	lossy    fault.Timed   // of 1,000 messages
	old      [][]byte      // what it has carried lately, in no order: some of it comes again
}

// remembered is how many messages a link can carry again.
const remembered = 32

func (s *Sim) newLinks() {
	for i := range s.p.Replicas {
		s.links = append(s.links, nil)
		for j := range s.p.Replicas {
			s.links[i] = append(s.links[i], &link{s: s, from: i, to: j, rng: newStream(s.p.Seed, "link", i, j)})
		}
	}
}

// send carries a message: it may be lost, doubled, delayed, overtaken by others, and altered.
func (l *link) send(b []byte, m vsr.Message) {
	s, n := l.s, &l.s.p.Network
	s.messages++
	id := s.messages
	s.mark(l.from, marksSend, uint64(b[1])<<40|uint64(l.to)<<32|uint64(len(b)))
	if s.watcher != nil {
		s.watcher.Sent(s.now, id, l.from, l.to, m)
	}
	s.stats.Messages++
	if s.healed || s.quiet {
		l.deliver(n.Delay, id, b)
		return
	}
	if l.rng.chance(n.Corrupt) {
		l.corrupt(b)
		l.ended(id, Lost)
		return
	}
	for copies := 1; copies > 0; copies-- {
		if l.rng.chance(n.Loss) || l.rng.chance(float64(l.lossy.Amount(s.now))/1000) {
			l.ended(id, Lost)
			continue
		}
		delay := n.Delay + time.Duration(l.slow.Amount(s.now)) + l.rng.about(n.Jitter)
		if l.rng.chance(n.Late) {
			delay += l.rng.between(0, n.Lateness)
		}
		if l.rng.chance(n.Double) && copies == 1 {
			copies++
		}
		l.deliver(delay, id, b)
	}
	l.replay(id, b)
}

// replay has an old message come again, once in a while.
func (l *link) replay(id uint64, b []byte) {
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
			l.deliver(l.s.p.Network.Delay, id, l.old[l.rng.IntN(remembered)])
		}
	}
}

// corrupt sees that an altered message would be noticed, which makes it a loss.
func (l *link) corrupt(b []byte) {
	altered := append([]byte(nil), b...)
	altered[l.rng.IntN(len(b))] ^= 1 << l.rng.IntN(8)
	if _, _, err := wire.DecodeMessage(altered, l.s.tag); err == nil {
		l.s.fail("F2", "a message with a flipped bit is taken for a good one")
	}
}

func (l *link) deliver(delay time.Duration, id uint64, b []byte) {
	if l.cut() {
		l.ended(id, CutOff)
		return
	}
	d := l.s.newDelivery()
	d.on, d.id, d.b = l, id, b
	l.s.after(delay, d.arrive)
}

// delivery is a message on its way. Its memory is used again.
type delivery struct {
	on     *link
	id     uint64
	b      []byte
	arrive func() // arrived, made once
}

func (s *Sim) newDelivery() *delivery {
	if last := len(s.arrived) - 1; last >= 0 {
		d := s.arrived[last]
		s.arrived = s.arrived[:last]
		return d
	}
	d := &delivery{}
	d.arrive = d.arrived
	return d
}

func (d *delivery) arrived() {
	l, id, b := d.on, d.id, d.b
	d.on, d.b = nil, nil
	l.s.arrived = append(l.s.arrived, d)
	p := l.s.hosts[l.to].proc
	switch {
	case l.cut():
		l.ended(id, CutOff)
	case p == nil:
		l.ended(id, Refused)
	default:
		l.ended(id, Arrived)
		p.receive(l.from, b)
	}
}

func (l *link) ended(id uint64, fate Fate) {
	if w := l.s.watcher; w != nil {
		w.Ended(l.s.now, id, fate)
	}
}

func (l *link) cut() bool {
	return (l.cutOff || l.s.now < l.cutUntil) && !l.s.healed || l.absent()
}

// changed tells the watcher if the link was cut, or is whole again.
func (l *link) changed() {
	if w := l.s.watcher; w != nil && l.cut() != l.told {
		l.told = l.cut()
		w.Linked(l.s.now, l.from, l.to, !l.told)
	}
}

func (s *Sim) linksChanged() {
	for _, links := range s.links {
		for _, l := range links {
			l.changed()
		}
	}
}
