package sim

import (
	"flag"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var (
	runs  = flag.Int("sim.runs", 0, "how many new seeds TestNewSeeds tries; with -sim.time: as many as it can, if 0")
	limit = flag.Duration("sim.time", 0, "how long TestNewSeeds tries new seeds")
	first = flag.Uint64("sim.seed", 0, "the first of them; 0: chosen by the clock")
	lines = flag.Int("sim.trace", 60, "how many lines of a failed run's trace are shown")
)

// quick is how many seeds every test run tries.
const quick = 200

func TestSeeds(t *testing.T) {
	n := quick
	if testing.Short() {
		n = quick / 10
	}
	explore(t, 1, func(i int) bool { return i < n })
}

func TestNewSeeds(t *testing.T) {
	if *runs <= 0 && *limit <= 0 {
		t.Skip("for new seeds: go test ./internal/sim -run TestNewSeeds -sim.time=2m")
	}
	seed, began := *first, time.Now()
	if seed == 0 {
		seed = uint64(began.UnixNano()) / 1000
	}
	explore(t, seed, func(i int) bool {
		return (*runs <= 0 || i < *runs) && (*limit <= 0 || time.Since(began) < *limit)
	})
}

// explore runs seeds on all cores as long as more says so, and reports the first that fails.
func explore(t *testing.T, seed uint64, more func(i int) bool) {
	var next atomic.Int64
	var failed atomic.Bool
	var wg sync.WaitGroup
	var mu sync.Mutex
	var virtual time.Duration
	var total Stats
	began := time.Now()
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for i := int(next.Add(1) - 1); more(i) && !failed.Load(); i = int(next.Add(1) - 1) {
				r := Run(seed+uint64(i), nil)
				if r.Violation != nil && !failed.Swap(true) {
					t.Error(failure(seed+uint64(i), r))
					draw(t, seed+uint64(i))
				}
				mu.Lock()
				virtual += r.Virtual
				total = total.Plus(r.Stats)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	t.Logf("%d seeds, %v virtual, %.0f virtual seconds a second: %+v", next.Load()-int64(runtime.GOMAXPROCS(0)),
		virtual, virtual.Seconds()/time.Since(began).Seconds(), total)
}

// failure is what a failed run prints.
func failure(seed uint64, r *Report) string {
	var b strings.Builder
	trace := NewTrace(*lines)
	Run(seed, trace)
	fmt.Fprintf(&b, "seed %d: %v\n\nits last steps:\n%s\n", seed, r.Violation, trace)
	fmt.Fprintf(&b, "%+v\n", r.Stats)
	fmt.Fprintf(&b, "again: go test ./internal/sim -run TestNewSeeds -sim.runs=1 -sim.seed=%d -sim.trace=1000\n", seed)
	return b.String()
}

// The same seed gives the same run, whatever else the machine does.
func TestSameSeedSameRun(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	seeds := uint64(6)
	if testing.Short() {
		seeds = 1
	}
	for seed := range seeds {
		once := Run(seed+1, nil)
		require.Nil(t, once.Violation)
		for _, procs := range []int{1, 4} {
			runtime.GOMAXPROCS(procs)
			again := Run(seed+1, NewTrace(50))
			assert.Equal(t, once.Hash, again.Hash, "seed %d with %d threads", seed+1, procs)
		}
	}
}
