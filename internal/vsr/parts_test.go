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
