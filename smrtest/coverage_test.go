package smrtest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr/internal/sim"
	"github.com/smr-go/smr/internal/sim/fault"
)

// hunted returns the hunt of an exploration of counts.
func hunted(t *testing.T, faults Faults, runs int, virtual time.Duration) *hunt {
	c := countsOf(incX, getX)
	c.Faults, c.Runs, c.Virtual = faults, runs, virtual
	x, err := c.trial("TestCounts")
	require.NoError(t, err)
	h := x.newHunt()
	h.runs = runs
	h.run(t)
	require.Nil(t, h.first)
	return h
}

// Runs in which nothing happens show nothing. They fail the test, with what to change. A few
// runs may be calm.
func TestExploreNeedsFaultsToHappen(t *testing.T) {
	h := hunted(t, Faults{}, 10, time.Millisecond)
	assert.Contains(t, h.tooLittle(), "runs had no fault. Raise Config.Virtual, the time in which faults happen in each run, from 1ms to several seconds")
	h = hunted(t, Faults{}, 10, 3*time.Second)
	assert.Empty(t, h.tooLittle())
	assert.Empty(t, hunted(t, Faults{}, 1, time.Millisecond).tooLittle())
	assert.Empty(t, hunted(t, Faults{None: true}, 10, time.Millisecond).tooLittle())

	h.sum.runs, h.x.virtual, h.sum.class = 100, 20*time.Second, new(Faults).class()&^fault.HandoverClass&^fault.LostDiskClass
	assert.Equal(t, "in 100 runs no fault of these kinds happened: Handovers. Raise Config.Virtual, now 20s, or Config.Runs", h.tooLittle())
	h.x.faults = Faults{Crashes: true, LostDisks: true}
	assert.Empty(t, h.tooLittle())
	h.x.faults, h.sum.faulty, h.sum.class = Faults{Handovers: true}, 0, 0
	assert.Contains(t, h.tooLittle(), "almost nothing happened: 100 of 100 runs had no fault")
}

// Faults of a kept schedule that no longer have an effect are reported.
func TestExploreReportsIneffectiveFaults(t *testing.T) {
	c := countsOf(incX)
	x, err := c.trial("TestCounts")
	require.NoError(t, err)
	p := sim.Calm(1)
	p.Trouble = time.Second
	s := &sim.Schedule{Setup: *p, Faults: []fault.Fault{
		{At: time.Second / 2, Kind: fault.Crash, Host: 1, For: time.Millisecond}, {At: time.Hour, Kind: fault.Isolate, Host: 1}}}
	r, f := x.playSchedule(t, s, "a file")
	require.Nil(t, f)
	assert.Equal(t, "one: 1 of its 2 faults had no effect, so it may no longer show what it was kept for:\n  at 1h0m0s isolate b: its time never came", ineffective("one", s, r))
}
