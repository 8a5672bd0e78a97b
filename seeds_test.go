package smr

import (
	"errors"
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

	"github.com/smr-go/smr/internal/sim/judge"
)

var (
	firstSeed = flag.Uint64("smr.seed", 1, "the first seed of TestReplicaSeeds and TestNewReplicaSeeds")
	seedRuns  = flag.Int("smr.runs", 0, "runs of TestNewReplicaSeeds; 0: it is skipped")
	seedLog   = flag.Bool("smr.log", false, "show what the replicas log in seeded runs")
)

// keptSeeds have once shown that something was wrong.
var keptSeeds = []uint64{30121}

// A group of real replicas, goroutines included, goes through what a seed chooses: delays at every queue, a network
// that loses and delays and has narrow links, disks that stall, fill and lose power, state machines that fail and hang,
// members that crash, pause, leave, are cut off and forge requests, callers that give up and overwrite what they gave and
// were given. The judge of the simulation finds nothing wrong.
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
	seen     *counts
	checker  *checker
	rng      *rand.Rand // of the troubles
	seed     uint64
	starts   map[ID]int
	back     map[ID]time.Time // troubles keep members down until then; guarded by the checker
	faults   map[ID]*faults
	every    int   // Config.SnapshotEvery
	bytes    int64 // Config.SnapshotBytes
	volatile bool  // Config.Volatile
	closed   bool  // callers begin nothing more; guarded by the checker
	busy     sync.WaitGroup
	watchers sync.WaitGroup

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
	x := &seeded{seen: seen, seed: seed, rng: rng, starts: map[ID]int{}, back: map[ID]time.Time{},
		faults: map[ID]*faults{}, lifts: make(chan struct{}, 1)}
	x.every, x.bytes = 5+rng.IntN(60), int64(4+rng.IntN(60))<<10
	if rng.IntN(4) == 0 {
		x.every = -1 // only by bytes
	}
	keep, window := int64(-1), int64(32<<10)
	if rng.IntN(3) == 0 {
		keep = 16 << 10
	}
	if rng.IntN(2) == 0 {
		window = 2 << 10
	}
	x.volatile = rng.IntN(8) == 0
	x.group = newGroup(t, n, func(c *Config) {
		c.SnapshotEvery, c.SnapshotBytes, c.KeepLog, c.Volatile = x.every, x.bytes, keep, x.volatile
		c.Abdication, c.DiskLimit, c.Window, c.MaxOpSize = time.Second, time.Second, window, 1<<10
		if x.volatile {
			c.Dir = ""
		}
		if !*seedLog {
			c.Logger = hclog.NewNullLogger()
		}
	})
	x.random = stream(seed, "power")
	x.wires.random = stream(seed, "wires")
	x.wires.disturb(0.01*float64(rng.IntN(4)), 0.01*float64(rng.IntN(4)), time.Duration(1+rng.IntN(5000))*time.Microsecond)
	for _, id := range x.all() {
		x.faults[id] = &faults{happened: x.seen.happened}
		x.disks[id].SetHook(x.faults[id].before)
	}
	x.lifts <- struct{}{}
	x.checker = newChecker(x)
	return x
}

// run is the whole run.
func (x *seeded) run() {
	defer x.stopAll()
	for _, id := range x.all() {
		x.begin(id)
	}
	callers := x.callers()
	for end := time.Now().Add(time.Duration(3+x.rng.IntN(12)) * time.Second); time.Now().Before(end) && !x.done(); {
		time.Sleep(time.Duration(x.rng.IntN(800)) * time.Millisecond)
		x.trouble()
	}
	x.within("the troubles end", x.healAll)
	time.Sleep(2 * time.Second)
	x.checker.locked(func() { x.closed = true })
	x.within("every caller has an answer", callers.Wait)
	x.within("every handover has ended", x.busy.Wait)
	for _, then := range []func(){x.settled, x.serves, x.rests, x.returns, x.rests, x.rereads} {
		x.checker.check(x.t)
		then()
	}
	x.checker.check(x.t)
}

// within waits until f returns. It panics if f does not, although nothing keeps it from that for long.
func (x *seeded) within(what string, f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	select {
	case <-done:
	case <-time.After(2 * time.Minute):
		x.checker.locked(func() { panic(fmt.Sprintf("not within two minutes: %s; before that: %v", what, x.checker.violation)) })
	}
}

// settled waits until the group is one again, and compares the states.
func (x *seeded) settled() {
	x.waitFor(30*time.Second, "all run, are normal in one view and have applied everything", func() bool {
		for _, id := range x.all() {
			x.begin(id) // one that has failed may have taken until now to stop
		}
		ids := x.ids()
		if len(ids) < len(x.all()) && !x.checker.fewer() || len(ids) == 0 {
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
	x.checker.locked(func() { x.checker.header = "" })
	for _, id := range x.ids() {
		require.NoError(x.t, x.replica(id).Read(x.in(time.Minute), Local, func() { x.checker.sameState(id) }))
	}
}

// serves demands of every member that runs that a command and a read succeed, now that nothing is in their way.
func (x *seeded) serves() {
	for _, id := range x.ids() {
		o := x.checker.observers[id]
		x.command(o, "the last of "+string(id))
		x.checker.locked(func() { o.reads.began++ })
		require.NoError(x.t, o.r.Read(x.in(10*time.Second), Linearizable, func() {}), id)
		x.checker.locked(func() { o.reads.ended++ })
	}
}

// command has a member take a command, when nothing is in its way but what it has taken before.
func (x *seeded) command(o *observer, body string) {
	c, ctx := &judge.Call{Body: []byte(body)}, x.in(10*time.Second)
	x.checker.locked(func() { x.checker.judge.Began(c) })
	result, err := o.r.Propose(ctx, c.Body)
	for errors.Is(err, ErrOverloaded) && ctx.Err() == nil {
		time.Sleep(10 * time.Millisecond)
		result, err = o.r.Propose(ctx, c.Body)
	}
	require.NoError(x.t, err, o.id)
	x.checker.proposed(o, c, result, nil, o.r.Status())
}
