//go:build unix

package sim

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// BenchmarkThree measures the virtual seconds of a group of three that pass in a CPU second of this process, with
// faults and all checks, at that many or more answered operations a second.
func BenchmarkThree(b *testing.B) {
	for _, rate := range []int{10, 100} {
		b.Run(fmt.Sprintf("ops=%d", rate), func(b *testing.B) {
			var virtual time.Duration
			var total Stats
			seed := uint64(0)
			b.ReportAllocs()
			began := cpuTime(b)
			for b.Loop() {
				seed++
				p, t := Draw(seed)
				p.Replicas, p.Qr, p.Qv, p.Trouble = 3, 0, 0, time.Minute
				p.Callers.PerReplica, p.Callers.Burst, p.Callers.Think = (rate+9)/10, 0, 90*time.Millisecond
				r := Run(&Schedule{Setup: *p}, t, drawCalls(seed).Work(), nil)
				require.Nil(b, r.Violation, "seed %d", seed)
				virtual += r.Virtual
				total = total.Plus(r.Stats)
			}
			b.ReportMetric(virtual.Seconds()/(cpuTime(b)-began).Seconds(), "virtual-s/cpu-s")
			b.ReportMetric(float64(total.Events)/virtual.Seconds(), "events/virtual-s")
			b.ReportMetric(float64(total.Answers+total.Reads)/virtual.Seconds(), "ops/virtual-s")
		})
	}
}

// cpuTime is the CPU time of this process.
func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
