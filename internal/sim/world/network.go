package world

import (
	"time"

	"github.com/smr-go/smr/internal/sim/fault"
)

// Conditions describes all links. Each probability is that of one message.
type Conditions struct {
	Delay, Jitter time.Duration
	Loss          float64
	Double        float64
	Late          float64 // delayed by up to Lateness
	Lateness      time.Duration
	Replay        float64 // followed by an old message
	Corrupt       float64
}

// Group is the members that a network connects.
type Group interface {
	Up(i int) bool                  // member i is there to receive
	Receive(from, to int, b []byte) // a message arrives
	Altered(b []byte)               // a message with a flipped bit arrives; the receiver must notice
	Severed(from, to int) bool      // the link carries nothing, even once all is healed
}

// Watcher observes messages and links. It changes nothing.
type Watcher interface {
	Ended(at time.Duration, id uint64, fate Fate)
	Linked(at time.Duration, from, to int, whole bool)
}

// Fate is the end of a message.
type Fate uint8

// The fates.
const (
	Arrived Fate = iota
	Lost
	CutOff  // the link was cut
	Refused // the receiver was down
)

// Network has a link from each member to each.
type Network struct {
	Quiet  bool      // no message is lost or late
	Healed bool      // no message is lost or late, and no fault cuts a link
	Links  [][]*Link // [from][to]

	*Conditions
	events  *Events
	group   Group
	watcher Watcher // may be nil
	spare   []*delivery
}

// NewNetwork returns the network of n members. The watcher may be nil.
func NewNetwork(seed uint64, n int, c *Conditions, e *Events, g Group, w Watcher) *Network {
	net := &Network{Conditions: c, events: e, group: g, watcher: w}
	for i := range n {
		net.Links = append(net.Links, nil)
		for j := range n {
			net.Links[i] = append(net.Links[i], &Link{net: net, from: i, to: j, stream: NewStream(seed, "link", i, j)})
		}
	}
	return net
}

// Each calls do for each link, and then Changed.
func (n *Network) Each(do func(from, to int, l *Link)) {
	for i, links := range n.Links {
		for j, l := range links {
			do(i, j, l)
		}
	}
	n.Changed()
}

// Changed reports to the watcher which links were cut, or are whole again.
func (n *Network) Changed() {
	for _, links := range n.Links {
		for _, l := range links {
			l.changed()
		}
	}
}

// Link carries messages one way, from one member to another.
type Link struct {
	Slow  fault.Timed // ns added
	Lossy fault.Timed // of 1,000 messages

	net      *Network
	from, to int
	stream   Stream
	cutUntil time.Duration // by faults that cut it for a while
	cutOff   bool          // until Mend
	told     bool          // the watcher knows that it is cut
	old      [][]byte      // some recent messages, in no order, that may be carried again
}

// remembered is the number of messages that a link can carry again.
const remembered = 32

// Send carries a message, which id identifies. It may be lost, doubled, delayed, overtaken by others, or altered.
func (l *Link) Send(id uint64, b []byte) {
	n, now := l.net, l.net.events.Now()
	if n.Healed || n.Quiet {
		l.deliver(n.Delay, id, b)
		return
	}
	if l.stream.Chance(n.Corrupt) {
		l.corrupt(b)
		l.ended(id, Lost)
		return
	}
	for copies := 1; copies > 0; copies-- {
		if l.stream.Chance(n.Loss) || l.stream.Chance(float64(l.Lossy.Amount(now))/1000) {
			l.ended(id, Lost)
			continue
		}
		delay := n.Delay + time.Duration(l.Slow.Amount(now)) + l.stream.About(n.Jitter)
		if l.stream.Chance(n.Late) {
			delay += l.stream.Between(0, n.Lateness)
		}
		if l.stream.Chance(n.Double) && copies == 1 {
			copies++
		}
		l.deliver(delay, id, b)
	}
	l.replay(id, b)
}

// replay carries an old message again, once in a while.
func (l *Link) replay(id uint64, b []byte) {
	switch {
	case l.net.Replay == 0:
	case len(l.old) < remembered:
		l.old = append(l.old, b)
	default:
		i := l.stream.IntN(4 * remembered)
		if i < remembered {
			l.old[i] = b
		}
		if l.stream.Chance(l.net.Replay) {
			l.deliver(l.net.Delay, id, l.old[l.stream.IntN(remembered)])
		}
	}
}

// corrupt flips a bit of a copy. The receiver must notice that, which makes it a loss.
func (l *Link) corrupt(b []byte) {
	altered := append([]byte(nil), b...)
	altered[l.stream.IntN(len(b))] ^= 1 << l.stream.IntN(8)
	l.net.group.Altered(altered)
}

func (l *Link) deliver(delay time.Duration, id uint64, b []byte) {
	if l.IsCut() {
		l.ended(id, CutOff)
		return
	}
	d := l.net.newDelivery()
	d.on, d.id, d.b = l, id, b
	l.net.events.After(delay, d.arrive)
}

// delivery is a message on its way. Its memory is used again.
type delivery struct {
	on     *Link
	id     uint64
	b      []byte
	arrive func() // arrived, made once
}

func (n *Network) newDelivery() *delivery {
	if last := len(n.spare) - 1; last >= 0 {
		d := n.spare[last]
		n.spare = n.spare[:last]
		return d
	}
	d := &delivery{}
	d.arrive = d.arrived
	return d
}

func (d *delivery) arrived() {
	l, id, b := d.on, d.id, d.b
	n := l.net
	d.on, d.b = nil, nil
	n.spare = append(n.spare, d)
	switch {
	case l.IsCut():
		l.ended(id, CutOff)
	case !n.group.Up(l.to):
		l.ended(id, Refused)
	default:
		l.ended(id, Arrived)
		n.group.Receive(l.from, l.to, b)
	}
}

func (l *Link) ended(id uint64, fate Fate) {
	if w := l.net.watcher; w != nil {
		w.Ended(l.net.events.Now(), id, fate)
	}
}

// CutFor cuts the link for a while; 0: until Mend.
func (l *Link) CutFor(d time.Duration) {
	if d == 0 {
		l.cutOff = true
		return
	}
	l.cutUntil = max(l.cutUntil, l.net.events.Now()+d)
	l.net.events.After(d, l.changed)
}

// Mend ends a cut that lasts until then.
func (l *Link) Mend() { l.cutOff = false }

// Reset ends all that faults did to the link.
func (l *Link) Reset() { l.cutUntil, l.cutOff, l.Slow, l.Lossy = 0, false, nil, nil }

// IsCut reports whether the link carries nothing now.
func (l *Link) IsCut() bool {
	cut := l.cutOff || l.net.events.Now() < l.cutUntil
	return cut && !l.net.Healed || l.net.group.Severed(l.from, l.to)
}

// changed reports to the watcher if the link was cut, or is whole again.
func (l *Link) changed() {
	if w := l.net.watcher; w != nil && l.IsCut() != l.told {
		l.told = !l.told
		w.Linked(l.net.events.Now(), l.from, l.to, !l.told)
	}
}
