package smrtest

import (
	"flag"
	"fmt"
	"hash/fnv"
	"regexp"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/smr-go/smr"
	"github.com/smr-go/smr/internal/sim"
	"github.com/smr-go/smr/internal/sim/fault"
)

// Explore runs many simulated groups of the state machine in virtual time, on all cores. In each run,
// callers perform the operations of the workload while random faults happen. Explore fails the test at
// the first run in which one of these does not hold:
//
//   - The state machine keeps its contract, as in TestStateMachine. Bodies are overwritten after Apply
//     returns, and a second copy of the state machine, for which time.Now is in the year 2000 and which
//     is restored from snapshots now and then, does the same as the first.
//   - All replicas have equal results and states, no acknowledged operation is lost or applied twice,
//     and reads are fresh.
//   - The answers are linearizable by the Model, and the Invariant holds, if there are such.
//   - The group recovers when all faults end: every replica answers a command and a read. In some runs
//     it does so first without as many replicas as it can spare.
//
// With go test -v, Explore logs how far it is: after 10 runs, after twice as many, and so on, at the latest after another
// thousand.
//
// If states could not be compared, because snapshots of one state differ, Explore reports that on stderr.
//
// Runs without faults show nothing. If many runs have had none of the faults that Config.Faults asks
// for, the test fails with what to change.
//
// A run is fixed by its seed, and the seeds by the test's name: go test tries the same ones every time.
// Importing this package adds flags to a test that try others:
//
//	-smrtest.seed=N      the first seed
//	-smrtest.runs=N      the number of runs, in place of Config.Runs
//	-smrtest.time=10m    run for this long; with new seeds, unless -smrtest.seed is given
//	-smrtest.replay=F    play the schedule in file F, and nothing else
//	-smrtest.shrink=N    the work spent on simplifying a failing run: at most as much as N such runs are. Default: 100
//
// The package documentation describes the report of a failure and the files that are written: the schedule, for
// -smrtest.replay; a picture of the run; and, if the Model rejects the answers, these as porcupine draws them. They are in
// t.ArtifactDir if the test was started with -artifacts, and otherwise in a temporary directory that is not removed.
// Schedules in testdata/smrtest/NAME, where NAME is the test's name, are run first.
//
// The methods of the state machine must leave no goroutine behind when they return.
func Explore[M smr.StateMachine](t *testing.T, c Config[M]) {
	t.Helper()
	x, err := c.trial(t.Name())
	if err != nil {
		t.Fatalf("smrtest: Explore: %v", err)
	}
	if *replayFlag != "" {
		x.replay(t, *replayFlag)
		return
	}
	if !x.runKept(t) {
		return
	}
	s := x.newSearch()
	s.run(t)
	if s.first != nil {
		t.Error(x.report(t, s.first))
		return
	}
	if little := s.tooLittle(); little != "" {
		t.Errorf("smrtest: Explore: %s", little)
	}
	s.warn()
	t.Log(s.summary())
}

// Flags in flag.CommandLine: only tests import this package.
var (
	seedFlag   = flag.Uint64("smrtest.seed", 0, "the first seed of smrtest.Explore; 0: from the test's name, or from the clock with -smrtest.time")
	runsFlag   = flag.Int("smrtest.runs", 0, "the number of runs of smrtest.Explore; 0: Config.Runs")
	timeFlag   = flag.Duration("smrtest.time", 0, "how long smrtest.Explore tries new seeds; 0: Config.Runs of them")
	shrinkFlag = flag.Int("smrtest.shrink", 100, "the work that smrtest.Explore spends on simplifying a failing run: at most as much as this many such runs are")
	replayFlag = flag.String("smrtest.replay", "", "a file with a schedule that smrtest.Explore runs, and nothing else")
)

// command returns the command that runs one test, from anywhere in its module.
func command(test string, args ...string) string {
	words := []string{"go test"}
	if b, ok := debug.ReadBuildInfo(); ok && strings.HasSuffix(b.Path, ".test") {
		words = append(words, strings.TrimSuffix(b.Path, ".test"))
	}
	words = append(words, "-run '^"+strings.ReplaceAll(regexp.QuoteMeta(test), "/", "$/^")+"$'")
	return strings.Join(append(words, args...), " ")
}

// isSet reports whether a flag exists and differs from its default.
func isSet(name string) bool {
	f := flag.Lookup(name)
	return f != nil && f.Value.String() != f.DefValue
}

