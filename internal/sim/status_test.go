package sim

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr"
	"github.com/smr-go/smr/internal/sim/fault"
)

// N6: a backup that receives nothing, in a group without work, is named by the others as soon as any other outage, and
// the group reports that it tolerates no further failure. Its votes and its attempts to reach the primary through
// another member answer no heartbeat.
func TestADeafBackupOfAnIdleGroupIsNamed(t *testing.T) {
	s, p := newDriven(t)
	deaf, other := (p+1)%3, (p+2)%3
	require.NoError(t, s.Do(fault.Fault{Kind: fault.Deafen, Host: deaf}))
	s.RunFor(s.silence())
	for _, i := range []int{p, other} {
		assert.Contains(t, s.Status(i).State.Problem, fault.Name(deaf)+" is heard, but has not answered the primary since ")
	}
	assert.Contains(t, s.Status(deaf).State.Problem, "no quorum since ")
	s.RunFor(time.Minute)
	assert.Contains(t, s.Status(p).State.Problem, fault.Name(deaf)+" is heard, but has not answered the primary since ")
	require.NoError(t, s.Do(fault.Fault{Kind: fault.Join, Host: deaf}))
	s.RunFor(s.silence())
	for i := range s.hosts {
		assert.Empty(t, s.Status(i).State.Problem)
	}
	assert.Nil(t, s.Violation())
}

// N6: reads that a round has confirmed, and that their callers give up before the op is applied, are not answered when
// it is. So a replica reports that calls fail although its state machine, which stands still for short times, goes on.
func TestReadsThatAreGivenUpAreNotAnswered(t *testing.T) {
	s, p := newDriven(t)
	b := (p + 1) % 3
	look := Operation{Read: func(smr.StateMachine) any { return nil }}
	for n := range 8 {
		require.NoError(t, s.Do(fault.Fault{Kind: fault.HangApply, Host: b, For: 400 * time.Millisecond}))
		written := s.Call(p, 1, numbered(n))
		s.RunFor(50 * time.Millisecond)
		require.Equal(t, Answered, written.Outcome)
		read := s.Call(b, 2, look)
		s.RunFor(250 * time.Millisecond)
		s.Cancel(read)
		s.RunFor(200 * time.Millisecond)
		require.NotEqual(t, Answered, read.Outcome)
		require.GreaterOrEqual(t, s.Status(b).Applied, written.At)
	}
	assert.Contains(t, s.Status(b).State.Problem, "no call through this replica has been answered since ")
	assert.Nil(t, s.Violation())
}

// F15: a backup whose disk hangs applies what it receives, up to the window of the primary. Its problem names the disk,
// and the op after which it receives nothing.
func TestABackupWithAHungDiskReportsWhereItStands(t *testing.T) {
	setup := Calm(1)
	setup.SnapshotEvery, setup.Window = 1<<30, 200<<10
	s, p := newDrivenIn(t, setup)
	b := (p + 1) % 3
	was := s.Status(b).Applied
	require.NoError(t, s.Do(fault.Fault{Kind: fault.SlowDisk, Host: b, N: int64(10000 * time.Hour)}))
	for n := range 300 {
		body := append([]byte{1, 0, byte(n >> 8), byte(n)}, make([]byte, 1<<10)...)
		c := s.Call(p, 1, Operation{Body: body})
		s.RunFor(10 * time.Millisecond)
		require.Equal(t, Answered, c.Outcome)
	}
	s.RunFor(3 * time.Second)
	x := s.Status(b)
	assert.InDelta(t, 187, float64(x.Applied-was), 15)
	assert.Contains(t, x.State.Problem, "the disk has not completed a read or a write since ")
	where := fmt.Sprintf("; until it does, operations after op %d are not received here", x.Applied)
	assert.Contains(t, x.State.Problem, where)
	assert.Nil(t, s.Violation())
}
