package sim

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr/internal/sim/fault"
)

var (
	runs  = flag.Int("sim.runs", 0, "how many new seeds TestNewSeeds tries; with -sim.time: as many as it can, if 0")
	limit = flag.Duration("sim.time", 0, "how long TestNewSeeds tries new seeds")
	first = flag.Uint64("sim.seed", 0, "the first of them; 0: chosen by the clock")
	lines = flag.Int("sim.trace", 60, "how many lines of a failed run's trace are shown")
	cuts  = flag.Int("sim.shrink", 300, "the work spent on making a failed run's schedule smaller: at most as much as this many such runs; 0: none")
)

// quick is the number of seeds that every test run tries.
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

// explore runs seeds on all cores while more returns true, and reports the first that fails.
func explore(t *testing.T, seed uint64, more func(i int) bool) {
	var next atomic.Int64
	var failed atomic.Bool
	var wg sync.WaitGroup
	var mu sync.Mutex
	var virtual time.Duration
	var total Stats
	var happened fault.Counts
	began := time.Now()
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for i := int(next.Add(1) - 1); more(i) && !failed.Load(); i = int(next.Add(1) - 1) {
				r := recordIfWanted(t, fmt.Sprintf("seed-%d", seed+uint64(i)), nil,
					func(w Watcher) *Report { return runSeed(seed+uint64(i), w) })
				if r.Violation != nil && !failed.Swap(true) {
					t.Error(failure(seed+uint64(i), r))
					draw(t, seed+uint64(i))
				}
				mu.Lock()
				virtual += r.Virtual
				total = total.Plus(r.Stats)
				for kind, n := range r.Happened() {
					happened[kind] += n
				}
				if r.Violation == nil && r.Stats.Idle > 0 && r.Schedule.Setup.Calm > 0 {
					t.Errorf("seed %d tells little: nothing was answered in %v without faults", seed+uint64(i),
						r.Schedule.Setup.Calm)
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	n := int(next.Load()) - runtime.GOMAXPROCS(0)
	t.Logf("%d seeds, %v virtual, %.0f virtual seconds a second: %+v\n%v", n,
		virtual, virtual.Seconds()/time.Since(began).Seconds(), total, byName(happened))
	if !failed.Load() {
		enough(t, n, &total, &happened)
	}
}

func byName(n fault.Counts) map[string]int {
	all := map[string]int{}
	for kind, count := range n {
		if count > 0 {
			all[fault.Kind(kind).String()] = count
		}
	}
	return all
}

// enough demands of many seeds that every kind of event has happened. Seeds that pass without it prove nothing.
func enough(t assert.TestingT, seeds int, total *Stats, happened *fault.Counts) {
	if seeds < many {
		return
	}
	assert.Less(t, total.Idle*10, seeds, "runs in which nothing was answered before the healing")
	for what, n := range map[string]int{"crashes": total.Crashes, "view changes": int(total.Views),
		"transfers": total.Transfers, "restores": total.Restores, "loads": total.Loads, "snapshots": total.Snapshots,
		"lost memories": total.Damaged, "refusals": total.Refusals, "unknown outcomes": total.Unknown,
		"reads": total.Reads, "members out of reach at the end": total.Unhealed,
		"messages without room": total.Dropped, "stops in order": total.Stops, "handovers": total.Handovers} {
		assert.NotZero(t, n, "%s in %d seeds", what, seeds)
	}
	for kind := fault.Crash; kind < fault.Kinds; kind++ {
		if kind.Manual() {
			continue
		}
		sort := 0 // a kind may be missing now and then, but no class
		for other, n := range happened {
			if fault.Kind(other).Class() == kind.Class() {
				sort += n
			}
		}
		assert.NotZero(t, sort, "faults of the sort of %v in %d seeds", kind, seeds)
		if seeds >= 20*many {
			assert.NotZero(t, happened[kind], "faults of kind %v in %d seeds", kind, seeds)
		}
	}
}

// complaints counts failed assertions.
type complaints []string

func (c *complaints) Errorf(format string, args ...any) {
	*c = append(*c, fmt.Sprintf(format, args...))
}

func TestEnough(t *testing.T) {
	some := Stats{Crashes: 1, Views: 1, Transfers: 1, Restores: 1, Loads: 1, Snapshots: 1, Damaged: 1,
		Refusals: 1, Unknown: 1, Reads: 1, Unhealed: 1, Dropped: 1, Stops: 1, Handovers: 1}
	var all fault.Counts
	for kind := range all {
		all[kind] = 1
	}
	missing := all
	missing[fault.LostInLog] = 0 // of a class that has other kinds
	for _, x := range []struct {
		change   func(*Stats)
		happened fault.Counts
		seeds    int
		complain int
	}{
		{func(*Stats) {}, all, 20 * many, 0},
		{func(x *Stats) { x.Loads = 0 }, all, many, 1},
		{func(x *Stats) { x.Loads = 0 }, all, many - 1, 0},
		{func(x *Stats) { x.Idle = many }, all, many, 1},
		{func(*Stats) {}, missing, many, 0},
		{func(*Stats) {}, missing, 20 * many, 1},
		{func(*Stats) {}, fault.Counts{fault.Crash: 1}, many, int(fault.Kinds) - 1 - 4 - 4},
	} {
		total := some
		x.change(&total)
		var c complaints
		enough(&c, x.seeds, &total, &x.happened)
		assert.Len(t, c, x.complain)
	}
}

// many is the number of seeds in which every kind of event happens.
const many = quick

// failure returns the report of a failed run. It writes the smallest schedule that fails in the same way, and the whole
// trace of its run, to files.
func failure(seed uint64, r *Report) string {
	about := r.Violation
	x := r.Schedule
	x.About = about.Error()
	if *cuts > 0 {
		x, r, _ = Shrink(x, listsOf, about, *cuts, nil)
	}
	trace := NewTrace(wholeTrace)
	Run(&x, nil, x.Setup.Lists.Work(), trace)
	var b, schedule strings.Builder
	x.WriteTo(&schedule)
	fmt.Fprintf(&b, "seed %d: %v\n", seed, about)
	fmt.Fprintf(&b, "\nafter shrinking: %v\n\n%s\n", r.Violation, &schedule)
	fmt.Fprintf(&b, "the last steps of that:\n%s\n%+v\n", trace.Last(*lines), r.Stats)
	fmt.Fprintf(&b, "again: go test ./internal/sim -run TestNewSeeds -sim.runs=1 -sim.seed=%d\n", seed)
	file, err := keep(seed, schedule.String(), trace.String())
	if err != nil {
		fmt.Fprintf(&b, "the schedule is not kept: %v\n", err)
		return b.String()
	}
	fmt.Fprintf(&b, "the shrunk run again: go test ./internal/sim -run TestReplay -sim.replay=%s\n", file)
	fmt.Fprintf(&b, "its trace: %s\n", strings.TrimSuffix(file, ".schedule")+".trace")
	fmt.Fprintf(&b, "once it is understood: cp %s internal/sim/testdata/\n", file)
	return b.String()
}

// wholeTrace is the largest number of lines of a trace.
const wholeTrace = 200_000

// keep writes a failed run's schedule and trace to a new directory, and returns the schedule's name.
func keep(seed uint64, schedule, trace string) (string, error) {
	dir, err := os.MkdirTemp("", "sim")
	if err != nil {
		return "", err
	}
	name := filepath.Join(dir, fmt.Sprint(seed))
	return name + ".schedule", errors.Join(os.WriteFile(name+".schedule", []byte(schedule), 0o644),
		os.WriteFile(name+".trace", []byte(trace), 0o644))
}

// The same seed gives the same run on any number of threads, with more or less garbage collection, watched or not, and
// in another process.
func TestSameSeedSameRun(t *testing.T) {
	seeds := uint64(3)
	if testing.Short() {
		seeds = 1
	}
	if os.Getenv(hashesOnly) != "" {
		for seed := range seeds {
			fmt.Println(hashLine(seed+1, runSeed(seed+1, nil)))
		}
		return
	}
	others := hashesElsewhere(t)
	for seed := range seeds {
		once := runSeed(seed+1, nil)
		require.Nil(t, once.Violation)
		for _, x := range []struct {
			procs, garbage int
			watcher        Watcher
		}{{1, 20, nil}, {4, 1000, nil}, {1, -1, NewTrace(50)}} {
			again := runWith(x.procs, x.garbage, seed+1, x.watcher)
			assert.Equal(t, once.Hash, again.Hash, "seed %d with %d threads, GC at %d %%", seed+1, x.procs, x.garbage)
		}
		assert.Contains(t, others, hashLine(seed+1, once), "in another process")
	}
}

// runWith runs a seed with that number of threads and that setting of the garbage collector.
func runWith(procs, garbage int, seed uint64, w Watcher) *Report {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(procs))
	defer debug.SetGCPercent(debug.SetGCPercent(garbage))
	return runSeed(seed, w)
}

// hashesOnly is set in the environment of a process that only prints the hashes of its runs.
const hashesOnly = "SIM_HASHES"

// hashesElsewhere returns the lines that another process of this test prints.
func hashesElsewhere(t *testing.T) []string {
	self, err := os.Executable()
	require.NoError(t, err)
	args := []string{"-test.run=^TestSameSeedSameRun$", fmt.Sprintf("-test.short=%v", testing.Short())}
	c := exec.CommandContext(t.Context(), self, args...)
	c.Env = append(os.Environ(), hashesOnly+"=1")
	out, err := c.Output()
	require.NoError(t, err, "%s", out)
	return strings.Split(string(out), "\n")
}

func hashLine(seed uint64, r *Report) string { return fmt.Sprintf("seed %d: %x", seed, r.Hash) }

// An operation that is larger than the window is accepted when no other waits. Otherwise it never would be.
func TestOperationsLargerThanTheWindow(t *testing.T) {
	w := listWork(3000, 0.1, 0)
	next := w.Next
	w.Next = func(r *rand.Rand) (o Operation) {
		for o = next(r); o.Body != nil && len(o.Body) < 600; o = next(r) {
		}
		return o
	}
	for seed := range uint64(3) {
		p := Calm(seed + 1)
		p.Window, p.Trouble = 500, 5*time.Second
		r := Run(&Schedule{Setup: *p, Faults: []fault.Fault{{At: 2 * time.Second, Kind: fault.Isolate, Host: 0, For: time.Second}, {At: 4 * time.Second, Kind: fault.Crash, Host: 1, For: time.Second}}}, nil, w, nil)
		assert.Nil(t, r.Violation)
		assert.Greater(t, r.Stats.Answers, 50)
	}
}
