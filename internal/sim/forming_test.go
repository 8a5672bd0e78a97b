package sim

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// S2: five members form their group in a few seconds, although each message is lost with a probability of 20%.
func TestFormsAmongLosses(t *testing.T) {
	for seed := range uint64(30) {
		p := Calm(seed)
		p.Replicas, p.Network.Loss = 5, 0.2
		w := listWork(10, 0, 0)
		w.Next = nil
		s, err := New(p, w, nil)
		require.NoError(t, err)
		s.Begin()
		require.True(t, s.RunUntil(func() bool { h := s.primary(); return h != nil && s.Status(h.i).Applied > 0 },
			5*time.Second), "seed %d", seed)
	}
}
