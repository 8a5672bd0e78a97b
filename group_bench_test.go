//go:build unix

package smr

import (
	"fmt"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/stretchr/testify/require"
)

// BenchmarkPropose measures operations of 128 bytes in a group of three volatile replicas in this process. Its metric
// cpu-ns/op is the processor time of the whole group and the callers, which other processes disturb less than the time
// that passes.
func BenchmarkPropose(b *testing.B) {
	primary, _ := benchmarkedGroup(b)
	body := make([]byte, 128)
	for _, callers := range []int{1, 128, 1024} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			concurrently(b, callers, func() error {
				_, err := primary.Propose(b.Context(), body)
				return err
			})
		})
	}
}

// BenchmarkRead measures linearizable reads in the same way, while nothing is proposed.
func BenchmarkRead(b *testing.B) {
	primary, backup := benchmarkedGroup(b)
	for _, at := range []struct {
		name string
		r    *Replica
	}{{"primary", primary}, {"backup", backup}} {
		for _, callers := range []int{1, 128, 1024} {
			b.Run(fmt.Sprintf("at=%s/callers=%d", at.name, callers), func(b *testing.B) {
				concurrently(b, callers, func() error { return at.r.Read(b.Context(), Linearizable, func() {}) })
			})
		}
	}
}

// benchmarkedGroup starts three volatile replicas on a Network, and returns the primary and a backup.
func benchmarkedGroup(b *testing.B) (primary, backup *Replica) {
	network, members := NewNetwork(), []Member{{ID: "a"}, {ID: "b"}, {ID: "c"}}
	var all []*Replica
	for _, m := range members {
		r, err := Start(Config{ID: m.ID, Members: members, StateMachine: nothing{}, Transport: network.Transport(m.ID),
			Volatile: true, Logger: hclog.NewNullLogger()})
		require.NoError(b, err)
		b.Cleanup(func() { r.Close() })
		all = append(all, r)
	}
	_, err := all[1].Propose(b.Context(), nil)
	require.NoError(b, err)
	require.Equal(b, ID("a"), all[1].Status().Primary)
	return all[0], all[1]
}

// concurrently calls call b.N times in all, from that many goroutines.
func concurrently(b *testing.B, callers int, call func() error) {
	var begun atomic.Int64
	var running sync.WaitGroup
	b.ReportAllocs()
	b.ResetTimer()
	used := processorTime(b)
	for range callers {
		running.Go(func() {
			for begun.Add(1) <= int64(b.N) {
				if err := call(); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	running.Wait()
	b.ReportMetric(float64(processorTime(b)-used)/float64(b.N), "cpu-ns/op")
}

// processorTime returns the processor time that this process has used.
func processorTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
