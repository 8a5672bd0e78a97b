package smrtest

import (
	"math/rand/v2"
	"sync/atomic"
	"testing"

	"github.com/smr-go/smr"
	"github.com/smr-go/smr/internal/contract"
	"github.com/smr-go/smr/internal/sim"
	"github.com/smr-go/smr/internal/sim/fault"
)

// New returns a simulated group of n replicas, 1 to 7. new must return a state machine in its initial state at every
// call. The replicas are named "a", "b", "c", and so on. The group is formed and has a primary.
//
// Protocol, log and recovery are the real ones; network, disks and clocks are simulated. Everything runs in virtual
// time on the test's own goroutine: time passes only in calls that wait, such as [Group.Run] and [Client.MustPropose].
// The same test is the same run every time.
//
// After every step the group is checked: replicas have equal states and results, no acknowledged operation is lost or
// applied twice, reads are fresh, and the state machine keeps its contract. For the last, bodies are overwritten after
// Apply, and around every operation snapshots are taken, written late and restored, so that a failure names the
// operation that breaks a rule. When the test ends, all faults end, and the replicas must agree on one state.
//
// Pass at most one Options.
func New[M smr.StateMachine](t testing.TB, n int, new func() M, options ...Options) *Group[M] {
	t.Helper()
	if new == nil {
		t.Fatal("smrtest: a group needs new, a function that returns a state machine in its initial state; new is nil")
	}
	if len(options) > 1 {
		t.Fatalf("smrtest: a group has one set of options, not %d", len(options))
	}
	g := &Group[M]{}
	o := append(options, Options{})[0]
	o.Describe = guarded(o.Describe)
	g.group = newGroup(t, n, o, &sim.Work{Kit: contract.Kit{
		New:       func() smr.StateMachine { return new() },
		Careful:   true,
		Describe:  numbered(o.Describe),
		Invariant: func(m smr.StateMachine) error { return g.holds(m.(M)) },
	}})
	return g
}

// Options are settings of a simulated group. The zero value of each field is a good default.
type Options struct {
	// Seed fixes all random choices: how long messages and disks take, and which unsynced writes survive a crash. Zero:
	// 1.
	Seed uint64
	// SnapshotEvery is the number of operations from one snapshot to the next. Zero: 20, so that short tests take
	// snapshots. Negative: no snapshots.
	SnapshotEvery int
	// Describe returns an operation as one line of text, for reports and pictures. Nil: they show the first 60 bytes of
	// its body.
	Describe func(body []byte) string
	// Unformed makes New return before any replica has started, so that a test can disturb the forming of the group.
	Unformed bool
}

// Group is a simulated group of replicas. Only the test's goroutine may use it. A call that is not possible fails the
// test.
type Group[M smr.StateMachine] struct {
	*group
	always []func(M) error
}

// group is a Group without its state machine's type.
type group struct {
	t       testing.TB
	s       *sim.Sim
	cfg     Options
	names   []smr.ID
	chance  *rand.Rand
	callers int
	script  []step // the test's actions so far
	inside  string // where the test's callback runs, if one does: time does not pass there

	busy      atomic.Bool    // a method runs
	ended     atomic.Bool    // the test and its cleanup have ended
	over      bool           // the test's function has returned
	recording *sim.Recording // nil: no picture is drawn

	why        map[int]string // why replicas are down
	memoryLost map[int]bool   // replicas that have lost their memory, or may find that they have
}

func newGroup(t testing.TB, n int, cfg Options, w *sim.Work) *group {
	t.Helper()
	if n < 1 || n > 7 {
		t.Fatalf("smrtest: a group has 1 to 7 replicas, not %d", n)
	}
	if cfg.Seed == 0 {
		cfg.Seed = 1
	}
	g := &group{t: t, cfg: cfg, chance: rand.New(rand.NewPCG(cfg.Seed, 0)), why: map[int]string{}, memoryLost: map[int]bool{}}
	for i := range n {
		g.names = append(g.names, smr.ID(fault.Name(i)))
	}
	w.Watch = timed(ofSeed(t.Name(), cfg.Seed))
	var err error
	if g.s, err = sim.New(cfg.setup(n), w, g.watch()); err != nil {
		t.Fatalf("smrtest: the state machine: %v", err)
	}
	g.s.Begin()
	t.Cleanup(g.finish)
	if !cfg.Unformed {
		g.Primary()
		g.Settle()
	}
	return g
}

