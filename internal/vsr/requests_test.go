package vsr

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func refusals(sent []Message) (n int) {
	for _, m := range sent {
		if _, ok := m.(*Reply); ok {
			n++
		}
	}
	return n
}

func attemptOf(view View, attempt uint64) *Request {
	return &Request{View: view, Attempt: attempt, Requests: []Proposal{{Session: 1, Request: attempt, Floor: 1, Kind: Command}}}
}

// X4: a request that was accepted in a view is not rejected when a late copy of it arrives after
// the view. A request that was not accepted is.
func TestALateCopyOfARequestIsNotRefused(t *testing.T) {
	r := member(t, 1)
	leadNext(t, r)
	assert.Zero(t, refusals(hear(r, 1, attemptOf(3, 1))), "it is taken")
	hear(r, 1, &DoViewChange{View: 4, Last: stampOf(1, 0, 1), Commit: 1, First: 1})
	require.Equal(t, View(4), r.head.View)
	assert.Zero(t, refusals(hear(r, 1, attemptOf(3, 1))), "its copy")
	assert.Equal(t, 1, refusals(hear(r, 1, attemptOf(3, 2))), "another one")
	assert.Zero(t, refusals(hear(r, 1, attemptOf(3, 2))), "once")
}

// X4: a process does not know which requests an earlier process of its member has accepted.
func TestARestartedPrimaryRefusesNothingOfItsOldView(t *testing.T) {
	r := member(t, 3)
	hear(r, 1, &DoViewChange{View: 4, Last: stampOf(1, 0, 1), Commit: 1, First: 1})
	assert.Zero(t, refusals(hear(r, 1, attemptOf(3, 1))))
	leadNext(t, r)
	require.Equal(t, View(6), r.head.View)
	hear(r, 1, &DoViewChange{View: 7, Last: r.log.last, Commit: 1, First: 1})
	assert.Equal(t, 1, refusals(hear(r, 1, attemptOf(6, 2))), "of a view in which this process was there")
}

// X4: a rejection of several requests, some of which were withdrawn in the meantime.
func TestARefusalOfForgottenRequests(t *testing.T) {
	r := member(t, 1)
	hear(r, 1, &Commit{View: 1, Commit: 1, Round: 1})
	r.Step(r.now, &SessionOpened{Session: 1})
	for range 4 {
		_, err := proposeTo(r, r.now, nil)
		require.NoError(t, err)
	}
	finishTurn(r)
	r.Step(r.now, &Forget{Request: 2})
	r.Step(r.now, &Forget{Request: 3})
	r.Step(r.now, &Receive{From: 1, Header: Header{Group: GroupID{9}, Epoch: 1, Incarnation: threeIDs[1], Start: 1},
		Message: &Reply{View: 1, Start: r.head.Start, Attempt: 1, From: 1, Overloaded: true}})
	out := r.Ready(r.now)
	assert.Equal(t, []Settled{{1, ErrOverloaded}, {4, ErrOverloaded}}, out.Settled)
}

// X2, 11.10: waiting proposals are limited in bytes and in number, however many the callers make.
func TestRequestsHaveLimits(t *testing.T) {
	for _, x := range []struct {
		window, body int64
		most         int
	}{{1 << 30, 0, SessionLimit}, {1000, 36, 10}} {
		r := member(t, 1)
		r.cfg.Window = x.window
		for range x.most {
			_, err := proposeTo(r, r.now, make([]byte, x.body))
			require.NoError(t, err)
		}
		for range 3 {
			_, err := proposeTo(r, r.now, make([]byte, x.body))
			assert.ErrorIs(t, err, ErrOverloaded)
		}
		assert.NoError(t, r.Check())
	}
}

// 11.10, X4: while the start number is not durable, so that no Request may be sent, proposals wait where they are
// counted and where callers can withdraw them. They do not wait for the view to be durable.
func TestRequestsWaitForTheStartNumberToBeDurable(t *testing.T) {
	r := starting(1)
	require.NotNil(t, r.Ready(r.now).Save)
	h := Header{Group: GroupID{9}, Epoch: 1, Incarnation: threeIDs[1], Start: 1}
	r.Step(r.now, &SessionOpened{Session: 1})
	r.Step(r.now, &Receive{From: 1, Header: h, Message: &Commit{View: 4, Commit: 1, Round: 1}})
	for range 50 {
		number, err := proposeTo(r, r.now, make([]byte, 1000))
		require.NoError(t, err)
		r.Ready(r.now)
		require.NoError(t, r.Check())
		require.False(t, r.Sent(number))
		r.Step(r.now, &Forget{Request: number})
	}
	_, err := proposeTo(r, r.now, nil)
	require.NoError(t, err)
	r.Ready(r.now)
	require.Greater(t, r.saves.headSeq, uint64(1))
	r.Step(r.now, &Saved{Seq: 1})
	out := r.Ready(r.now)
	require.NotEmpty(t, out.Messages)
	assert.IsType(t, &Request{}, out.Messages[len(out.Messages)-1].Message)
}

