package sim

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr/internal/sim/fault"
)

// newDriven returns a calm group of three with a primary. All its calls are made by the test.
func newDriven(t *testing.T) (s *Sim, primary int) { return newDrivenIn(t, Calm(1)) }

func newDrivenIn(t *testing.T, p *Setup) (s *Sim, primary int) {
	w := listWork(10, 0, 0)
	w.Next = nil
	s, err := New(p, w, nil)
	require.NoError(t, err)
	s.Begin()
	require.NoError(t, s.Converge(10*time.Second))
	require.GreaterOrEqual(t, s.Primary(), 0)
	return s, s.Primary()
}

func command() Operation { return Operation{Body: []byte("\x01\x00command")} }

func TestPauseLastsUntilResume(t *testing.T) {
	s, p := newDriven(t)
	backup := (p + 1) % 3
	before := s.Status(backup).Applied
	require.NoError(t, s.Do(fault.Fault{Kind: fault.Pause, Host: backup}))
	c := s.Call(p, 1, command())
	s.RunFor(20 * time.Second)
	require.Equal(t, Answered, c.Outcome)
	assert.True(t, s.Status(backup).Paused)
	assert.Equal(t, before, s.Status(backup).Applied)
	require.NoError(t, s.Do(fault.Fault{Kind: fault.Resume, Host: backup}))
	require.NoError(t, s.Converge(10*time.Second))
	assert.LessOrEqual(t, c.At, s.Status(backup).Applied, "an entry may follow that carries a floor")
	require.Nil(t, s.Violation())
}

func TestHealResumes(t *testing.T) {
	s, p := newDriven(t)
	require.NoError(t, s.Do(fault.Fault{Kind: fault.Pause, Host: p}))
	s.RunFor(5 * time.Second)
	s.Settle()
	assert.Nil(t, s.Violation())
}

func TestDoSaysWhyItCannot(t *testing.T) {
	s, _ := newDriven(t)
	require.NoError(t, s.Do(fault.Fault{Kind: fault.Crash, Host: 2}))
	assert.ErrorContains(t, s.Do(fault.Fault{Kind: fault.Pause, Host: 2}), "c is down")
	assert.ErrorContains(t, s.Do(fault.Fault{Kind: fault.RotLog, Host: 1, N: 999}), "no op 999")
	s.heal()
	assert.Error(t, s.Do(fault.Fault{Kind: fault.Crash, Host: 1}))
}

func TestReachesAndCovered(t *testing.T) {
	s, p := newDriven(t)
	require.NoError(t, s.Do(fault.Fault{Kind: fault.Cut, Host: 0, To: 1}))
	assert.False(t, s.Reaches(0, 1))
	assert.True(t, s.Reaches(1, 0))
	c := s.Call(p, 1, command())
	s.RunFor(5 * time.Second)
	first, last := s.Covered(p)
	assert.Equal(t, uint64(1), first)
	assert.GreaterOrEqual(t, last, c.At)
	assert.NoError(t, s.Do(fault.Fault{Kind: fault.RotLog, Host: p, N: int64(c.At)}))
}

// A cancelled command that never reached a primary is reported as not applied. One that may have
// reached it is unknown.
func TestCancel(t *testing.T) {
	s, p := newDriven(t)
	for i := range 3 {
		if i != p {
			require.NoError(t, s.Do(fault.Fault{Kind: fault.Crash, Host: i}))
		}
	}
	s.RunFor(10 * time.Second)
	never := s.Call(p, 1, command())
	s.RunFor(time.Second)
	require.Equal(t, Pending, never.Outcome)
	s.Cancel(never)
	s.RunFor(time.Second)
	assert.Equal(t, NotApplied, never.Outcome)
	assert.Nil(t, s.Violation())
}

// Primary returns the primary of the latest view that has one, or -1.
func (s *Sim) Primary() int {
	if h := s.primary(); h != nil {
		return h.i
	}
	return -1
}
