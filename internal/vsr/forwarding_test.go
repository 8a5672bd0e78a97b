package vsr

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// forwarder is a backup with callers, whose primary is b.
type forwarder struct {
	*Replica
	t     *testing.T
	round Round
}

func newForwarder(t *testing.T) *forwarder {
	r := member(t, 1)
	r.cfg.Abdication = time.Minute
	hear(r, 1, &Prepare{View: 1, Prev: r.log.last, Entries: []Entry{{Op: 2, View: 1, Epoch: 1, Kind: Opening}}})
	hear(r, 1, &Commit{View: 1, Commit: 2, Round: 1})
	r.Step(r.now, &Applied{Op: 2})
	r.Step(r.now, &SessionOpened{Session: 1})
	return &forwarder{r, t, 1}
}

// call has a caller propose, and returns the requests that leave.
func (f *forwarder) call(size int) []*Request {
	_, err := proposeTo(f.Replica, f.now, make([]byte, size))
	require.NoError(f.t, err)
	return requestsIn(finishTurn(f.Replica))
}

// wait has the primary send heartbeats for a while, and returns the requests that leave.
func (f *forwarder) wait(d time.Duration) (sent []*Request) {
	for end := f.now.Add(d); f.now.Before(end); {
		f.now = f.now.Add(f.cfg.Heartbeat)
		f.Step(f.now, &Tick{})
		f.round++
		sent = append(sent, requestsIn(hear(f.Replica, 1, &Commit{View: 1, Commit: 2, Round: f.round}))...)
		require.NoError(f.t, f.Check())
	}
	return sent
}

// append has the primary append the entries of requests to its log, and returns the requests that leave.
func (f *forwarder) append(requests ...*Request) []*Request {
	m := &Prepare{View: 1, Prev: f.log.last, Commit: 2}
	for _, x := range requests {
		for _, p := range x.Requests {
			op := f.log.last.Op + OpNumber(len(m.Entries)) + 1
			m.Entries = append(m.Entries, Entry{Op: op, View: 1, Epoch: 1, Kind: p.Kind, Session: p.Session,
				Request: p.Request, Floor: p.Floor, Body: p.Body})
		}
	}
	return requestsIn(hear(f.Replica, 1, m))
}

func requestsIn(sent []Message) (requests []*Request) {
	for _, m := range sent {
		if m, ok := m.(*Request); ok {
			requests = append(requests, m)
		}
	}
	return requests
}

// X5, 11.10: the bytes of requests on their way to the primary are limited, whether their callers still wait or not.
// Other requests wait at the replica, which reports why.
func TestRequestsOnTheirWayAreLimited(t *testing.T) {
	f := newForwarder(t)
	var sent []*Request
	for i := range 100 {
		sent = append(sent, f.call(16<<10)...)
		f.Step(f.now, &Forget{Request: uint64(i + 1), Lost: true})
	}
	require.Len(t, sent, 8, "128 KiB")
	assert.Empty(t, f.call(100))
	assert.Equal(t, "requests wait for the link to the primary, b: 131584 bytes are on their way, and none has arrived yet",
		f.Congestion())
	assert.Empty(t, f.health.problem)
	f.now = f.now.Add(100 * time.Millisecond)
	sent = f.append(sent...)
	assert.Len(t, sent, 1, "there is room")
	assert.Empty(t, f.Congestion())
}

// X4, X5: requests on their way are not resent while answers keep coming, and those in the log are never resent in this
// view. Silence proves a loss. Then one message at a time finds out whether the primary answers.
func TestRequestsOnTheirWayAreNotResent(t *testing.T) {
	f := newForwarder(t)
	var sent []*Request
	for range 8 {
		sent = append(sent, f.call(16<<10)...)
	}
	require.Len(t, sent, 8)
	for i := range 4 {
		assert.Empty(t, f.wait(15*f.cfg.Heartbeat), "late by %d answers", i)
		assert.Empty(t, f.append(sent[i]))
	}
	var again []*Request
	for range 300 {
		some := f.wait(f.cfg.Heartbeat)
		again = append(again, some...)
		assert.LessOrEqual(t, len(some), 1)
	}
	require.Greater(t, len(again), 2)
	for _, x := range again {
		assert.Len(t, x.Requests, 1)
		assert.GreaterOrEqual(t, x.Requests[0].Request, uint64(5))
	}
	assert.Contains(t, f.health.problem, "requests wait for the link to the primary, b")
	for range 60 {
		again = append(f.append(again...), f.wait(10*f.cfg.Heartbeat)...)
	}
	assert.Empty(t, again)
	assert.Empty(t, f.requests.forwarding.inFlight)
	assert.NotContains(t, f.health.problem, "requests wait")
}

