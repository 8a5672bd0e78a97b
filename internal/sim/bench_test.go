//go:build unix

package sim

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// BenchmarkThree says how many virtual seconds of a group of three pass in a second of one core, with
// faults and all checks, at so many operations a second or more: answered ones, so that more are
// begun. A second of a core is one of this process, whatever else the machine does.
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
				r := Play(p, t, nil, drawCalls(seed).Work(), nil)
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

// cpuTime is what this process has taken of all cores.
func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
