package smrtest

import (
	"math/rand/v2"
	"sync/atomic"
	"testing"

	"github.com/smr-go/smr"
	"github.com/smr-go/smr/internal/sim"
)

// New returns a simulated group of n replicas, 1 to 7, of the state machine that new makes, in its
// initial state at every call. Replicas are named "a", "b", "c", and so on. The group is formed and
// has a primary.
//
// It is the real protocol, log and recovery on a simulated network, disks and clocks, in virtual
// time and on the test's own goroutine: time passes in calls that wait ([Group.Run],
// [Client.MustPropose], …), and nothing happens in between. The same test is the same run every
// time.
//
// After every step the run is checked: that the replicas' states and results are the same, that
// nothing acknowledged is lost or applied twice, that reads are fresh, and that the state machine
// keeps its contract: bodies are overwritten after Apply, and around every operation snapshots are
// taken, written late and restored, so that the failure names the operation that breaks a rule. When
// the test is over all faults end, and the group must become one again with equal states.
//
// options are for a group that is not the usual one; give at most one.
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
	g.group = newGroup(t, n, o, &sim.Work{
		New:       func() smr.StateMachine { return new() },
		Careful:   true,
		Describe:  o.Describe,
		Invariant: func(m smr.StateMachine) error { return g.holds(m.(M)) },
	})
	return g
}

// Options are settings of a simulated group. The zero value of each field is a good choice.
type Options struct {
	// Seed fixes what chance does: how long messages and disks take, and what a crash leaves of
	// writes that were not synced. Zero: 1.
	Seed uint64
	// SnapshotEvery is the number of operations from one snapshot to the next. Zero: 20, so that
	// short tests meet snapshots. Negative: none are taken.
	SnapshotEvery int
	// Describe returns an operation as people read it, in one line, for reports and pictures. Nil:
	// they show the first 60 bytes of its body.
	Describe func(body []byte) string
	// Unformed makes New return before any replica has started, so that a test can disturb the
	// forming of the group.
	Unformed bool
}

// Group is a simulated group of replicas. One goroutine uses it: the test's. Whatever cannot be
// done fails the test.
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
	script  []step // what the test did
	inside  string // what the test's function that runs now is called for; time does not pass there

	busy      atomic.Bool    // a goroutine is in the middle of something
	ended     atomic.Bool    // the test has, and all that follows it
	over      bool           // the test is
	recording *sim.Recording // nil: it is not drawn

	why    map[int]string // those that are down are so
	doomed map[int]bool   // may have lost their memory, or find that they have
}

func newGroup(t testing.TB, n int, cfg Options, w *sim.Work) *group {
	t.Helper()
	if n < 1 || n > 7 {
		t.Fatalf("smrtest: a group has 1 to 7 replicas, not %d", n)
	}
	if cfg.Seed == 0 {
		cfg.Seed = 1
	}
	g := &group{t: t, cfg: cfg, chance: rand.New(rand.NewPCG(cfg.Seed, 0)), why: map[int]string{}, doomed: map[int]bool{}}
	for i := range n {
		g.names = append(g.names, smr.ID(sim.Name(i)))
	}
	w.Watch = timedAs(t.Name(), cfg.Seed)
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

// setup is a calm world in which snapshots, and logs that are cut behind them, are met soon.
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

// Always has check called on the state of every replica after every operation from now on. It must
// not change the state; its error fails the test. A twin of the state and the state by the log
// alone are checked too, so check is called more often than there are replicas.
func (g *Group[M]) Always(check func(m M) error) {
	g.t.Helper()
	g.given("Always", "check", check != nil)
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

// Machine returns the state of a replica that is up, to look at and not to change. It is another one
// after a restart.
func (g *Group[M]) Machine(id smr.ID) M {
	g.t.Helper()
	defer g.alone()()
	h := g.s.Status(g.host(id))
	if !h.Up {
		g.t.Fatalf("smrtest: Machine: %s is down, and has no state", id)
	}
	return h.Machine.(M)
}

// Client returns a client of the group. With an ID it uses that replica only, whatever happens to it.
// Without one it fails over: when its replica is down, paused, in trouble or cut off from a majority,
// the next call goes to a healthy replica.
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
	g.t.Fatalf("smrtest: Client: a client uses one replica, or any; not %s", join(at))
	return nil
}

func (g *Group[M]) client(at int) *Client[M] {
	g.callers++
	return &Client[M]{Patience: patience, g: g, at: at, number: g.callers}
}