// X5: the entry of a request is a command. One of another kind with the same number, which only a forged request makes,
// does not keep the request from being sent again.
func TestRequestWhoseNumberAnotherKindHas(t *testing.T) {
	f := newForwarder(t)
	sent := f.call(100)
	require.Len(t, sent, 1)
	forged := *sent[0]
	forged.Requests = []Proposal{forged.Requests[0]}
	forged.Requests[0].Kind = OpenSession
	f.append(&forged)
	again := f.wait(300 * f.cfg.Heartbeat)
	require.NotEmpty(t, again)
	assert.Equal(t, Command, again[0].Requests[0].Kind)
	f.append(again[0])
	assert.Empty(t, f.wait(300*f.cfg.Heartbeat))
}

// X3, X5: a result that is learned from a snapshot shows that its request has arrived, and those before it.
func TestAResultShowsThatRequestsHaveArrived(t *testing.T) {
	f := newForwarder(t)
	for range 8 {
		require.Len(t, f.call(16<<10), 1)
	}
	require.Empty(t, f.call(16<<10))
	f.Step(f.now, &Forget{Request: 4, Size: 10})
	require.Len(t, requestsIn(finishTurn(f.Replica)), 1)
	require.Len(t, f.requests.forwarding.inFlight, 5)
}

// C1: a request that is sent again is not timed, because the answer may be to the first. One that is timed ends the count
// of losses.
func TestOnlyWhatIsSentOnceIsTimed(t *testing.T) {
	r := member(t, 1)
	for _, again := range []bool{true, false} {
		f := forwarding{flow: r.newFlow(), tries: 3}
		f.sent(sentRequests{attempt: 1, first: 1, last: 1, bytes: 1000}, again, r.now)
		f.answered(1, r.now.Add(time.Second), r.cfg.Heartbeat)
		require.Equal(t, again, f.flow.Rate() == 0)
		require.Equal(t, again, f.tries == 3)
	}
}

// Requests that waited for the link to one primary do not wait for the link to the next.
func TestCongestionEndsWithTheView(t *testing.T) {
	f := newForwarder(t)
	for range 9 {
		f.call(16 << 10)
	}
	require.NotEmpty(t, f.Congestion())
	f.setView(2)
	require.Empty(t, f.Congestion())
}

// C5, X5: while parts of the primary arrive, a large request is not resent, because they may belong to its entry. A small
// one is: its entry does not come in parts.
func TestPartsOfThePrimaryPutOffLargeRequestsOnly(t *testing.T) {
	for size, resent := range map[int]int{300 << 10: 0, 100: 1} {
		r := member(t, 1)
		hear(r, 1, &Commit{View: 1, Commit: 1, Round: 1})
		r.Step(r.now, &SessionOpened{Session: 1})
		_, err := proposeTo(r, r.now, make([]byte, size))
		require.NoError(t, err)
		require.Len(t, finishTurn(r), 1)
		requests := 0
		for i := range 3 * retryAfter {
			r.now = r.now.Add(r.cfg.Heartbeat)
			r.Step(r.now, &Tick{})
			sent := append(hear(r, 1, &Commit{View: 1, Commit: 1, Round: Round(i + 2)}), hear(r, 1, &Part{Stream: 1, Number: uint64(i), Data: []byte("part")})...)
			for _, m := range sent {
				if _, ok := m.(*Request); ok {
					requests++
				}
			}
		}
		assert.Equal(t, resent, requests, "a request of %d bytes", size)
	}
}
