package vsr

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// X4, X6: once the link to the primary works again, everything that may be lost is sent at once: requests, the session and
// the floor. What was in flight counts no longer, and the next retry is near.
func TestRequestsAreResentWhenTheLinkWorksAgain(t *testing.T) {
	f := newForwarder(t)
	for range 8 {
		require.Len(t, f.call(16<<10), 1)
	}
	f.wait(300 * f.cfg.Heartbeat)
	require.Greater(t, f.requests.waiting[0].tries, 1)
	f.resendRequests()
	require.Len(t, requestsIn(finishTurn(f.Replica)), 1, "while nothing is known to arrive")
	require.Equal(t, f.now.Add(retryAfter*f.cfg.Heartbeat), f.requests.waiting[0].retryAt)
	f.requests.forwarding.probing = false
	f.resendRequests()
	require.Len(t, requestsIn(finishTurn(f.Replica)), 8)

	f = newForwarder(t)
	f.append(f.call(0)...)
	f.Step(f.now, &Forget{Request: 1})
	floors := f.wait((floorAfter + 1) * f.cfg.Heartbeat)
	require.Len(t, floors, 1)
	f.resendRequests()
	again := requestsIn(finishTurn(f.Replica))
	require.Len(t, again, 1)
	require.Equal(t, floors[0].Requests, again[0].Requests)
	require.Len(t, f.requests.floorRequest.attempts, 1, "the attempts to send a floor are not collected")
}

// X2: the floor of a session travels after every idle time, also at the primary, whose own log loses nothing.
func TestTheFloorTravelsAfterEachIdleTime(t *testing.T) {
	r := member(t, 1)
	leadNext(t, r)
	r.Step(r.now, &Applied{Op: r.commit})
	r.Step(r.now, &SessionOpened{Session: 1})
	for range 3 {
		number, err := proposeTo(r, r.now, nil)
		require.NoError(t, err)
		finishTurn(r)
		r.Step(r.now, &Forget{Request: number})
		last := r.log.last.Op
		r.Step(r.now.Add((floorAfter+1)*r.cfg.Heartbeat), &Tick{})
		finishTurn(r)
		require.Equal(t, last+1, r.log.last.Op)
		floor := r.log.entries(last+1, last+1, MaxBatch)[0]
		require.Equal(t, [3]uint64{1, 0, number + 1}, [3]uint64{floor.Session, floor.Request, floor.Floor})
		hear(r, 1, &PrepareOK{View: r.head.View, Op: r.log.last.Op})
		r.Step(r.now, &Applied{Op: r.log.last.Op})
		r.Step(r.now, &FloorRaised{Floor: number + 1})
	}
}

// X4: a request that an earlier primary may have accepted is not refused by its own member, which leads now and has no
// room: it may be in a log. One that was never sent is refused, along with all behind it.
func TestAFullPrimaryRefusesOnlyWhatWasNeverSent(t *testing.T) {
	for _, sent := range []bool{true, false} {
		r := member(t, 1)
		hear(r, 1, &Commit{View: 1, Commit: 1, Round: 1})
		if sent {
			r.Step(r.now, &SessionOpened{Session: 1})
		}
		for range 3 {
			_, err := proposeTo(r, r.now, nil)
			require.NoError(t, err)
		}
		finishTurn(r)
		require.Equal(t, sent, r.Sent(1))
		r.cfg.Window = 1
		view := r.members.viewOf(0, r.head.View)
		r.Step(r.now, &Receive{From: 1, Header: Header{Group: GroupID{9}, Epoch: 1, Incarnation: threeIDs[1], Start: 1},
			Message: &DoViewChange{View: view, Last: r.log.last, Commit: 1, First: 1}})
		var settled []Settled
		for {
			out := r.Ready(r.now)
			if settled = append(settled, out.Settled...); out.Save == nil {
				break
			}
			r.Step(r.now, &Saved{Seq: out.Save.Seq})
		}
		require.True(t, r.isPrimary())
		if sent {
			require.Empty(t, settled)
			require.NotNil(t, r.requests.waiting[0])
			continue
		}
		r.Step(r.now, &SessionOpened{Session: 1})
		require.Equal(t, []Settled{{1, ErrOverloaded}, {2, ErrOverloaded}, {3, ErrOverloaded}}, r.Ready(r.now).Settled, "in one turn")
	}
}

// From the second time on, retries are spread over a quarter of their wait, which doubles up to eight times.
func TestRetriesAreSpread(t *testing.T) {
	r := member(t, 1)
	require.Equal(t, r.now.Add(retryAfter*r.cfg.Heartbeat), r.retryTime(1))
	for tries, times := range map[int]time.Duration{2: 2, 3: 4, 4: 8, 9: 8} {
		seen := map[time.Time]bool{}
		for range 20 {
			at, wait := r.retryTime(tries), times*retryAfter*r.cfg.Heartbeat
			assert.False(t, at.Before(r.now.Add(wait)) || !at.Before(r.now.Add(wait+wait/4)), "%v", at.Sub(r.now))
			seen[at] = true
		}
		assert.Greater(t, len(seen), 10)
	}
	w := &request{inFlight: true, view: r.head.View, tries: 5, retryAt: farAway}
	r.retrySoon(w)
	require.Equal(t, 1, w.tries, "a refusal shows that the next attempt need not wait so long")
}

// D3: a backup that sends requests, or asks for a read number, and answers nothing, has a hung disk: entries are repeated
// for its callers.
func TestABackupThatAsksAndDoesNotAnswer(t *testing.T) {
	for _, m := range []Message{&Request{Attempt: 1, Requests: []Proposal{{Session: 1, Request: 1, Floor: 1, Kind: Command}}}, &ReadRound{Read: 1}} {
		r := member(t, 1)
		leadNext(t, r)
		for range voteExpiry + 1 {
			r.Step(r.now.Add(r.cfg.Heartbeat), &Tick{})
			finishTurn(r)
		}
		p := &r.primary.progress[2]
		require.False(t, r.cannotAnswer(p))
		switch m := m.(type) {
		case *Request:
			m.View = r.head.View
		case *ReadRound:
			m.View = r.head.View
		}
		hear(r, 2, m)
		require.True(t, r.cannotAnswer(p), "%T", m)
		hear(r, 2, &PrepareOK{View: r.head.View, Op: r.log.last.Op})
		require.False(t, r.cannotAnswer(p), "%T", m)
	}
}