// search runs a trial with many seeds on all cores. The runs are numbered and begin in order.
type search struct {
	x     *trial
	seed  uint64 // of run 0
	runs  int    // 0: no limit
	until time.Time
	began time.Time

	mu    sync.Mutex
	begun int
	logAt int      // after so many runs it logs how far it is
	first *finding // the one of the lowest number so far
	sum   sum
}

// finding is a run of a search, kept if it failed.
type finding struct {
	number int
	seed   uint64
	report *sim.Report // nil: the user's code ended the run's goroutine
}

// sum is the total of all runs.
type sum struct {
	runs    int
	virtual time.Duration
	stats   sim.Stats
	blind   bool
	faulty  int         // runs with faults other than lost disks
	class   fault.Class // of the faults that happened
}

func (x *trial) newSearch() *search {
	s := &search{x: x, seed: seedOf(x.name), runs: x.Runs, began: time.Now(), logAt: 10}
	if testing.Short() {
		s.runs = max(s.runs/10, 1)
	}
	if *timeFlag > 0 {
		s.runs, s.until = 0, s.began.Add(*timeFlag)
		s.seed = uint64(s.began.UnixMicro())
	}
	if *runsFlag > 0 {
		s.runs = *runsFlag
	}
	if *seedFlag != 0 {
		s.seed = *seedFlag
	}
	return s
}

// seedOf returns the first seed of a test.
func seedOf(name string) uint64 {
	f := fnv.New32a()
	f.Write([]byte(name))
	return uint64(f.Sum32()%1_000_000) * 1000
}

func (s *search) run(t *testing.T) {
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for i, ok := s.next(); ok; i, ok = s.next() {
				s.one(t, i)
			}
		})
	}
	wg.Wait()
}

// next returns the number of the next run; false if the search is over.
func (s *search) next() (i int, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.first != nil || s.runs > 0 && s.begun >= s.runs || !s.until.IsZero() && !time.Now().Before(s.until) {
		return 0, false
	}
	s.begun++
	return s.begun - 1, true
}

// careful reports whether the run compares states after every operation, as every eighth run does.
func (f *finding) careful() bool { return f.number%8 == 0 }

// one performs run i.
func (s *search) one(t *testing.T, i int) {
	f := finding{number: i, seed: s.seed + uint64(i)}
	defer func() { s.over(t, &f) }()
	f.report = s.x.run(t, s.x.chance(f.seed, f.careful()))
}

// over adds a finished run to the sum. If it is the earliest that failed so far, over announces it.
func (s *search) over(t *testing.T, f *finding) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := f.report; r != nil {
		s.sum.runs++
		s.sum.virtual += r.Virtual
		s.sum.stats = s.sum.stats.Plus(r.Stats)
		s.sum.blind = s.sum.blind || r.Blind
		s.sum.class |= r.Classes()
		if faulty(r) {
			s.sum.faulty++
		}
		if r.Violation == nil {
			if s.passes() && testing.Verbose() {
				t.Log("so far, no failure in " + s.summary())
			}
			return
		}
	}
	if s.first == nil || f.number < s.first.number {
		s.first = f
		s.x.announce(t, f)
	}
}

// passes reports whether so many runs have passed that it is time to log how far the search is.
func (s *search) passes() bool {
	if s.first != nil || s.sum.runs < s.logAt || s.sum.runs == s.runs {
		return false
	}
	s.logAt += min(s.logAt, 1000)
	return true
}

// summary returns the totals of the search as text.
func (s *search) summary() string {
	stats, sum, took := &s.sum.stats, &s.sum, time.Since(s.began).Seconds()
	return fmt.Sprintf("%d runs with seeds %d to %d: %v of virtual time, %d commands and %d reads answered, %d faults, %d crashes, %d view changes; %.0f events and %.0f virtual seconds a second",
		sum.runs, s.seed, s.seed+uint64(max(s.begun, 1))-1, sum.virtual.Round(time.Second), stats.Answers, stats.Reads, stats.Faults, stats.Crashes, stats.Views, float64(stats.Events)/took, sum.virtual.Seconds()/took)
}

// warn reports on stderr that the runs passed without a comparison of states, if they did.
func (s *search) warn() {
	if s.sum.blind && s.x.work.Digest == nil {
		say(fmt.Sprintf("smrtest: %s: states could not be compared, because snapshots of one state differ, as with the order of a map: set Config.Digest, or write snapshots in a fixed order", s.x.name))
	}
}
