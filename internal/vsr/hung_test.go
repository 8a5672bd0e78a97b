package vsr

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// 11.10: while the save that records the group hangs, repeated messages do not pile up, at the
// member that has formed the group or at one that has joined it.
func TestAHungDiskMakesNoHeapWhileTheGroupForms(t *testing.T) {
	for _, hangs := range []Index{0, 2} {
		g := newTestGroup(3)
		g.config.DiskLimit = 0 // the primary does not give up its role
		for _, h := range g.hosts {
			g.start(h)
		}
		g.lost = append(g.lost, func(m *sent) bool { // b continues to ask
			switch m.message.(type) {
			case *Prepare, *NewState, *Commit, *SnapshotOffer:
				return m.to == 1
			}
			return false
		})
		h := g.hosts[hangs]
		h.hung = true
		for i := 0; i < 400 && h.core.head.Group == (GroupID{}); i++ {
			if len(h.unsaved) > 0 {
				g.saved(h, len(h.unsaved))
			}
			g.stabilize()
			g.tick(50 * time.Millisecond)
		}
		require.NotEmpty(t, h.unsaved, "%s never held the group", h.id)
		for range 20 * 60 * 5 {
			g.tick(50 * time.Millisecond)
			g.stabilize()
			require.NoError(t, h.core.Check())
		}
	}
}

// Nor do the rejections of a replica whose view is not durable yet.
func TestAHungDiskMakesNoHeapOfRefusals(t *testing.T) {
	g := newTestGroup(3)
	g.form()
	r, from := g.hosts[0].core, g.hosts[1].core.Header()
	enter := func(v View) {
		r.Step(g.now, &Receive{From: 1, Header: from, Message: &StartViewChange{View: v}})
		r.Ready(g.now)
	}
	enter(4)
	r.Step(g.now, &Saved{Seq: r.saves.issuedSeq})
	r.Ready(g.now)
	enter(9) // and its save hangs
	for i := range uint64(1000) {
		r.Step(g.now, &Receive{From: 1, Header: from,
			Message: &Request{View: r.requests.startView + 1, Attempt: i + 1, Requests: []Proposal{{Kind: OpenSession}}}})
		r.Ready(g.now)
		require.NoError(t, r.Check())
	}
}

// R1, 11.10: of each member one question waits at a primary, and none is taken by one that leaves.
func TestOneQuestionOfEachMemberWaits(t *testing.T) {
	r := member(t, 1)
	leadNext(t, r)
	for i := range uint64(100) {
		hear(r, 1, &ReadRound{View: r.head.View, Read: i})
	}
	assert.Len(t, r.reads.rounds, 1)
	hear(r, 1, &ReadRound{View: r.head.View, Read: 99})
	assert.Len(t, r.reads.rounds, 1, "a repetition")
	r.resign(diskHung)
	hear(r, 2, &ReadRound{View: r.head.View, Read: 1})
	assert.Empty(t, r.reads.waiting)
}
