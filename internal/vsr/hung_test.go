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

// D3, 11.10: a backup is sent more than its flow allows only if it has saved nothing for a while and has checked what was
// sent, and no more than the window.
func TestWhatOutrunsADiskIsLimited(t *testing.T) {
	r := member(t, 1)
	leadNext(t, r)
	r.now = r.now.Add(time.Minute)
	long := r.now.Add(-voteExpiry*r.cfg.Heartbeat - 1)
	room := r.newFlow()
	hung := progress{seenCount: 1, seenBytes: 300 << 10, inFlightBytes: 300 << 10, savedAt: long, flow: room}
	assert.True(t, r.outruns(&hung))
	for what, change := range map[string]func(p *progress){
		"it has checked nothing":        func(p *progress) { p.seenCount, p.seenBytes, p.inFlightBytes = 0, 0, room.Room()-1 },
		"it saves":                      func(p *progress) { p.savedAt = long.Add(1) },
		"it lags behind":                func(p *progress) { p.inFlightBytes += room.Room() },
		"the window waits for its disk": func(p *progress) { p.seenBytes, p.inFlightBytes = r.cfg.Window, r.cfg.Window },
		"it has just saved some":        func(p *progress) { p.acknowledged(1, 1, r.now, r.cfg.Heartbeat) },
	} {
		p := hung
		change(&p)
		assert.False(t, r.outruns(&p), what)
	}
	p := &r.primary.progress[1]
	p.savedAt = long
	_, err := proposeTo(r, r.now, []byte("x"))
	require.NoError(t, err)
	finishTurn(r)
	assert.Equal(t, r.now, p.savedAt, "nothing was in flight before")
}

// D3: a member that can answer nothing, and has checked all that it was sent, is sent the next entries when it asks for
// something. One that has not is left to the heartbeats, and what it has checked is not sent again.
func TestAMemberThatAsksIsSentMore(t *testing.T) {
	r := member(t, 1)
	leadNext(t, r)
	p := &r.primary.progress[1]
	for range 3 {
		r.appendNew(Entry{Kind: Command, Session: 1})
		finishTurn(r)
	}
	last := r.log.last.Op
	r.now = r.now.Add(time.Minute)
	p.probe(last - 1)
	p.next, p.preparePrev, p.probeSent = last, last-2, true // the entry before the last was sent
	r.asked(1, last-2)
	assert.True(t, p.probeSent)
	r.asked(1, last-1)
	assert.False(t, p.probeSent)
	assert.Equal(t, last, p.next)
	r.asked(1, last+100)
	assert.Equal(t, last, p.seen, "not more than there is")

	p.probe(last - 1)
	p.next, p.preparePrev, p.probeSent, p.seen = last+1, last-2, true, last-1
	p.requestedAt, p.progressAt = r.now, r.now
	r.heartbeat()
	assert.Equal(t, last, p.next, "a heartbeat sends it what it has not checked")
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
	assert.Greater(t, r.log.bytesAbove(r.saves.durable), r.cfg.Window+MaxInFlight, "what a primary sends")
	assert.Less(t, r.log.bytesAbove(r.saves.durable), r.mostUnsaved()+MaxBody)
}

// D3: a member that can answer nothing acknowledges nothing either, so a Prepare to it holds as many entries as a message
// may, whatever its flow allows.
func TestAMemberThatCanAnswerNothingIsSentMuchAtOnce(t *testing.T) {
	r := member(t, 3)
	leadNext(t, r)
	p := &r.primary.progress[2]
	p.flow = flow.New(64 << 10)
	assert.EqualValues(t, 16<<10, r.batch([]Index{2}))
	r.now = r.now.Add(time.Minute)
	p.requestedAt = r.now
	assert.EqualValues(t, MaxBatch, r.batch([]Index{2}))
}
