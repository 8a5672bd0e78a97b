package vsr

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// BenchmarkStep takes proposals through the cores of a group of three, that many in each turn of the primary, until each
// core has been told that its state machine has applied them.
func BenchmarkStep(b *testing.B) {
	for _, n := range []int{1, 64} {
		b.Run(fmt.Sprintf("batch=%d", n), func(b *testing.B) {
			g := newTestGroup(3)
			g.form()
			p, propose := g.hosts[0], Propose{Body: make([]byte, 128)}
			p.core.Step(g.now, &propose)
			g.turn(p)
			g.stabilize()
			require.NoError(b, g.broken)
			require.NotZero(b, p.core.requests.session)
			b.ReportAllocs()
			for ops := 0; b.Loop(); ops++ {
				if ops%n > 0 { // the iteration that began the batch has done the work of this one
					continue
				}
				first := p.core.requests.floor
				for range n {
					p.core.Step(g.now, &propose)
				}
				g.exchange(p)
				require.Equal(b, first+uint64(n), p.core.requests.floor)
				g.now = g.now.Add(g.config.Heartbeat / 100)
			}
		})
	}
}

// exchange ends a member's turn, performs its output at once, and does the same with the members that its messages reach,
// until none has more to do. It records nothing and checks nothing.
func (g *testGroup) exchange(h *host) {
	out := h.core.Ready(g.now)
	for _, m := range out.Messages {
		for _, to := range m.To {
			g.hosts[to].core.Step(g.now, &Receive{From: h.index, Header: h.core.Header(), Message: m.Message})
		}
	}
	if out.Save != nil {
		h.core.Step(g.now, &Saved{Seq: out.Save.Seq})
	}
	if n := len(out.Apply); n > 0 {
		h.core.Step(g.now, &Applied{Op: out.Apply[n-1].Op})
	}
	for i := range out.Apply {
		if e := &out.Apply[i]; e.Session == h.core.requests.session {
			h.core.Step(g.now, &Forget{Request: e.Request})
		}
	}
	if out.Save == nil && len(out.Messages)+len(out.Apply) == 0 {
		return
	}
	for _, other := range g.hosts {
		g.exchange(other)
	}
}
