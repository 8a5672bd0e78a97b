package smrtest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr/internal/sim/fault"
)

// searched returns the search of an exploration of counts.
func searched(t *testing.T, faults Faults, runs int, virtual time.Duration) *search {
	c := countsOf(incX, getX)
	c.Faults, c.Runs, c.Virtual = faults, runs, virtual
	x, err := c.trial("TestCounts")
	require.NoError(t, err)
	h := x.newSearch()
	h.runs = runs
	h.run(t)
	require.Nil(t, h.first)
	return h
}

// Runs in which nothing happens show nothing. They fail the test, with what to change. A few
// runs may be calm.
func TestExploreNeedsFaultsToHappen(t *testing.T) {
	h := searched(t, Faults{}, 10, time.Millisecond)
	assert.Contains(t, h.tooLittle(), "runs had no fault. Raise Config.Virtual, the time in which faults happen in each run, from 1ms to several seconds")
	h = searched(t, Faults{}, 10, 3*time.Second)
	assert.Empty(t, h.tooLittle())
	assert.Empty(t, searched(t, Faults{}, 1, time.Millisecond).tooLittle())
	assert.Empty(t, searched(t, Faults{None: true}, 10, time.Millisecond).tooLittle())

	h.sum.runs, h.x.Virtual, h.sum.class = 100, 20*time.Second, new(Faults).class()&^fault.HandoverClass&^fault.LostDiskClass
	assert.Equal(t, "in 100 runs no fault of these kinds happened: Handovers. Raise Config.Virtual, now 20s, or Config.Runs", h.tooLittle())
	h.x.Faults = Faults{Crashes: true, LostDisks: true}
	assert.Empty(t, h.tooLittle())
	h.x.Faults, h.sum.faulty, h.sum.class = Faults{Handovers: true}, 0, 0
	assert.Contains(t, h.tooLittle(), "almost nothing happened: 100 of 100 runs had no fault")
}
