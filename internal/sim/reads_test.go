package sim

import (
	"testing"
	"time"

	"github.com/smr-go/smr"
	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr/internal/sim/fault"
)

// The answer to a question of an earlier process of the replica arrives after the present process has asked a question
// with the same number, and missed a command whose result a caller has seen. The answer does not confirm the read.
// Seeds would hardly ever meet this.
func TestAnEarlierProcessHasAskedForItself(t *testing.T) {
	s, p := newDriven(t)
	b := (p + 1) % 3
	look := Operation{Read: func(smr.StateMachine) any { return nil }}

	require.NoError(t, s.Do(fault.Fault{Kind: fault.SlowLink, Host: p, To: b, N: int64(5 * time.Second),
		For: 20 * time.Millisecond}))
	require.NotNil(t, s.Call(b, 1, look)) // the answer is under way for 5 s
	s.RunFor(50 * time.Millisecond)
	require.NoError(t, s.Do(fault.Fault{Kind: fault.Crash, Host: b, For: 100 * time.Millisecond}))
	s.RunFor(200 * time.Millisecond)
	require.NoError(t, s.Converge(2*time.Second))
	require.Equal(t, p, s.Primary())

	require.NoError(t, s.Do(fault.Fault{Kind: fault.LossyLink, Host: p, To: b, N: 1000, For: 10 * time.Second}))
	seen := s.Call(p, 2, command())
	s.RunFor(100 * time.Millisecond)
	require.Equal(t, Answered, seen.Outcome)
	again := s.Call(b, 1, look)
	require.True(t, s.RunUntil(func() bool { return again.Outcome != Pending }, time.Minute), "%v", s.Violation())
	require.GreaterOrEqual(t, again.At, seen.At)
}
