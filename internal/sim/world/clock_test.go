package world

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// The two clocks of a reading are apart, as those of time.Now are.
func TestReadings(t *testing.T) {
	before := reading(began, time.Second)
	after := reading(began.Add(-time.Hour), 3*time.Second)
	assert.Equal(t, 2*time.Second, after.Sub(before))
	assert.True(t, before.Before(after))
	assert.Equal(t, began.Add(-time.Hour).UnixNano(), after.UnixNano())
	assert.Equal(t, began.Add(time.Minute).UnixNano(), before.Add(time.Minute).UnixNano())
	assert.Equal(t, time.Minute, before.Add(time.Minute).Sub(before))
}

// A clock that runs fast, was suspended and set back shows both, and says when it will show a time.
func TestClocks(t *testing.T) {
	c := Clock{Drift: 0.5, behind: time.Second, Wall: -time.Hour}
	now := c.At(4 * time.Second)
	assert.Equal(t, 5*time.Second, now.Sub(reading(began, 0)))
	assert.Equal(t, began.Add(5*time.Second-time.Hour).UnixNano(), now.UnixNano())
	assert.Equal(t, 4*time.Second, c.When(now))
}
