package reading

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var wall = time.Unix(1_700_000_000, 7)

// The two clocks of a reading are apart, as those of time.Now are.
func TestReadings(t *testing.T) {
	before := Of(wall, time.Second)
	after := Of(wall.Add(-time.Hour), 3*time.Second)
	assert.Equal(t, 2*time.Second, after.Sub(before))
	assert.True(t, before.Before(after))
	assert.Equal(t, wall.Add(-time.Hour).UnixNano(), after.UnixNano())
	assert.Equal(t, wall.Add(time.Minute).UnixNano(), before.Add(time.Minute).UnixNano())
	assert.Equal(t, time.Minute, before.Add(time.Minute).Sub(before))
}

// A time made of another's two readings is at the same distance from every time.
func TestReadingsAreTakenApart(t *testing.T) {
	for _, x := range []time.Time{time.Now(), Of(wall, -5), time.Now().Add(-time.Hour)} {
		mono, ok := Mono(x)
		require.True(t, ok)
		again := Of(x, mono)
		assert.Zero(t, again.Sub(x))
		assert.Equal(t, x.UnixNano(), again.UnixNano())
	}
	for _, x := range []time.Time{{}, wall, time.Now().Round(0), time.Unix(1<<40, 0)} {
		_, ok := Mono(x)
		assert.False(t, ok, "%v", x)
	}
}

func TestRange(t *testing.T) {
	for _, seconds := range []int64{-from1885, 0, secondsLimit - from1885 - 1} {
		assert.True(t, InRange(seconds))
		assert.Equal(t, seconds, Of(time.Unix(seconds, 0), 1).Unix())
	}
	assert.False(t, InRange(-from1885-1))
	assert.False(t, InRange(secondsLimit-from1885))
}
