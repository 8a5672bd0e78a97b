package ratelog

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// pass is the answer of Warnings.pass.
type pass struct {
	held int
	ok   bool
}

func (w *Warnings) at(kind string, now time.Time) pass {
	held, ok := w.pass(kind, now)
	return pass{held, ok}
}

func TestOneWarningOfAKindInTenSeconds(t *testing.T) {
	var w Warnings
	now := time.Unix(1000, 0)
	assert.Equal(t, pass{0, true}, w.at("full", now))
	assert.Equal(t, pass{0, false}, w.at("full", now.Add(time.Second)))
	assert.Equal(t, pass{0, false}, w.at("full", now.Add(shortest-1)))
	assert.Equal(t, pass{0, true}, w.at("flood", now.Add(time.Second)), "another kind")
	assert.Equal(t, pass{2, true}, w.at("full", now.Add(shortest)), "two were held back")
	assert.Equal(t, pass{0, true}, w.at("flood", now.Add(time.Hour)))
}

// A warning that goes on is repeated ever more rarely. After an hour without one it is new.
func TestAWarningIsRepeatedEverMoreRarely(t *testing.T) {
	var w Warnings
	began := time.Unix(1000, 0)
	var written []int
	for since := time.Duration(0); since < 5*time.Hour; since += time.Second {
		if w.at("full", began.Add(since)).ok {
			written = append(written, int(since.Seconds()))
		}
	}
	assert.Equal(t, []int{0, 10, 30, 70, 150, 310, 630, 1270, 2550, 5110, 8710, 12310, 15910}, written)
	again := began.Add(6 * time.Hour)
	assert.True(t, w.at("full", again).ok)
	assert.True(t, w.at("full", again.Add(shortest)).ok)
}

// Strangers choose the names in some kinds, so kinds beyond the limit share one.
func TestTheNumberOfKindsIsBounded(t *testing.T) {
	var w Warnings
	now := time.Unix(1000, 0)
	for i := range maxKinds {
		assert.Equal(t, pass{0, true}, w.at(fmt.Sprint("accepted ", i), now))
	}
	assert.Equal(t, pass{0, true}, w.at("one more", now))
	assert.Equal(t, pass{0, false}, w.at("yet another", now))
	assert.Len(t, w.kinds, maxKinds+1)
}