// N3: whatever a member asks for, the primary saves only entries that every member takes, and the group goes on.
func FuzzRequests(f *testing.F) {
	process := appendSession(nil, "b", Incarnation{1}, 1)
	for _, session := range []uint64{0, 1, 2, 3, 1 << 63, 1<<64 - 1} {
		f.Add(session, uint64(1), uint64(1), byte(Command), []byte("x=1"))
		f.Add(session, uint64(1<<64-1), uint64(1<<64-1), byte(OpenSession), process)
	}
	for kind := range byte(OpenSession + 2) {
		f.Add(uint64(0), uint64(0), uint64(0), kind, []byte{})
	}
	f.Fuzz(func(t *testing.T, session, request, floor uint64, kind byte, body []byte) {
		g := newTestGroup(3)
		g.fast = true
		g.form()
		a, b := g.hosts[0], g.hosts[1]
		b.core.forward([]Proposal{{Session: session, Request: request, Floor: floor, Kind: Kind(kind), Body: body}})
		g.turn(b)
		g.stabilize()
		require.True(t, g.propose(a, "after it"))
		g.turn(a)
		g.stabilize()
		g.heartbeat(a)
		g.stabilize()
		require.NoError(t, g.broken)
		for _, h := range g.hosts {
			require.Equal(t, a.core.log.last.Op, h.core.applied, h.id)
		}
	})
}

// X2: requests whose results could fill the session's window wait to be sent, where callers can
// withdraw them. Results that are known count with their sizes from the floor on, the others with the
// size that is usual. The first request that waits is sent in any case.
func TestResultsHaveAWindow(t *testing.T) {
	r := member(t, 1)
	r.cfg.Results = 1000
	hear(r, 1, &Commit{View: 1, Commit: 1, Round: 1})
	r.Step(r.now, &SessionOpened{Session: 1})
	sent := func() (numbers []uint64) {
		for _, m := range finishTurn(r) {
			if m, ok := m.(*Request); ok {
				for _, p := range m.Requests {
					numbers = append(numbers, p.Request)
				}
			}
		}
		require.NoError(t, r.Check())
		return numbers
	}
	propose := func(n int) {
		for range n {
			_, err := proposeTo(r, r.now, nil)
			require.NoError(t, err)
		}
	}
	for number := uint64(1); number <= 200; number++ {
		propose(1)
		require.Equal(t, []uint64{number}, sent())
		r.Step(r.now, &Forget{Request: number, Size: 250})
	}
	propose(7)
	require.Equal(t, []uint64{201, 202, 203, 204}, sent())
	require.False(t, r.Sent(205))
	r.Step(r.now, &Forget{Request: 202, Size: 250})
	r.Step(r.now, &Forget{Request: 203, Lost: true})
	require.Empty(t, sent(), "their results are kept as long as 201 waits")
	r.Step(r.now, &Forget{Request: 201, Size: 250})
	require.Equal(t, []uint64{205, 206, 207}, sent())
	r.Step(r.now, &Forget{Request: 206, Lost: true})
	r.Step(r.now, &Forget{Request: 206, Size: 5000})
	propose(1)
	require.Empty(t, sent())
	r.Step(r.now, &Forget{Request: 205, Size: 250})
	r.Step(r.now, &Forget{Request: 204, Size: 250})
	require.Equal(t, []uint64{208}, sent(), "the floor has passed the large result")
}

// N3. A message carries requests up to MaxBatch, or one of any size. All are sent.
func TestRequestsFitIntoMessages(t *testing.T) {
	r := member(t, 1)
	hear(r, 1, &Commit{View: 1, Commit: 1, Round: 1})
	r.Step(r.now, &SessionOpened{Session: 1})
	r.cfg.Window = 64 << 20
	f := r.forwardingNow()
	f.flow.Sent(1, r.now)
	f.flow.Took(1 << 30)
	f.flow.Answered(r.now, r.cfg.Heartbeat)
	require.EqualValues(t, MaxInFlight, f.flow.Room())
	for _, size := range []int{600 << 10, 600 << 10, 3 << 20, 100, MaxBatch - 2*entryOverhead - 100, 1} {
		_, err := proposeTo(r, r.now, make([]byte, size))
		require.NoError(t, err)
	}
	var counts []int
	for _, m := range finishTurn(r) {
		if m, ok := m.(*Request); ok {
			counts = append(counts, len(m.Requests))
		}
	}
	require.Equal(t, []int{1, 1, 1, 2, 1}, counts)
}

// N1: what is not durable at the primary itself counts in its window, even if the backups have it, and it
// is committed and applied.
func TestWindowCountsWhatIsNotDurableHere(t *testing.T) {
	r := member(t, 3)
	leadNext(t, r)
	r.cfg.Window = 1000
	r.Step(r.now, &SessionOpened{Session: 1})
	r.Step(r.now, &Applied{Op: r.commit})
	for i := range 20 {
		number, err := proposeTo(r, r.now, make([]byte, 136))
		require.Equal(t, i >= 5, err != nil, "proposal %d", i)
		if err != nil {
			require.ErrorIs(t, err, ErrOverloaded)
			continue
		}
		r.Ready(r.now)
		for from := Index(1); from <= 2; from++ {
			r.Step(r.now, &Receive{From: from, Header: Header{Group: GroupID{9}, Epoch: 1, Incarnation: threeIDs[from], Start: 1},
				Message: &PrepareOK{View: r.head.View, Op: r.log.last.Op}})
		}
		r.Ready(r.now)
		require.Equal(t, r.log.last.Op, r.commit)
		r.Step(r.now, &Applied{Op: r.commit})
		r.Step(r.now, &Forget{Request: number})
		require.NoError(t, r.Check())
	}
	r.Step(r.now, &Saved{Seq: r.saves.issuedSeq})
	_, err := proposeTo(r, r.now, make([]byte, 136))
	require.NoError(t, err)
}
