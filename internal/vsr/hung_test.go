package vsr

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr/internal/flow"
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

// D3, C1: a member whose disk hangs goes on answering its callers, from what it has checked in memory, whether its view
// is durable or not.
func TestAHungDiskIsSentMoreThanItAcknowledges(t *testing.T) {
	for _, hangs := range []Index{0, 1} {
		g := newTestGroup(3)
		g.config.Window = 64 << 20
		g.form()
		h := g.hosts[hangs]
		run := func(d time.Duration) {
			for ; d > 0; d -= g.config.Heartbeat {
				g.tick(g.config.Heartbeat)
				g.stabilize()
			}
		}
		propose := func(size int) {
			_, err := proposeTo(h.core, g.now, bytes.Repeat([]byte("x"), size))
			require.NoError(t, err)
			g.turn(h)
			g.stabilize()
		}
		propose(1)
		run(time.Second)
		h.hung = true
		propose(1)
		run(8 * time.Second) // a has handed its role over, and enters a view that is not durable
		require.Equal(t, hangs == 0, h.core.saves.headSeq > h.core.saves.doneSeq)
		for _, x := range g.hosts {
			if x.core.isPrimary() {
				x.core.primary.progress[hangs].flow = flow.New(64 << 10)
			}
		}
		for i := range 24 {
			propose(64 << 10)
			for range 10 {
				if waiting, _, _ := h.core.Pending(); waiting == 0 {
					break
				}
				run(g.config.Heartbeat)
			}
			waiting, _, _ := h.core.Pending()
			require.Zero(t, waiting, "call %d of %s", i, h.id)
			require.NoError(t, h.core.Check())
		}
	}
}

// 11.10: a backup whose disk hangs takes no more than it may hold, whatever the primary sends.
func TestAHungDiskTakesNoMoreThanItMayHold(t *testing.T) {
	r := member(t, 1)
	hear(r, 1, &Commit{View: 1, Commit: 1, Round: 1})
	body := make([]byte, MaxBody/2)
	for range 10 {
		e := Entry{Op: r.log.last.Op + 1, View: 1, Epoch: 1, Kind: Command, Body: body}
		r.Step(r.now, &Receive{From: 1, Header: Header{Group: GroupID{9}, Epoch: 1, Incarnation: threeIDs[1], Start: 1},
			Message: &Prepare{View: 1, Prev: r.log.last, Commit: 1, Entries: []Entry{e}}})
		r.Ready(r.now) // and its save hangs
		require.NoError(t, r.Check())
	}
	assert.Greater(t, r.log.bytesAbove(r.saves.durable), r.mostUnsaved())
	assert.Less(t, r.log.bytesAbove(r.saves.durable), r.mostUnsaved()+MaxBody)
}
