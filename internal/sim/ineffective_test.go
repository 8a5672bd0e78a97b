package sim

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr/internal/sim/fault"
	"github.com/smr-go/smr/internal/vsr"
)

// A report lists the faults without effect, and why.
func TestIneffectiveFaultsAreReported(t *testing.T) {
	const s = time.Second
	p := Calm(1)
	p.SnapshotEvery = 1 << 30
	faults := []fault.Fault{
		{At: 2 * s, Kind: fault.Crash, Host: 1, For: s},
		{At: 2*s + s/2, Kind: fault.Pause, Host: 1, For: s}, // it is down
		{At: 4 * s, Kind: fault.Isolate, Host: 2, For: s, After: &fault.Trigger{Host: 2, When: fault.Sent,
			Message: vsr.KindSnapshotChunk, Nth: 1}},
		{At: 5 * s, Kind: fault.FailSync, Host: 0, N: 1 << 30},
		{At: 5 * s, Kind: fault.CrashIn, Host: 2, N: 1 << 30, For: s},
		{At: 600 * s, Kind: fault.Crash, Host: 0},
	}
	r := Run(&Schedule{Setup: *p, Faults: faults}, nil, listWork(10, 0.3, 0), nil)
	require.Nil(t, r.Violation)
	why := map[string]int{}
	for _, v := range r.Ineffective {
		why[v.Why]++
	}
	assert.Equal(t, map[string]int{"b is down": 1, "its moment never came": 3, "its time never came": 1}, why)
	happened := r.Happened()
	assert.Equal(t, 1, happened[fault.Crash])
	assert.Zero(t, happened[fault.FailSync]+happened[fault.CrashIn]+happened[fault.Isolate])
	assert.Equal(t, fault.CrashClass, r.Classes()&^(fault.NetworkClass|fault.ClockClass))
}

// The group serves while a member stays out of reach, and settles with it later.
func TestStayingOutOfReach(t *testing.T) {
	for name, staying := range map[string]Unhealed{
		"down": {Down: 1}, "unheard": {Unheard: 1}, "deaf": {Deaf: 1}, "paused": {Paused: 1}, "hung": {Hung: 1},
		"two of three": {Down: 1, Deaf: 1},
	} {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(5) {
				p := Calm(seed + 1)
				p.Trouble, p.Unhealed = time.Second, staying
				r := Run(&Schedule{Setup: *p}, nil, listWork(10, 0.3, 0), nil)
				assert.Nil(t, r.Violation)
				assert.Equal(t, 1, r.Stats.Unhealed, "no more than three can do without")
			}
		})
	}
}
