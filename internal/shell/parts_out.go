package shell

import (
	"math"
	"slices"
	"time"

	"github.com/smr-go/smr/internal/flow"
	"github.com/smr-go/smr/internal/vsr"
	"github.com/smr-go/smr/internal/wire"
)

// outParts is the stream of parts to one member, and the messages that wait behind them. Parts are numbered through all
// messages of a stream. Those above arrived are sent again if no answer comes. If the member has lost its part of the
// stream, the next one begins with the first message that has not arrived.
//
//	arrived <= next <= end();  next <= sentTo
//	busy() or nothing flies and nothing waits
type outParts struct {
	parts  *parts
	to     []vsr.Index // the member
	window int64       // bytes in flight at most

	dropped bool         // messages were dropped, and the core does not know it yet
	waiting []Packet     // not begun; the first is large, or one flies that is not sent whole
	flying  []largeParts // large messages in the order of their parts; the first has not arrived whole
	bytes   int64        // of both

	stream  uint64 // number of the latest stream of this process
	arrived uint64 // parts that have arrived, without a gap
	next    uint64 // the part that is sent next
	sentTo  uint64 // parts that were ever sent
	flow    flow.Flow
	most    int64     // bytes in flight after losses: it halves with each loss, and grows by a part with each answer
	movedAt time.Time // when a part has arrived last, or one was sent and none was on its way
	tries   int       // how often silence was taken for a loss since
	lostAt  time.Time // when silence proves a loss; zero if no part is on its way
}

// largeParts is a message that travels as the parts from first up to end.
type largeParts struct {
	Packet
	first, end uint64
}

const (
	maxWaiting = vsr.MaxInFlight + wire.MaxMessage // bytes that may wait to be sent to a member
	maxTries   = 4                                 // times without an answer after which all is dropped
	minSilence = 10                                // heartbeats of silence that prove a loss, at least
	flowLapse  = 20                                // heartbeats after which the measured flow proves nothing any more
)

// busy reports whether a message must wait.
func (o *outParts) busy() bool { return len(o.waiting)+len(o.flying) > 0 }

// end returns the part after the last one of the messages that fly.
func (o *outParts) end() uint64 {
	if n := len(o.flying); n > 0 {
		return o.flying[n-1].end
	}
	return o.arrived
}

// add puts a message behind those that wait. It drops it if too much waits, or if one of those carries the same. If the
// member has become silent, it drops those instead: by now the core knows better what the member needs.
func (o *outParts) add(p Packet) {
	if o.tries > 0 {
		o.drop()
	}
	same := func(q Packet) bool { return sameEntry(p.Message, q.Message) }
	if slices.ContainsFunc(o.waiting, same) || slices.ContainsFunc(o.flying, func(l largeParts) bool { return same(l.Packet) }) ||
		o.bytes+int64(len(p.Bytes)) > maxWaiting {
		return
	}
	o.waiting = append(o.waiting, p)
	o.bytes += int64(len(p.Bytes))
}

// sameEntry reports whether two messages carry the same entry or request, in the same view.
func sameEntry(a, b vsr.Message) bool {
	if !single(a) || !single(b) {
		return false
	}
	switch a := a.(type) {
	case *vsr.Prepare:
		b, ok := b.(*vsr.Prepare)
		return ok && a.View == b.View && a.Prev == b.Prev && a.Entries[0].Stamp() == b.Entries[0].Stamp()
	case *vsr.Request:
		b, ok := b.(*vsr.Request)
		return ok && a.View == b.View && a.Requests[0].Session == b.Requests[0].Session && a.Requests[0].Request == b.Requests[0].Request
	case *vsr.NewState:
		b, ok := b.(*vsr.NewState)
		return ok && a.View == b.View && a.Best == b.Best && a.Prev == b.Prev
	case *vsr.Relay:
		b, ok := b.(*vsr.Relay)
		return ok && a.From == b.From && a.To == b.To && sameEntry(a.Message, b.Message)
	}
	return false
}

// drop drops all messages, as if they were lost on the way.
func (o *outParts) drop() {
	o.dropped = true
	o.waiting, o.flying, o.bytes = nil, nil, 0
	o.restart()
}

// restart begins a new stream, with the messages that fly.
func (o *outParts) restart() {
	packets := make([]Packet, 0, len(o.flying)+len(o.waiting))
	for _, l := range o.flying {
		packets = append(packets, l.Packet)
	}
	o.waiting, o.flying = append(packets, o.waiting...), nil
	o.stream++
	o.arrived, o.next, o.sentTo, o.tries, o.lostAt = 0, 0, 0, 0, time.Time{}
	o.flow.Lost()
}

