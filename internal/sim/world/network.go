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
	Buffered      bool // buffers on the way take all that waits for a narrow link, so that nothing overtakes it there
}

// Group is the members that a network connects.
type Group interface {
	Up(i int) bool                  // member i is there to receive
	Receive(from, to int, b []byte) // a message arrives
	Altered(b []byte)               // a message with a flipped bit arrives; the receiver must notice
	Severed(from, to int) bool      // the link carries nothing, even once all is healed
	Fits(to int, b []byte) bool     // the numbers in an old message are again those of its receiver
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

// Restless reports whether a fault makes a link slow, lossy or narrow now.
func (n *Network) Restless() bool {
	now := n.events.Now()
	for _, links := range n.Links {
		for _, l := range links {
			if !n.Healed && (l.Slow.Active(now) || l.Lossy.Active(now) || l.Narrow.Active(now)) {
				return true
			}
		}
	}
	return false
}

// Link carries messages one way, from one member to another.
type Link struct {
	Slow    fault.Timed // ns added
	Lossy   fault.Timed // of 1,000 messages
	Narrow  fault.Timed // bytes a second that it carries; 0: any number
	Carried int64       // bytes of messages that have left

	net      *Network
	from, to int
	stream   Stream
	leaving  *delivery     // the message that is being sent, piece by piece, or nil
	ahead    []*delivery   // short messages that wait to leave
	bulk     []*delivery   // long messages that wait to leave, after those in ahead
	waiting  int           // bytes of the messages that wait or leave
	cutUntil time.Duration // by faults that cut it for a while
	cutOff   bool          // until Mend
	shownCut bool          // the watcher knows that it is cut
	old      [][]sent      // by kind of message: some that may be carried again, in no order
	kinds    []int         // of which there are some
}

// sent is a message that was sent before.
type sent struct {
	id uint64
	b  []byte
}

// A link can carry remembered messages of each kind again, so that rare ones are not forgotten for frequent ones. It
// tries some, until one fits the state that its receiver is in by then.
const (
	remembered = 4
	attempts   = 8
)

// A narrow link has a queue like that of a transport: short messages go ahead of bulk, between two of its pieces.
const (
	piece       = 16 << 10 // bytes
	longestWait = 64 << 20 // bytes that may wait
)

// Send carries a message, which id identifies. It may be lost, doubled, delayed, overtaken by others, or altered.
func (l *Link) Send(id uint64, b []byte, kind int, bulk bool) {
	n, now := l.net, l.net.events.Now()
	if n.Healed || n.Quiet {
		l.deliver(n.Delay, id, b, bulk)
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
		l.deliver(delay, id, b, bulk)
	}
	l.remember(id, b, kind)
	if l.stream.Chance(n.Replay) {
		l.replay()
	}
}

// remember keeps a message in place of an older one of its kind, often for long.
func (l *Link) remember(id uint64, b []byte, kind int) {
	if l.net.Replay == 0 {
		return
	}
	for len(l.old) <= kind {
		l.old = append(l.old, nil)
	}
	switch old := &l.old[kind]; {
	case len(*old) == 0:
		l.kinds = append(l.kinds, kind)
		fallthrough
	case len(*old) < remembered:
		*old = append(*old, sent{id, b})
	default:
		if i := l.stream.IntN(4 * remembered); i < remembered {
			(*old)[i] = sent{id, b}
		}
	}
}

// replay carries an old message again, if possible one whose numbers fit its receiver again.
func (l *Link) replay() {
	var m sent
	for i := 0; i < attempts && len(l.kinds) > 0 && (m.b == nil || !l.net.group.Fits(l.to, m.b)); i++ {
		m = OneOf(l.stream, l.old[OneOf(l.stream, l.kinds...)]...)
	}
	if m.b != nil {
		l.deliver(l.net.Delay, m.id, m.b, true)
	}
}

// Revive carries old messages to a member that has begun, or has entered another view: they may fit its state again.
func (n *Network) Revive(to int) {
	for from := range n.Links {
		if l := n.Links[from][to]; !n.Healed && !n.Quiet && l.stream.Chance(10*n.Replay) {
			l.replay()
		}
	}
}

// corrupt flips a bit of a copy. The receiver must notice that, which makes it a loss.
func (l *Link) corrupt(b []byte) {
	altered := append([]byte(nil), b...)
	altered[l.stream.IntN(len(b))] ^= 1 << l.stream.IntN(8)
	l.net.group.Altered(altered)
}

func (l *Link) deliver(delay time.Duration, id uint64, b []byte, bulk bool) {
	if l.IsCut() {
		l.ended(id, CutOff)
		return
	}
	if l.waiting > 0 && l.waiting+len(b) > longestWait {
		l.ended(id, Lost)
		return
	}
	d := &delivery{l, id, b, delay, len(b)}
	l.Carried += int64(len(b))
	switch {
	case l.rate() == 0 && l.waiting == 0:
		l.net.events.After(delay, d.arrive)
		return
	case bulk || l.net.Buffered:
		l.bulk = append(l.bulk, d)
	default:
		l.ahead = append(l.ahead, d)
	}
	l.waiting += len(b)
	l.leave()
}

// Waiting returns the bytes of the messages that wait to leave.
func (l *Link) Waiting() int64 { return int64(l.waiting) }

// rate returns the bytes a second that a narrow link carries now; 0: any number.
func (l *Link) rate() int64 {
	if l.net.Healed {
		return 0
	}
	return l.Narrow.Amount(l.net.events.Now())
}

// leave has the next piece of a message leave, unless one does.
func (l *Link) leave() {
	if l.leaving != nil || l.waiting == 0 {
		return
	}
	from := &l.bulk
	if len(l.ahead) > 0 {
		from = &l.ahead
	}
	d := (*from)[0]
	size := min(d.left, piece)
	d.left -= size
	if d.left == 0 {
		*from = (*from)[1:]
	}
	l.leaving = d
	var takes time.Duration
	if rate := l.rate(); rate > 0 {
		takes = time.Duration(int64(size) * int64(time.Second) / rate)
	}
	l.net.events.After(takes, func() { l.left(d, size) })
}

// left is called when a piece has left.
func (l *Link) left(d *delivery, size int) {
	l.leaving = nil
	l.waiting -= size
	if d.left == 0 {
		l.net.events.After(d.delay, d.arrive)
	}
	l.leave()
}

// delivery is a message on its way.
type delivery struct {
	on    *Link
	id    uint64
	b     []byte
	delay time.Duration // after it has left
	left  int           // bytes that have not begun to leave
}

func (d *delivery) arrive() {
	l, n := d.on, d.on.net
	switch {
	case l.IsCut():
		l.ended(d.id, CutOff)
	case !n.group.Up(l.to):
		l.ended(d.id, Refused)
	default:
		l.ended(d.id, Arrived)
		n.group.Receive(l.from, l.to, d.b)
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
func (l *Link) Reset() { l.cutUntil, l.cutOff, l.Slow, l.Lossy, l.Narrow = 0, false, nil, nil, nil }

// IsCut reports whether the link carries nothing now.
func (l *Link) IsCut() bool {
	cut := l.cutOff || l.net.events.Now() < l.cutUntil
	return cut && !l.net.Healed || l.net.group.Severed(l.from, l.to)
}

// changed reports to the watcher if the link was cut, or is whole again.
func (l *Link) changed() {
	if w := l.net.watcher; w != nil && l.IsCut() != l.shownCut {
		l.shownCut = !l.shownCut
		w.Linked(l.net.events.Now(), l.from, l.to, !l.shownCut)
	}
}
