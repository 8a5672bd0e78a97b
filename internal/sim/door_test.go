package sim

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr/internal/shell"
	"github.com/smr-go/smr/internal/sim/fault"
)

// A simulated replica limits what waits for its loop as a real one does: it refuses proposals and drops
// messages, which are sent again.
func TestWhatWaitsIsLimited(t *testing.T) {
	setup := Calm(1)
	setup.Window, setup.Inbox = 10_000, 1000
	s, p := newDrivenIn(t, setup)
	backup := (p + 1) % 3
	require.NoError(t, s.Do(fault.Fault{Kind: fault.Pause, Host: backup}))
	var calls []*Call
	for i := range 200 {
		calls = append(calls, s.Call(backup, 1, numbered(i)))
	}
	refused := calls[199]
	require.Equal(t, NotApplied, refused.Outcome)
	require.ErrorIs(t, refused.Err, shell.ErrOverloaded)
	require.Zero(t, s.Report().Stats.Dropped)
	s.RunFor(2 * time.Second)
	require.Positive(t, s.Report().Stats.Dropped)
	require.NoError(t, s.Do(fault.Fault{Kind: fault.Resume, Host: backup}))
	require.NoError(t, s.Converge(10*time.Second))
	require.Equal(t, Answered, calls[0].Outcome)
	require.Equal(t, NotApplied, refused.Outcome)
	again := s.Call(backup, 1, numbered(200))
	require.True(t, s.RunUntil(func() bool { return again.Outcome != Pending }, time.Minute), "%v", s.Violation())
	require.Equal(t, Answered, again.Outcome)
}
