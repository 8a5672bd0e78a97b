package sim

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Of a schedule it is told which of its faults did nothing, and why.
func TestVainFaultsAreTold(t *testing.T) {
	const s = time.Second
	p := Calm(1)
	p.SnapshotEvery = 1 << 30
	faults := []Fault{
		{At: 2 * s, Kind: Crash, Host: 1, For: s},
		{At: 2*s + s/2, Kind: Pause, Host: 1, For: s}, // it is down
		{At: 4 * s, Kind: Isolate, Host: 2, For: s, After: &Aim{Host: 2, When: Sent, Message: MessageNamed("SnapshotChunk"), Nth: 1}},
		{At: 5 * s, Kind: FailSync, Host: 0, N: 1 << 30},
		{At: 5 * s, Kind: CrashIn, Host: 2, N: 1 << 30, For: s},
		{At: 600 * s, Kind: Crash, Host: 0},
	}
	r := Play(p, nil, faults, ListWork(10, 0.3, 0), nil)
	require.Nil(t, r.Violation)
	why := map[string]int{}
	for _, v := range r.Vain {
		why[v.Why]++
	}
	assert.Equal(t, map[string]int{"b is down": 1, "its moment never came": 1, "that sync never came": 1,
		"that change of the disk never came": 1, "its time never came": 1}, why)
	happened := r.Happened()
	assert.Equal(t, 1, happened[Crash])
	assert.Zero(t, happened[FailSync]+happened[CrashIn]+happened[Isolate])
	assert.Equal(t, CrashFaults, r.Sorts()&^(NetworkFaults|ClockFaults))
}

// The others answer, and are one, while a member stays out of reach; and then it too.
func TestStayingOutOfReach(t *testing.T) {
	for name, staying := range map[string]Staying{
		"down": {Down: 1}, "mute": {Mute: 1}, "deaf": {Deaf: 1}, "paused": {Paused: 1}, "hung": {Hung: 1}, "two of three": {Down: 1, Deaf: 1},
	} {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(5) {
				p := Calm(seed + 1)
				p.Trouble, p.Staying = time.Second, staying
				r := Play(p, nil, nil, ListWork(10, 0.3, 0), nil)
				assert.Nil(t, r.Violation)
				assert.Equal(t, 1, r.Stats.Stayed, "no more than three can do without")
			}
		})
	}
}
