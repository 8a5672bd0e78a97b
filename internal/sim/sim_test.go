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

// The seeds that found a bug, in the order of finding. A seed dies when the code around it changes;
// what each showed is a transcript of internal/vsr or a planted bug too, where it was worth one.
func TestRegressions(t *testing.T) {
	if testing.Short() {
		t.Skip("each run has one thread: the race detector would see nothing new")
	}
	for _, seed := range []uint64{
		2,     // a log described by DoViewChange that no disk ever held
		11,    // a batch from the disk awaited for ever after a snapshot
		55,    // an answer out of a group that was not durable
		119,   // a refusal of requests that were partly forgotten
		127,   // a backup that took its own quiet for a pause, and never voted
		171,   // a search for a common entry that every heartbeat began anew
		1239,  // a chunk sent under a start number that was not durable
		2081,  // a snapshot that was offered and is held no more
		10724, // a group that forms after everything else
		20204, // a power cut while a snapshot is restored
	} {
		r, err := Run(seed, *lines)
		if err != nil {
			t.Error(failure(&r, err))
		}
	}
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
				r, err := Run(seed+uint64(i), *lines)
				if err != nil && !failed.Swap(true) {
					t.Error(failure(&r, err))
				}
				mu.Lock()
				virtual += r.Virtual
				total = total.plus(r.Stats)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	t.Logf("%d seeds, %v virtual, %.0f virtual seconds a second: %+v", next.Load()-int64(runtime.GOMAXPROCS(0)),
		virtual, virtual.Seconds()/time.Since(began).Seconds(), total)
}

func (s Stats) plus(o Stats) Stats {
	return Stats{
		Commands: s.Commands + o.Commands, Answers: s.Answers + o.Answers, Reads: s.Reads + o.Reads,
		Refusals: s.Refusals + o.Refusals, Unknown: s.Unknown + o.Unknown, Messages: s.Messages + o.Messages,
		Faults: s.Faults + o.Faults, Crashes: s.Crashes + o.Crashes, Starts: s.Starts + o.Starts,
		Snapshots: s.Snapshots + o.Snapshots, Transfers: s.Transfers + o.Transfers,
		Restores: s.Restores + o.Restores, Loads: s.Loads + o.Loads, Views: s.Views + o.Views,
	}
}

// failure is what a failed run prints.
func failure(r *Report, err error) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%v\n\nits last steps:\n%s\n", err, r.Trace)
	fmt.Fprintf(&b, "%+v\n", r.Stats)
	fmt.Fprintf(&b, "again: go test ./internal/sim -run TestNewSeeds -sim.runs=1 -sim.seed=%d -sim.trace=1000\n", r.Seed)
	return b.String()
}

// BenchmarkThree says how many virtual seconds of a group of three, with faults, pass in a second.
func BenchmarkThree(b *testing.B) {
	var virtual time.Duration
	seed := uint64(0)
	for b.Loop() {
		for seed++; draw(seed).Replicas != 3; seed++ {
		}
		r, err := Run(seed, 0)
		require.NoError(b, err)
		virtual += r.Virtual
	}
	b.ReportMetric(virtual.Seconds()/b.Elapsed().Seconds(), "virtual-s/s")
}

// The same seed gives the same run, whatever else the machine does.
func TestSameSeedSameRun(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	seeds := uint64(6)
	if testing.Short() {
		seeds = 1
	}
	for seed := range seeds {
		once, err := Run(seed+1, 0)
		require.NoError(t, err)
		for _, procs := range []int{1, 4} {
			runtime.GOMAXPROCS(procs)
			again, err := Run(seed+1, 50)
			require.NoError(t, err)
			assert.Equal(t, once.Hash, again.Hash, "seed %d with %d threads", seed+1, procs)
		}
	}
}
