package fault

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestRounded(t *testing.T) {
	assert.Equal(t, 1200*time.Millisecond, Rounded(1203456789*time.Nanosecond, 2))
	assert.Equal(t, -3*time.Hour/3600, Rounded(-2951*time.Millisecond, 2))
	assert.EqualValues(t, 0, Rounded(int64(0), 1))
	assert.EqualValues(t, 100, Rounded(int64(96), 1))
}
