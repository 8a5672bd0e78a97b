package world

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/smr-go/smr/internal/reading"
)

// A clock that runs fast, was suspended and set back shows both, and says when it will show a time.
func TestClocks(t *testing.T) {
	c := Clock{Drift: 0.5, behind: time.Second, Wall: -time.Hour}
	now := c.At(4 * time.Second)
	assert.Equal(t, 5*time.Second, now.Sub(reading.Of(began, 0)))
	assert.Equal(t, began.Add(5*time.Second-time.Hour).UnixNano(), now.UnixNano())
	assert.Equal(t, 4*time.Second, c.When(now))
}
