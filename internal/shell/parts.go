package shell

import (
	"fmt"
	"slices"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/smr-go/smr/internal/vsr"
	"github.com/smr-go/smr/internal/wire"
)

// Large messages travel in parts (C5). In one piece, a message that a slow link carries for long would hold up the
// heartbeats behind it, and no member could see whether it makes progress.

// parts sends large messages to members in parts, and puts those together that arrive.
type parts struct {
	loop *Loop
	size int // bytes of a part; the last one of a message may have fewer
	out  []outParts
	in   []inParts
}

const (
	partSize  = 8 << 10 // the default of Config.PartSize
	leastPart = 16      // a message that has no more parts than this travels whole
)

func newParts(l *Loop, n, size int, window int64) parts {
	x := parts{loop: l, size: size, out: make([]outParts, n), in: make([]inParts, n)}
	for i := range x.out {
		x.out[i] = outParts{parts: &l.parts, to: []vsr.Index{vsr.Index(i)}, window: window}
	}
	return x
}

// large reports whether a message travels in parts: it is long, and consists of one entry or proposal. A message of
// several is short enough for the links to its receivers (C1).
func (x *parts) large(p *Packet) bool { return len(p.Bytes) > leastPart*x.size && single(p.Message) }

// send sends a message: a large one in parts (C5), and other bulk behind it, because members expect bulk in order.
func (x *parts) send(p Packet) {
	large := x.large(&p)
	if !large && !(bulk(p.Message) && slices.ContainsFunc(p.To, x.busy)) {
		x.loop.driver.Send(p)
		return
	}
	if large && x.loop.observer != nil {
		x.loop.observer.InParts(p)
	}
	for _, to := range p.To {
		one := p
		one.To = x.out[to].to
		if large || x.busy(to) {
			x.out[to].add(one)
		} else {
			x.loop.driver.Send(one)
		}
	}
}

// busy reports whether bulk to a member must wait.
func (x *parts) busy(to vsr.Index) bool { return x.out[to].busy() }

// bulk reports whether a message, or the one that it relays, carries entries, proposals or chunks.
func bulk(m vsr.Message) bool {
	if r, ok := m.(*vsr.Relay); ok {
		return bulk(r.Message)
	}
	return vsr.KindOf(m).Bulk()
}

// single reports whether a message consists of one entry or proposal.
func single(m vsr.Message) bool {
	switch m := m.(type) {
	case *vsr.Prepare:
		return len(m.Entries) == 1
	case *vsr.NewState:
		return len(m.Entries) == 1
	case *vsr.Request:
		return len(m.Requests) == 1
	case *vsr.Relay:
		return single(m.Message)
	}
	return false
}

// receive handles a message if it is a Part or a PartOK, which the core has received.
func (x *parts) receive(m *vsr.Receive) {
	switch p := m.Message.(type) {
	case *vsr.Part:
		x.arrived(m.From, &m.Header, p)
	case *vsr.PartOK:
		x.acknowledged(m.From, p)
	}
}

// arrived keeps a part, and gives the core the messages that are complete with it.
func (x *parts) arrived(from vsr.Index, h *vsr.Header, p *vsr.Part) {
	for _, b := range x.in[from].take(h, p, x.loop.now) {
		header, m, err := wire.DecodeMessage(b, x.loop.shell.tag)
		if err != nil {
			x.loop.shell.note(hclog.Debug, "a message in parts was dropped", err, "from", x.loop.shell.ids[from], "bytes", len(b))
			continue
		}
		x.loop.step(&vsr.Receive{From: from, Header: header, Message: m})
	}
}

// acknowledged records that parts have arrived at a member, and reports it to the core.
func (x *parts) acknowledged(from vsr.Index, p *vsr.PartOK) {
	if p.Start == x.loop.core.Header().Start && x.out[from].acknowledged(p, x.loop.now) {
		x.loop.step(&vsr.Carried{To: from})
	}
}

// begin begins a turn: it reports to the core to which members messages were dropped.
func (x *parts) begin() {
	for i := range x.out {
		if o := &x.out[i]; o.dropped {
			o.dropped = false
			x.loop.step(&vsr.Dropped{To: vsr.Index(i)})
		}
	}
}

// flush ends a turn in the given view: it sends the parts that are due, and answers those that have come.
func (x *parts) flush(view vsr.View) {
	for i := range x.out {
		if o := &x.out[i]; o.busy() {
			o.leave(view)
			o.flush(x.loop.now)
		}
	}
	for i := range x.in {
		in := &x.in[i]
		in.expire(x.loop.now)
		if in.due && x.loop.core.Identified() {
			in.due = false
			x.emit(x.out[i].to, in.answer())
		}
	}
}

// emit sends a Part or a PartOK.
func (x *parts) emit(to []vsr.Index, m vsr.Message) {
	h := x.loop.core.Header()
	x.loop.driver.Send(Packet{To: to, Header: h, Message: m, Bytes: wire.AppendMessage(nil, x.loop.shell.tag, h, m)})
}

// deadline returns when silence proves a loss next; zero if nothing is awaited.
func (x *parts) deadline() (at time.Time) {
	for i := range x.out {
		if lost := x.out[i].lostAt; !lost.IsZero() && (at.IsZero() || lost.Before(at)) {
			at = lost
		}
	}
	return at
}

// check returns an error if the messages that wait, or the parts that have come, exceed their limits (11.10).
func (x *parts) check() error {
	for i := range x.out {
		o, bytes := &x.out[i], int64(0)
		for _, p := range o.waiting {
			bytes += int64(len(p.Bytes))
		}
		for _, l := range o.flying {
			bytes += int64(len(l.Bytes))
		}
		if bytes != o.bytes || bytes > maxWaiting || o.next < o.arrived || o.next > max(o.end(), o.arrived) {
			return fmt.Errorf("11.10: %d bytes, counted as %d, wait to be sent in parts, not %d at most; parts %d to %d are on their way, of %d",
				bytes, o.bytes, maxWaiting, o.arrived, o.next, o.end())
		}
		in, held, early := &x.in[i], 0, 0
		for _, b := range in.parts {
			held += len(b)
		}
		for _, p := range in.early {
			early += len(p.Data)
		}
		if held != in.held || held > wire.MaxMessage || early != in.earlyBytes || early > vsr.MaxInFlight {
			return fmt.Errorf("11.10: parts of %d bytes, counted as %d, have come, not %d at most, and early ones of %d, counted as %d, not %d at most",
				held, in.held, wire.MaxMessage, early, in.earlyBytes, vsr.MaxInFlight)
		}
	}
	return nil
}
