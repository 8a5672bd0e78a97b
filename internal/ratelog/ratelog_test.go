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
	assert.Equal(t, pass{0, false}, w.at("full", now.Add(every-1)))
	assert.Equal(t, pass{0, true}, w.at("flood", now.Add(time.Second)), "another kind")
	assert.Equal(t, pass{2, true}, w.at("full", now.Add(every)), "two were held back")
	assert.Equal(t, pass{0, true}, w.at("full", now.Add(2*every)))
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
