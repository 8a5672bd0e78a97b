package sim

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr/internal/sim/fault"
)

// N3: a member that forwards a request which no log can hold harms nobody: its call is answered by a later attempt, and
// the group goes on.
func TestForgedRequests(t *testing.T) {
	for seed := range uint64(4) {
		s, p := newDriven(t)
		backup := (p + 1) % 3
		before := s.Call(backup, 1, numbered(0))
		require.True(t, s.RunUntil(func() bool { return before.Outcome == Answered }, time.Second))
		require.NoError(t, s.Do(fault.Fault{Kind: fault.ForgeRequest, Host: backup, Seed: seed}))
		call := s.Call(backup, 1, numbered(1))
		require.True(t, s.RunUntil(func() bool { return call.Outcome == Answered }, 10*time.Second), "seed %d", seed)
		assert.Greater(t, call.Ended-call.Began, 500*time.Millisecond, "the first attempt was forged")
		assert.NoError(t, s.Converge(5*time.Second))
		assert.Nil(t, s.Violation())
	}
}
