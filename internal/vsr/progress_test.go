package vsr

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// V2: views that ended because an op was not committed count no longer after a long time without another.
func TestStallsAreForgotten(t *testing.T) {
	r := member(t, 1)
	for op := OpNumber(5); op < 8; op++ {
		r.learnStall(op)
	}
	require.Equal(t, 3, r.stalls.count)
	r.advance(r.now.Add(stallMemory*r.cfg.Abdication + 1))
	r.learnStall(9)
	assert.Equal(t, 1, r.stalls.count)
}

// V2: requests do not wait for a handover while the successor is silent, and that time does not count against it.
func TestAnAbsentSuccessorIsWaitedFor(t *testing.T) {
	r := member(t, 0)
	leadNext(t, r)
	r.cfg.Abdication = 30 * time.Second
	r.appendNew(Entry{Kind: Command}) // b lacks it
	answer := func(from Index, seconds int) {
		for range seconds {
			r.Step(r.now.Add(time.Second), &Tick{})
			hear(r, from, &CommitOK{View: r.head.View, Round: r.primary.round, Op: r.commit})
		}
	}
	r.Step(r.now, &Handover{To: 1})
	finishTurn(r)
	require.False(t, r.primary.handover.waitingSince.IsZero())
	answer(2, 40)
	require.True(t, r.primary.handover.waitingSince.IsZero())
	hear(r, 1, &PrepareOK{View: r.head.View, Op: r.commit})
	assert.True(t, r.primary.handover.active)
}

// V2: a primary that goes on as primary sends a heartbeat at once, which withdraws its vote.
func TestAPrimaryThatGoesOnSendsAHeartbeat(t *testing.T) {
	r := member(t, 0)
	leadNext(t, r)
	r.Step(r.now.Add(time.Second), &Tick{})
	finishTurn(r)
	r.Step(r.now, &Leave{})
	require.IsType(t, &StartViewChange{}, finishTurn(r)[0])
	r.Step(r.now, &CancelHandover{})
	for _, m := range finishTurn(r) {
		if m, ok := m.(*Commit); ok {
			assert.Equal(t, r.lastVote, m.Withdrawn)
			return
		}
	}
	t.Error("it sends none")
}

// V6: if the answer of the owner of the best log is lost, entries that it has read from its disk are read again for the
// next request.
func TestALostAnswerFromTheDiskIsGivenAgain(t *testing.T) {
	r := followsB(t)
	hear(r, 1, &DoViewChange{View: 4, Last: stampOf(1, 0, 1), First: 1})
	require.Equal(t, changingView, r.status)
	entries := r.log.entries(2, 2, MaxBatch)
	r.log.trim(2)
	for range 3 {
		r.Step(r.now.Add(time.Second), &Receive{From: 1, Header: Header{Group: GroupID{9}, Epoch: 1, Incarnation: threeIDs[1], Start: 1},
			Message: &GetState{View: 4, Best: r.log.last, Prev: stampOf(1, 0, 1)}})
		loads := r.Ready(r.now).Loads
		require.Len(t, loads, 1)
		r.Step(r.now, &Loaded{Load: loads[0], Entries: entries})
		require.IsType(t, &NewState{}, finishTurn(r)[0])
	}
}

// V8: a view change goes on as long as the best log arrives, however long that takes.
func TestAViewChangeGoesOnWhileTheLogArrives(t *testing.T) {
	r := member(t, 2)
	r.viewChange.noVoteBefore = time.Time{} // which the detector of these tests puts off for good
	best := stampOf(1, 2, 100)
	hear(r, 1, &DoViewChange{View: 3, Last: best, Commit: 1, First: 1})
	for op := OpNumber(2); op < 20; op++ {
		for range changeTimeout - 2 {
			r.Step(r.now.Add(time.Second), &Tick{})
			finishTurn(r)
		}
		hear(r, 1, &NewState{View: 3, Best: best, Prev: r.log.last, Entries: []Entry{{Op: op, View: 2, Epoch: 1, Kind: Command}}})
		require.Equal(t, op, r.log.last.Op)
		require.False(t, r.viewChange.voting, "op %d", op)
	}
}

// 11.10: a backup that answers at once and then not at all leaves no more in flight than the window allows.
func TestWindowLimitsWhatIsInFlight(t *testing.T) {
	r := member(t, 3)
	r.cfg.Window = 64 << 10
	leadNext(t, r)
	p := &r.primary.progress[2]
	write := func() {
		r.appendNew(Entry{Kind: Command, Session: 1, Body: make([]byte, 4<<10)})
		finishTurn(r)
		r.now = r.now.Add(time.Microsecond)
	}
	for range 100 {
		write()
		hear(r, 2, &PrepareOK{View: r.head.View, Op: r.log.last.Op})
	}
	require.EqualValues(t, 64<<10, p.flow.Room())
	for range 100 {
		write()
	}
	assert.LessOrEqual(t, p.inFlightBytes, int64(64<<10+4<<10+entryOverhead))
}
