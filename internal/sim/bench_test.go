package sim

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// BenchmarkThree says how many virtual seconds of a group of three pass in a second of one core, with
// faults and all checks, at about so many operations a second, answered ones.
func BenchmarkThree(b *testing.B) {
	for _, rate := range []int{10, 100} {
		b.Run(fmt.Sprintf("ops=%d", rate), func(b *testing.B) {
			var virtual time.Duration
			var total Stats
			seed := uint64(0)
			b.ReportAllocs()
			for b.Loop() {
				seed++
				p, t := Draw(seed)
				p.Replicas, p.Qr, p.Qv, p.Trouble = 3, 0, 0, time.Minute
				p.Callers.PerReplica, p.Callers.Burst, p.Callers.Think = (rate+9)/10, 0, 120*time.Millisecond
				r := Play(p, t, nil, drawLists(seed).Work(), nil)
				require.Nil(b, r.Violation, "seed %d", seed)
				virtual += r.Virtual
				total = total.Plus(r.Stats)
			}
			b.ReportMetric(virtual.Seconds()/b.Elapsed().Seconds(), "virtual-s/s")
			b.ReportMetric(float64(total.Events)/virtual.Seconds(), "events/virtual-s")
			b.ReportMetric(float64(total.Answers+total.Reads)/virtual.Seconds(), "ops/virtual-s")
		})
	}
}
