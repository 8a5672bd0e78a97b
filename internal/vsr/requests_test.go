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

// 11.10, X4: while a view is not durable, so that no message of it may be sent, proposals wait
// where they are counted and where callers can withdraw them.
func TestRequestsWaitForTheViewToBeDurable(t *testing.T) {
	r := member(t, 1)
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
	r.Step(r.now, &Saved{Seq: r.saves.issuedSeq})
	out := r.Ready(r.now)
	require.NotEmpty(t, out.Messages)
	assert.IsType(t, &Request{}, out.Messages[len(out.Messages)-1].Message)
}
