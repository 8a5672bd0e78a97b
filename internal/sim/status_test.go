package sim

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

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
