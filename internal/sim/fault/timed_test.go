package fault

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// The end of one amount does not end another, whichever began first.
func TestTimed(t *testing.T) {
	var x Timed
	assert.False(t, x.Active(0))
	x.Begin(0, 100*time.Millisecond, 5)
	x.Begin(50*time.Millisecond, 10*time.Second, 7)
	assert.EqualValues(t, 7, x.Amount(150*time.Millisecond), "the second goes on after the end of the first")
	x.Begin(time.Second, time.Second, 3)
	assert.EqualValues(t, 3, x.Amount(1500*time.Millisecond))
	assert.EqualValues(t, 7, x.Amount(2*time.Second), "the longer one after the end of the shorter")
	assert.False(t, x.Active(10050*time.Millisecond))
	x.Begin(time.Minute, 0, 4)
	assert.EqualValues(t, 4, x.Amount(1000*time.Hour), "0 is to the end")
	x.Begin(2*time.Minute, 1000*time.Hour, 0)
	assert.False(t, x.Active(3*time.Minute), "nothing of it is the end of all")
}
