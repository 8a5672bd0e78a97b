//go:build !race

package smr

import (
	"math"
	"testing"

	"github.com/hashicorp/go-hclog"
	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr/internal/vfs"
)

// TestAllocations bounds what an operation allocates on its whole way, in its caller and in all three replicas. The
// operation of one caller has turns, messages and a save of its own; those of many callers share them. The bound must
// hold in one of several measurements, because the scheduler and heartbeats add to them.
// The race detector adds too much, since it makes a sync.Pool lose items.
func TestAllocations(t *testing.T) {
	for name, c := range map[string]struct {
		callers  int
		volatile bool
		most     float64
	}{
		"one caller":               {1, true, 12},
		"one caller, with a log":   {1, false, 19},
		"many callers":             {128, true, 4},
		"many callers, with a log": {128, false, 4},
	} {
		t.Run(name, func(t *testing.T) {
			round := rounds(t, c.callers, inProcess(t, c.volatile))
			least := math.Inf(1)
			for tries := 0; least > c.most && tries < 5; tries++ {
				least = min(least, testing.AllocsPerRun(2560/c.callers, round)/float64(c.callers))
			}
			require.LessOrEqual(t, least, c.most)
		})
	}
}

// inProcess starts a group of three on a Network, with files in memory, and returns its first member.
func inProcess(t *testing.T, volatile bool) *Replica {
	network, members := NewNetwork(), []Member{{ID: "a"}, {ID: "b"}, {ID: "c"}}
	var first *Replica
	for _, m := range members {
		cfg := Config{ID: m.ID, Members: members, StateMachine: nothing{}, Transport: network.Transport(m.ID), Volatile: volatile,
			Logger: hclog.NewNullLogger()}
		if !volatile {
			cfg.Dir = "data"
		}
		r, err := start(cfg, vfs.NewMem(), nil)
		require.NoError(t, err)
		t.Cleanup(func() { r.Close() })
		if first == nil {
			first = r
		}
	}
	return first
}

// rounds returns a function in which each of the callers proposes once at r.
func rounds(t *testing.T, callers int, r *Replica) func() {
	begin, ended := make(chan struct{}), make(chan error)
	t.Cleanup(func() { close(begin) })
	body := make([]byte, 128)
	for range callers {
		go func() {
			for range begin {
				_, err := r.Propose(t.Context(), body)
				ended <- err
			}
		}()
	}
	return func() {
		for range callers {
			begin <- struct{}{}
		}
		for range callers {
			require.NoError(t, <-ended)
		}
	}
}