// leave drops the messages of earlier views. No member acts on them any more.
func (o *outParts) leave(view vsr.View) {
	if slices.ContainsFunc(o.flying, func(l largeParts) bool { return viewOf(l.Message) < view }) {
		o.restart()
	}
	o.waiting = slices.DeleteFunc(o.waiting, func(p Packet) bool {
		old := viewOf(p.Message) < view
		if old {
			o.bytes -= int64(len(p.Bytes))
		}
		return old
	})
}

// viewOf returns the view that a message of entries or proposals belongs to. A chunk belongs to none, and is never late.
func viewOf(m vsr.Message) vsr.View {
	switch m := m.(type) {
	case *vsr.Prepare:
		return m.View
	case *vsr.NewState:
		return m.View
	case *vsr.Request:
		return m.View
	case *vsr.Relay:
		return viewOf(m.Message)
	}
	return math.MaxUint64
}

// flush sends what may be sent now.
func (o *outParts) flush(now time.Time) {
	if !o.lostAt.IsZero() && !now.Before(o.lostAt) {
		o.silent(now)
	}
	for {
		switch {
		case o.next < o.end():
			if !o.hasRoom() {
				return
			}
			o.sendNext(now)
		case len(o.waiting) == 0:
			return
		default:
			o.begin(now)
		}
	}
}

// begin sends the first message that waits if it is small, and otherwise has it fly.
func (o *outParts) begin(now time.Time) {
	p := o.waiting[0]
	o.waiting[0] = Packet{}
	o.waiting = o.waiting[1:]
	if !o.parts.large(&p) {
		o.bytes -= int64(len(p.Bytes))
		o.parts.loop.driver.Send(p)
		return
	}
	if len(o.flying) == 0 && now.Sub(o.movedAt) > flowLapse*o.parts.loop.heartbeat {
		o.flow, o.most = flow.NewGentle(o.window, int64(o.parts.size)), o.window // what the link carried long ago proves nothing
	}
	first := o.end()
	o.flying = append(o.flying, largeParts{p, first, first + uint64((len(p.Bytes)+o.parts.size-1)/o.parts.size)})
}

// hasRoom reports whether another part may be sent. After silence, one shows whether the member answers again.
func (o *outParts) hasRoom() bool {
	return o.next == o.arrived || o.tries == 0 && o.inFlight() < min(o.flow.Room(), o.most)
}

// inFlight returns the bytes of the parts on their way.
func (o *outParts) inFlight() int64 { return int64(o.next-o.arrived) * int64(o.parts.size) }

// sendNext sends the next part.
func (o *outParts) sendNext(now time.Time) {
	l := &o.flying[slices.IndexFunc(o.flying, func(l largeParts) bool { return o.next < l.end })]
	from := int(o.next-l.first) * o.parts.size
	to := min(from+o.parts.size, len(l.Bytes))
	if o.next == o.arrived {
		o.movedAt = now
	}
	if o.next == o.sentTo {
		o.flow.Sent(o.next, now)
		o.sentTo++
	}
	m := &vsr.Part{Stream: o.stream, Number: o.next, Last: to == len(l.Bytes), Data: l.Bytes[from:to]}
	o.next++
	o.await()
	o.parts.emit(o.to, m)
}

// await sets the time at which silence proves that all parts on their way are lost.
func (o *outParts) await() {
	o.lostAt = time.Time{}
	if o.next > o.arrived {
		heartbeat := o.parts.loop.heartbeat
		o.lostAt = o.movedAt.Add(o.flow.Patience(minSilence*heartbeat, heartbeat, o.tries, o.inFlight()))
	}
}

// silent takes the parts on their way for lost. After many times, it drops all.
func (o *outParts) silent(now time.Time) {
	if o.tries++; o.tries > maxTries {
		o.drop()
		return
	}
	o.most = max(o.inFlight()/2, int64(o.parts.size))
	o.next, o.movedAt = o.arrived, now
	o.flow.Lost()
	o.await()
}

// acknowledged records which parts have arrived. It reports whether there are more than before.
func (o *outParts) acknowledged(p *vsr.PartOK, now time.Time) bool {
	if p.Stream != o.stream || p.Arrived > o.sentTo {
		return false
	}
	if p.Arrived <= o.arrived {
		if p.Arrived == 0 && o.arrived > 0 { // the member has restarted, and has nothing of this stream any more
			o.restart()
		}
		return false
	}
	o.flow.Took(int64(p.Arrived-o.arrived) * int64(o.parts.size))
	o.arrived, o.movedAt, o.tries = p.Arrived, now, 0
	o.next = max(o.next, o.arrived)
	if o.flow.Times(0, o.arrived-1) {
		o.flow.Answered(now, o.parts.loop.heartbeat)
		o.most = min(o.most+int64(o.parts.size), o.window)
	}
	o.await()
	for len(o.flying) > 0 && o.flying[0].end <= o.arrived {
		o.bytes -= int64(len(o.flying[0].Bytes))
		o.flying[0] = largeParts{}
		o.flying = o.flying[1:]
	}
	return true
}
