package sim

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The schedule of a random run repeats the run after it was written and read.
func TestScheduleMakesTheSameRun(t *testing.T) {
	singleThreaded(t)
	seeds := uint64(10)
	if testing.Short() {
		seeds = 8
	}
	aimed := 0
	for seed := uint64(1); seed <= seeds; seed++ {
		once := runSeed(seed, nil)
		var text strings.Builder
		_, err := once.Schedule.WriteTo(&text)
		require.NoError(t, err)
		read, err := ReadSchedule(strings.NewReader(text.String()))
		require.NoError(t, err, "seed %d:\n%s", seed, &text)
		require.Equal(t, once.Schedule, *read, "seed %d", seed)
		again := Run(read, nil, read.Setup.Lists.Work(), nil)
		assert.Equal(t, once.Hash, again.Hash, "seed %d:\n%s", seed, &text)
		once.Stats.Events, again.Stats.Events = 0, 0 // chance has events of its own
		assert.Equal(t, once.Stats, again.Stats, "seed %d", seed)
		assert.Empty(t, again.Changed, "seed %d", seed)
		aimed += strings.Count(text.String(), " after ")
	}
	assert.NotZero(t, aimed, "no fault waited for its moment")
}
