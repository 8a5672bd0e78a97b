package sim

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A careful witness, and copies of the machine elsewhere, change nothing in a run.
func TestCarefulRunIsTheSame(t *testing.T) {
	p, hazards := Draw(3)
	once := Run(&Schedule{Setup: *p}, hazards, drawCalls(3).Work(), nil)
	require.Nil(t, once.Violation)
	w := drawCalls(3).Work()
	calls := 0
	w.Careful, w.Elsewhere = true, func(do func()) { calls++; do() }
	again := Run(&Schedule{Setup: *p}, hazards, w, nil)
	assert.Nil(t, again.Violation)
	assert.Equal(t, once.Hash, again.Hash)
	assert.NotZero(t, calls)
}
