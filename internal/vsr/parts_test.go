package vsr

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// C5, N6: what was dropped before it had left is sent again as soon as the member answers. How long it would have taken on
// the way does not matter.
func TestWhatWasDroppedIsSentAgain(t *testing.T) {
	for _, relayed := range []bool{false, true} {
		r := member(t, 1)
		leadNext(t, r)
		via, other := Index(1), Index(2)
		if relayed {
			r.relays.via[1], r.relays.until[1] = 2, r.now.Add(time.Hour)
			via, other = 2, 1
		}
		_, err := proposeTo(r, r.now, make([]byte, 512<<10))
		require.NoError(t, err)
		finishTurn(r)
		round := r.primary.round
		resent := func() (n int) {
			for _, m := range hear(r, 1, &CommitOK{View: r.head.View, Round: round, Op: r.commit}) {
				if p, ok := m.(*Prepare); ok && len(p.Entries) > 0 {
					n++
				}
			}
			return n
		}
		r.Step(r.now, &Dropped{To: other})
		require.Zero(t, resent(), "it may be on its way")
		r.Step(r.now, &Dropped{To: via})
		assert.Equal(t, 1, resent())
		assert.Zero(t, resent(), "once")
		require.NoError(t, r.Check())
	}
}

// C5, X5: likewise for requests.
func TestARequestThatWasDroppedIsSentAgain(t *testing.T) {
	for _, dropped := range []bool{false, true} {
		r := followsB(t)
		resent := func() (n int) {
			for _, m := range finishTurn(r) {
				if _, ok := m.(*Request); ok {
					n++
				}
			}
			return n
		}
		_, err := proposeTo(r, r.now, []byte("x"))
		require.NoError(t, err)
		require.Equal(t, 1, resent(), "the request of a session")
		r.Step(r.now, &SessionOpened{Session: 3})
		_, err = proposeTo(r, r.now, make([]byte, 800<<10))
		require.NoError(t, err)
		require.NotZero(t, resent())
		if dropped {
			r.Step(r.now, &Dropped{To: 2})
			require.NotEmpty(t, r.requests.forwarding.inFlight)
			r.Step(r.now, &Dropped{To: 1})
			require.Empty(t, r.requests.forwarding.inFlight)
		}
		r.Step(r.now.Add((retryAfter+1)*r.cfg.Heartbeat), &Tick{})
		assert.Equal(t, dropped, resent() > 0)
		require.NoError(t, r.Check())
	}
}

// C5, V6: the owner of the best log gives it again after it was dropped.
func TestTheBestLogIsGivenAgainAfterItWasDropped(t *testing.T) {
	r := followsB(t)
	hear(r, 1, &Prepare{View: 1, Prev: stampOf(1, 1, 2), Entries: []Entry{{Op: 3, View: 1, Epoch: 1, Kind: Command, Body: make([]byte, 256<<10)}}, Commit: 2})
	hear(r, 1, &DoViewChange{View: 4, Last: stampOf(1, 0, 1), First: 1})
	require.Equal(t, changingView, r.status)
	given := func() (n int) {
		for _, m := range hear(r, 1, &GetState{View: 4, Best: r.log.last, Prev: stampOf(1, 1, 2)}) {
			if _, ok := m.(*NewState); ok {
				n++
			}
		}
		return n
	}
	require.Equal(t, 1, given())
	r.Step(r.now, &Dropped{To: 2})
	require.Zero(t, given(), "it is on its way")
	r.Step(r.now, &Dropped{To: 1})
	assert.Equal(t, 1, given())
	assert.Zero(t, given(), "once")
}

// C5, X6: parts that arrive at the relay of a member show that its Prepares make progress. If nothing is on its way, parts
// prove nothing about the primary.
func TestPartsAreProgressOfWhatIsOnItsWay(t *testing.T) {
	r := member(t, 1)
	leadNext(t, r)
	r.now = r.now.Add(time.Second)
	began := r.primary.movedAt
	r.Step(r.now, &Carried{To: 1})
	assert.Equal(t, began, r.primary.movedAt)
	_, err := proposeTo(r, r.now, make([]byte, 512<<10))
	require.NoError(t, err)
	finishTurn(r)
	r.relays.via[1], r.relays.until[1] = 2, r.now.Add(time.Hour)
	r.now = r.now.Add(time.Second)
	r.Step(r.now, &Carried{To: 2})
	assert.Equal(t, r.now, r.primary.progress[1].progressAt)
	assert.Equal(t, r.now, r.primary.movedAt)
}

// C5, V8: only parts of the owner of the best log, which was asked for it, give a view change more time.
func TestPartsOfOthersDoNotProlongAViewChange(t *testing.T) {
	r := member(t, 2)
	hear(r, 1, &DoViewChange{View: 3, Last: stampOf(1, 2, 100), Commit: 1, First: 1})
	c := &r.viewChange
	require.True(t, c.stateRequested)
	require.Equal(t, Index(1), c.owner)
	until := r.now
	c.giveUpAt = until
	r.now = r.now.Add(time.Second)
	r.onPart(2)
	assert.Equal(t, until, c.giveUpAt)
	c.stateRequested = false
	r.onPart(1)
	assert.Equal(t, until, c.giveUpAt)
	c.stateRequested = true
	r.onPart(1)
	assert.True(t, c.giveUpAt.After(until))
}
