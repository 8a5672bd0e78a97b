package sim

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr"
	"github.com/smr-go/smr/internal/sim/fault"
)

// A process that stops in order ends all its calls. What may be in a log has no outcome; a call that waits for a turn
// is not applied. The process that starts next uses the directory.
func TestStopEndsCalls(t *testing.T) {
	s, p := newDriven(t)
	b := (p + 1) % 3
	first := s.Call(b, 1, numbered(0))
	require.True(t, s.RunUntil(func() bool { return first.Outcome == Answered }, time.Second))
	require.NoError(t, s.Do(fault.Fault{Kind: fault.Cut, Host: p, To: b, For: time.Second}))
	sent := s.Call(b, 1, numbered(1))
	s.RunFor(20 * time.Millisecond)
	require.NoError(t, s.Do(fault.Fault{Kind: fault.Stop, Host: b, For: 100 * time.Millisecond}))
	require.True(t, s.RunUntil(func() bool { return s.hosts[b].proc.leaving != nil }, time.Second))
	late := s.Call(b, 2, numbered(2))
	require.True(t, s.RunUntil(func() bool { return !s.Status(b).Up }, stopTime))
	require.Equal(t, Unknown, sent.Outcome)
	require.Equal(t, NotApplied, late.Outcome)
	require.ErrorIs(t, late.Err, smr.ErrClosed)
	require.NoError(t, s.Converge(10*time.Second))
	require.Equal(t, p, s.Primary())
	again := s.Call(b, 1, numbered(3))
	require.True(t, s.RunUntil(func() bool { return again.Outcome == Answered }, time.Second), "%v", s.Violation())
	stats := s.Report().Stats
	require.Equal(t, 3, stats.Commands, "first, sent and again")
	require.Equal(t, 1, stats.Stops)
	require.Zero(t, stats.Crashes)
}

// A primary that stops in order passes its role on before the others would miss it.
func TestStopOfThePrimary(t *testing.T) {
	s, p := newDriven(t)
	require.NoError(t, s.Do(fault.Fault{Kind: fault.Stop, Host: p}))
	require.True(t, s.RunUntil(func() bool { return s.Primary() >= 0 && s.Primary() != p }, 50*time.Millisecond))
}
