package shell

import (
	"time"

	"github.com/smr-go/smr/internal/vsr"
	"github.com/smr-go/smr/internal/wire"
)

// inParts is the stream of parts from one member.
//
//	held <= wire.MaxMessage;  earlyBytes <= vsr.MaxInFlight
type inParts struct {
	incarnation vsr.Incarnation // of the sender
	start       uint64          // of the sender's process
	stream      uint64
	arrived     uint64               // parts that have come, without a gap
	parts       [][]byte             // of them, those of the message that is not complete
	held        int                  // bytes of these
	early       map[uint64]*vsr.Part // parts that came before others, which may be lost
	earlyBytes  int
	at          time.Time // when a part has come last
	due         bool      // an answer is due
}

// incompleteLapse is how long the parts of a message are kept when no further one comes.
const incompleteLapse = time.Minute

// take takes a part of the latest stream of the sender, or begins a later one. It returns the messages that are complete
// with it.
func (x *inParts) take(h *vsr.Header, p *vsr.Part, now time.Time) (whole [][]byte) {
	same := h.Incarnation == x.incarnation && h.Start == x.start
	switch {
	case same && p.Stream < x.stream, h.Incarnation == x.incarnation && h.Start < x.start:
		return nil
	case !same || p.Stream > x.stream:
		*x = inParts{incarnation: h.Incarnation, start: h.Start, stream: p.Stream, early: map[uint64]*vsr.Part{}}
	}
	x.due = true
	if p.Number < x.arrived || x.early[p.Number] != nil || x.earlyBytes+len(p.Data) > vsr.MaxInFlight {
		return nil
	}
	x.early[p.Number], x.at = p, now
	x.earlyBytes += len(p.Data)
	for next := x.early[x.arrived]; next != nil && x.held+len(next.Data) <= wire.MaxMessage; next = x.early[x.arrived] {
		delete(x.early, x.arrived)
		x.earlyBytes -= len(next.Data)
		x.parts = append(x.parts, next.Data)
		x.held += len(next.Data)
		x.arrived++
		if next.Last {
			whole = append(whole, x.joined())
		}
	}
	return whole
}

// joined returns the message that is complete.
func (x *inParts) joined() []byte {
	b := make([]byte, 0, x.held)
	for _, p := range x.parts {
		b = append(b, p...)
	}
	x.parts, x.held = nil, 0
	return b
}

// answer returns the PartOK that is due.
func (x *inParts) answer() *vsr.PartOK {
	return &vsr.PartOK{Start: x.start, Stream: x.stream, Arrived: x.arrived}
}

// expire drops the parts of a message if none of it has come for long. If the sender goes on, it must begin again.
func (x *inParts) expire(now time.Time) {
	if x.held+x.earlyBytes > 0 && now.Sub(x.at) > incompleteLapse {
		*x = inParts{}
	}
}
