package smr

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var (
	firstSeed = flag.Uint64("smr.seed", 1, "the first seed of TestReplicaSeeds and TestNewReplicaSeeds")
	seedRuns  = flag.Int("smr.runs", 0, "runs of TestNewReplicaSeeds; 0: it is skipped")
	seedLog   = flag.Bool("smr.log", false, "show what the replicas log in seeded runs")
)

// keptSeeds have once shown that something was wrong.
var keptSeeds = []uint64{}

// A group of real replicas, goroutines included, goes through what a seed chooses: delays at every queue, a network
// that loses and delays, disks that stall, fill and lose power, members that crash, pause, leave and are cut off, callers
// that give up and overwrite what they gave and were given. The judge of the simulation finds nothing wrong.
func TestReplicaSeeds(t *testing.T) {
	runs := 40
	if testing.Short() {
		runs = 8
	}
	var seen counts
	for i := range runs {
		runSeed(t, *firstSeed+uint64(i), &seen)
	}
	for _, seed := range keptSeeds {
		runSeed(t, seed, &seen)
	}
	t.Log(seen.of)
	if seen.runs >= 40 {
		for _, trouble := range troubles {
			assert.NotZero(t, seen.of[trouble], "in all runs it never happens that %s", trouble)
		}
	}
}

// counts says how often each trouble was seen in some runs.
type counts struct {
	runs int

	mu sync.Mutex
	of map[string]int
}

func (c *counts) happened(trouble string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.of == nil {
		c.of = map[string]int{}
	}
	c.of[trouble]++
}

// TestNewReplicaSeeds runs seeds that nobody has tried yet.
func TestNewReplicaSeeds(t *testing.T) {
	if *seedRuns == 0 {
		t.Skip("for new seeds: go test . -run TestNewReplicaSeeds -smr.seed=N -smr.runs=100")
	}
	for i := range *seedRuns {
		if runSeed(t, *firstSeed+uint64(i), new(counts)); t.Failed() {
			return
		}
	}
}

// runSeed runs a seed, in which a group works in trouble for some seconds of virtual time and then without.
func runSeed(t *testing.T, seed uint64, seen *counts) {
	t.Helper()
	ok := t.Run(fmt.Sprint(seed), func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) { newSeededGroup(t, seed, seen).run() })
		seen.runs++
	})
	if !ok {
		t.Logf("again: go test . -run '^TestNewReplicaSeeds$' -smr.runs=1 -smr.seed=%d -smr.log -v", seed)
	}
}

// seeded is a group in a seeded run.
type seeded struct {
	*group
	seen   *counts
	court  *court
	rng    *rand.Rand // of the troubles
	seed   uint64
	starts map[ID]int
	faults map[ID]*faults
	closed bool // callers begin nothing more; guarded by the court
	busy   sync.WaitGroup

	lifts  chan struct{} // has a token but while a trouble ends; no mutex, since that may sleep
	healed bool          // no trouble ends by itself any more
}

// stream returns a random source of its own for each part of a run, so that they do not disturb each other.
func stream(seed uint64, part string) *rand.Rand {
	h := uint64(14695981039346656037)
	for _, c := range []byte(part) {
		h = (h ^ uint64(c)) * 1099511628211
	}
	return rand.New(rand.NewPCG(seed, h))
}

func newSeededGroup(t *testing.T, seed uint64, seen *counts) *seeded {
	rng := stream(seed, "troubles")
	n := []int{1, 3, 3, 3, 3, 5}[rng.IntN(6)]
	every, keep := 5+rng.IntN(60), int64(-1)
	if rng.IntN(3) == 0 {
		keep = 16 << 10
	}
	volatile := rng.IntN(8) == 0
	g := newGroup(t, n, func(c *Config) {
		c.SnapshotEvery, c.SnapshotBytes, c.KeepLog, c.Volatile = every, 64<<10, keep, volatile
		c.Abdication, c.DiskLimit, c.Window, c.MaxOpSize = time.Second, time.Second, 32<<10, 4<<10
		if volatile {
			c.Dir = ""
		}
		if !*seedLog {
			c.Logger = hclog.NewNullLogger()
		}
	})
	g.random = stream(seed, "power")
	g.wires.random = stream(seed, "wires")
	g.wires.disturb(0.01*float64(rng.IntN(4)), 0.01*float64(rng.IntN(4)), time.Duration(1+rng.IntN(5000))*time.Microsecond)
	x := &seeded{group: g, seen: seen, seed: seed, rng: rng, starts: map[ID]int{}, faults: map[ID]*faults{}, lifts: make(chan struct{}, 1)}
	for _, id := range x.all() {
		x.faults[id] = &faults{happened: x.seen.happened}
		x.disks[id].SetHook(x.faults[id].before)
	}
	x.lifts <- struct{}{}
	x.court = newCourt(x)
	return x
}

// run is the whole run.
func (x *seeded) run() {
	defer x.stopAll()
	for _, id := range x.all() {
		x.begin(id)
	}
	callers := x.callers()
	for end := time.Now().Add(time.Duration(3+x.rng.IntN(12)) * time.Second); time.Now().Before(end); {
		time.Sleep(time.Duration(x.rng.IntN(800)) * time.Millisecond)
		x.trouble()
	}
	x.healAll()
	time.Sleep(2 * time.Second)
	x.court.locked(func() { x.closed = true })
	callers.Wait()
	x.settled()
	x.court.verdict(x.t)
}

// settled waits until the group is one again, and compares the states.
func (x *seeded) settled() {
	x.wait("all run, are normal in one view and have applied everything", func() bool {
		for _, id := range x.all() {
			x.begin(id) // one that has failed may have taken until now to stop
		}
		ids := x.ids()
		if len(ids) < len(x.all()) && !x.court.fewer() || len(ids) == 0 {
			return false
		}
		first := x.replica(ids[0]).Status()
		for _, id := range ids {
			s := x.replica(id).Status()
			if s.Phase != Normal || s.Primary == "" || s.View != first.View || s.Op != first.Op || s.Applied != s.Op {
				return false
			}
		}
		return true
	})
	for _, id := range x.ids() {
		require.NoError(x.t, x.replica(id).Read(x.in(time.Minute), Local, func() { x.court.sameState(id) }))
	}
}
