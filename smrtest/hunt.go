package smrtest

import (
	"fmt"
	"hash/fnv"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/smr-go/smr/internal/sim"
	"github.com/smr-go/smr/internal/sim/fault"
)

// hunt runs a trial with many seeds on all cores. The runs are numbered and begin in order.
type hunt struct {
	x     *trial
	seed  uint64 // of run 0
	runs  int    // 0: no limit
	until time.Time
	began time.Time

	mu    sync.Mutex
	begun int
	first *finding // the one of the lowest number so far
	sum   sum
}

// finding is a run of a hunt, kept if it failed.
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

func (x *trial) newHunt() *hunt {
	h := &hunt{x: x, seed: seedOf(x.name), runs: x.runs, began: time.Now()}
	if testing.Short() {
		h.runs = max(h.runs/10, 1)
	}
	if *timeFlag > 0 {
		h.runs, h.until = 0, h.began.Add(*timeFlag)
		h.seed = uint64(h.began.UnixMicro())
	}
	if *runsFlag > 0 {
		h.runs = *runsFlag
	}
	if *seedFlag != 0 {
		h.seed = *seedFlag
	}
	return h
}

// seedOf returns the first seed of a test.
func seedOf(name string) uint64 {
	f := fnv.New32a()
	f.Write([]byte(name))
	return uint64(f.Sum32()%1_000_000) * 1000
}

func (h *hunt) run(t *testing.T) {
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for i, ok := h.next(); ok; i, ok = h.next() {
				h.one(t, i)
			}
		})
	}
	wg.Wait()
}

// next returns the number of the next run; false if the hunt is over.
func (h *hunt) next() (i int, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.first != nil || h.runs > 0 && h.begun >= h.runs || !h.until.IsZero() && !time.Now().Before(h.until) {
		return 0, false
	}
	h.begun++
	return h.begun - 1, true
}

// careful reports whether the run compares states after every operation, as every eighth run does.
func (f *finding) careful() bool { return f.number%8 == 0 }

// one plays run i.
func (h *hunt) one(t *testing.T, i int) {
	f := finding{number: i, seed: h.seed + uint64(i)}
	defer func() { h.over(t, &f) }()
	c := h.x.chance(f.seed)
	c.careful = f.careful()
	f.report = h.x.play(t, c)
}

// over adds a finished run to the sum. If it is the earliest that failed so far, over announces it.
func (h *hunt) over(t *testing.T, f *finding) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if r := f.report; r != nil {
		h.sum.runs++
		h.sum.virtual += r.Virtual
		h.sum.stats = h.sum.stats.Plus(r.Stats)
		h.sum.blind = h.sum.blind || r.Blind
		h.sum.class |= r.Classes()
		if faulty(r) {
			h.sum.faulty++
		}
		if r.Violation == nil {
			return
		}
	}
	if h.first == nil || f.number < h.first.number {
		h.first = f
		h.x.announce(t, f)
	}
}

// summary returns the totals of the hunt as text.
func (h *hunt) summary() string {
	s, x, took := &h.sum.stats, &h.sum, time.Since(h.began).Seconds()
	return fmt.Sprintf("%d runs with seeds %d to %d: %v of virtual time, %d commands and %d reads answered, %d faults, %d crashes, %d view changes; %.0f events and %.0f virtual seconds a second",
		x.runs, h.seed, h.seed+uint64(max(h.begun, 1))-1, x.virtual.Round(time.Second), s.Answers, s.Reads, s.Faults, s.Crashes, s.Views, float64(s.Events)/took, x.virtual.Seconds()/took)
}

// warn reports on stderr that the runs passed without a comparison of states, if they did.
func (h *hunt) warn() {
	if h.sum.blind && h.x.work.Digest == nil {
		fmt.Fprintf(alarm, "smrtest: %s: states could not be compared, because snapshots of one state differ, as with the order of a map: set Config.Digest, or write snapshots in a fixed order\n", h.x.name)
	}
}