// setup returns a calm world in which snapshots are frequent and logs are cut right behind them.
func (cfg *Options) setup(n int) *sim.Setup {
	p := sim.Calm(cfg.Seed)
	p.Replicas, p.SnapshotEvery, p.CompareEvery = n, 20, 5
	p.KeepLog, p.SegmentSize = 0, 16<<10
	switch {
	case cfg.SnapshotEvery > 0:
		p.SnapshotEvery = cfg.SnapshotEvery
	case cfg.SnapshotEvery < 0:
		p.SnapshotEvery = 1 << 30
	}
	return p
}

// Always calls check with the state of every replica after every operation from now on. An error fails the test. check
// must not change the state. It is also called with copies of the state that no replica has.
func (g *Group[M]) Always(check func(m M) error) {
	g.t.Helper()
	g.needs("Always", "check", check != nil)
	g.always = append(g.always, check)
}

func (g *Group[M]) holds(m M) error {
	for _, check := range g.always {
		var err error
		if g.within("in a function given to Always", func() { err = check(m) }); err != nil {
			return err
		}
	}
	return nil
}

// Machine returns the state machine of a replica that is up. The test may read it but must not change it. After a
// restart the replica has another one.
func (g *Group[M]) Machine(id smr.ID) M {
	g.t.Helper()
	defer g.alone()()
	h := g.s.Status(g.host(id))
	if !h.Up {
		g.t.Fatalf("smrtest: Machine: %s is down, and has no state", id)
	}
	return h.Machine.(M)
}

// Client returns a client of the group. With an ID the client uses that replica only. Without one it fails over: while
// its replica is down, paused, in trouble or cut off from a majority, calls go to a healthy replica.
func (g *Group[M]) Client(at ...smr.ID) *Client[M] {
	g.t.Helper()
	switch len(at) {
	case 0:
		return g.client(g.callers % len(g.names))
	case 1:
		c := g.client(g.host(at[0]))
		c.stays = true
		return c
	}
	g.t.Fatalf("smrtest: Client: a client uses one replica, or any; not %s", fault.List(at))
	return nil
}

func (g *Group[M]) client(at int) *Client[M] {
	g.callers++
	return &Client[M]{Patience: patience, g: g, at: at, number: g.callers}
}

// enter is alone for methods that change the group: it also fails if the test has ended.
func (g *group) enter() (leave func()) {
	g.t.Helper()
	if g.ended.Load() {
		g.t.Fatalf("smrtest: the group is used after the end of its test %s", g.t.Name())
	}
	return g.alone()
}

// alone fails the test if another goroutine is in a method. The caller must call leave when it is done.
func (g *group) alone() (leave func()) {
	g.t.Helper()
	if !g.busy.CompareAndSwap(false, true) {
		g.t.Fatal(twoAtOnce)
	}
	return func() { g.busy.Store(false) }
}

const twoAtOnce = "smrtest: two goroutines use the group at once; only the test's goroutine may. For concurrent calls use Client.Start"

// mayWait fails the test if the caller is a callback, where time cannot pass.
func (g *group) mayWait(what string) {
	g.t.Helper()
	if g.inside != "" {
		g.t.Fatalf("smrtest: %s cannot be called %s: time does not pass there", what, g.inside)
	}
}

// needs fails the test if a required function is nil.
func (g *group) needs(what, argument string, is bool) {
	g.t.Helper()
	if !is {
		g.t.Fatalf("smrtest: %s: %s is nil; give a function", what, argument)
	}
}

// within calls a callback of the test, which may use the group.
func (g *group) within(where string, do func()) {
	was, busy := g.inside, g.busy.Swap(false)
	g.inside = where
	do()
	g.inside = was
	if busy && !g.busy.CompareAndSwap(false, true) {
		g.t.Fatal(twoAtOnce)
	}
}

// mustBeRight fails the test if the simulator has found a violation.
func (g *group) mustBeRight() {
	g.t.Helper()
	if v := g.s.Violation(); v != nil {
		g.t.Fatal(g.report("%s", explain(v)))
	}
}
