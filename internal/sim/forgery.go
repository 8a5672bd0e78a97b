package sim

import (
	"math"
	"slices"

	"github.com/smr-go/smr/internal/shell"
	"github.com/smr-go/smr/internal/sim/fault"
	"github.com/smr-go/smr/internal/sim/world"
	"github.com/smr-go/smr/internal/vsr"
	"github.com/smr-go/smr/internal/wire"
)

// forged returns the bytes of a packet, forged if a fault asks for that. The forgeries are those that do no harm to a
// sound group: a member that lies about another member's session is beyond the model of faults.
func (h *host) forged(x *shell.Packet) []byte {
	m, ok := x.Message.(*vsr.Request)
	f := h.pending[fault.ForgeRequest]
	if !ok || f == nil {
		return x.Bytes
	}
	delete(h.pending, f.Kind)
	seed, lie := f.Seed, *m
	lie.Requests = slices.Clone(m.Requests)
	q := &lie.Requests[seed/4%uint64(len(lie.Requests))]
	switch seed % 4 {
	case 0:
		q.Session = 0
	case 1:
		q.Session = uint64(h.s.judge.Committed().Op) + 1<<20 // it may be opened one day
	case 2:
		q.Session = math.MaxUint64
	default:
		q.Kind = vsr.OpenSession // of a process that the body does not name
	}
	h.s.note(h.i, "forges attempt %d", seed, lie.Attempt)
	return wire.AppendMessage(nil, h.s.tag, x.Header, &lie)
}

// forge has a member forward a forged request.
func (c *chance) forge(r world.Stream) {
	c.strike(fault.Fault{Kind: fault.ForgeRequest, Host: c.running(r).i, Seed: r.Uint64()})
}
