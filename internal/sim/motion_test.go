package sim

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr/internal/sim/world"
)

// In some runs snapshots are in motion all the time: many times as many are received as in others.
func TestSnapshotsInMotion(t *testing.T) {
	singleThreaded(t)
	seeds, times := 12, 8.0
	if testing.Short() {
		seeds, times = 3, 3 // the rates of so few runs vary more
	}
	transfers := func(set bool) float64 {
		var total Stats
		var virtual time.Duration
		for i := range seeds {
			p, hazards := Draw(uint64(i + 1))
			p.Lists = drawCalls(p.Seed)
			p.Trouble = min(p.Trouble, 10*time.Second)
			if set {
				setInMotion(p, hazards, world.NewStream(p.Seed, "motion"))
			}
			r := Run(&Schedule{Setup: *p}, hazards, p.Lists.Work(), nil)
			require.Nil(t, r.Violation, "seed %d", i+1)
			total, virtual = total.Plus(r.Stats), virtual+p.Trouble
		}
		t.Logf("%d transfers, %d restores in %v", total.Transfers, total.Restores, virtual)
		return float64(total.Transfers) / virtual.Seconds()
	}
	some, many := transfers(false), transfers(true)
	assert.Greater(t, many, times*some)
}
