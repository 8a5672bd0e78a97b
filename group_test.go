package smr

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr/internal/vfs"
)

// group is a group of real replicas in the virtual time of a synctest bubble: on disks that lose
// power and fail, over a network that loses, repeats, delays and cuts. Its members are a, b, c, …
type group struct {
	t       *testing.T
	wires   *wires
	change  func(*Config)
	members []Member
	disks   map[ID]*vfs.Mem
	random  *rand.Rand

	mu      sync.Mutex
	running map[ID]*Replica
	states  map[ID]*recorder // of the running, and of those that ran last
}

// scenario plays with a group of n replicas that has not been started, and at its end checks that
// every replica's history is the beginning of one.
func scenario(t *testing.T, n int, play func(g *group)) {
	t.Helper()
	scenarioWith(t, n, func(*Config) {}, play)
}

// scenarioWith is scenario on a configuration that differs from the usual one.
func scenarioWith(t *testing.T, n int, change func(*Config), play func(g *group)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		g := newGroup(t, n, change)
		t.Cleanup(g.end)
		play(g)
		g.sameHistory()
	})
}

func newGroup(t *testing.T, n int, change func(*Config)) *group {
	g := &group{t: t, wires: newWires(), change: change, disks: map[ID]*vfs.Mem{}, running: map[ID]*Replica{},
		states: map[ID]*recorder{}, random: rand.New(rand.NewPCG(1, 2))}
	for i := range n {
		id := ID('a' + rune(i))
		g.members = append(g.members, Member{ID: id})
		g.disks[id] = vfs.NewCrashable()
	}
	return g
}

// end stops whatever still runs, so that the bubble can end.
func (g *group) end() {
	for _, id := range g.ids() {
		g.close(id)
	}
}

// all returns the ids of all members.
func (g *group) all() (ids []ID) {
	for _, m := range g.members {
		ids = append(ids, m.ID)
	}
	return ids
}

// ids returns the ids of the running members.
func (g *group) ids() []ID {
	return slices.DeleteFunc(g.all(), func(id ID) bool { return g.replica(id) == nil })
}

// others returns the running members but for these.
func (g *group) others(not ...ID) []ID {
	return slices.DeleteFunc(g.ids(), func(id ID) bool { return slices.Contains(not, id) })
}

// replica returns the running replica of that id, nil if it is down.
func (g *group) replica(id ID) *Replica {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.running[id]
}

func (g *group) config(id ID, state *recorder) Config {
	cfg := Config{ID: id, Members: g.members, StateMachine: state, Transport: g.wires.transport(id), Dir: "data",
		Logger: hclog.New(&hclog.LoggerOptions{Level: hclog.Info, Output: g.t.Output(), TimeFormat: "05.000"})}
	g.change(&cfg)
	return cfg
}

// start starts members, all if none is named, on what their disks hold.
func (g *group) start(ids ...ID) {
	g.t.Helper()
	if len(ids) == 0 {
		ids = g.all()
	}
	for _, id := range ids {
		require.NoError(g.t, g.tryStart(id, g.change))
	}
}

// tryStart starts a member on a configuration of its own.
func (g *group) tryStart(id ID, change func(*Config)) error {
	state := newRecorder()
	cfg := g.config(id, state)
	change(&cfg)
	g.wires.heal(id)
	r, err := start(cfg, g.disks[id])
	if err != nil {
		return err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.running[id], g.states[id] = r, state
	return nil
}

// close stops a member in order.
func (g *group) close(id ID) error {
	r := g.replica(id)
	if r == nil {
		return nil
	}
	err := r.Close()
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.running, id)
	return err
}

// crash cuts a member's power: it says no goodbye, and keeps what it had synced, and of the rest
// what chance leaves.
func (g *group) crash(ids ...ID) {
	for _, id := range ids {
		g.wires.isolate(id)
		g.disks[id].Crash(g.random)
	}
	for _, id := range ids {
		g.close(id)
	}
}

// wait waits until cond holds, for at most two minutes of virtual time.
func (g *group) wait(what string, cond func() bool) {
	g.t.Helper()
	for end := time.Now().Add(2 * time.Minute); !cond(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			for _, id := range g.ids() {
				g.t.Logf("%+v", g.replica(id).Status())
			}
			require.Fail(g.t, "waited in vain until "+what)
		}
	}
}

// primary waits until a majority follows a primary, itself included, and returns it.
func (g *group) primary() (p ID) {
	g.t.Helper()
	g.wait("a majority follows a primary", func() bool {
		followers := map[string]int{}
		for _, id := range g.ids() {
			s := g.replica(id).Status()
			followers[fmt.Sprint(s.View, s.Primary)]++
			if s.Primary == id && s.Phase == Normal {
				followers[fmt.Sprint(s.View, s.Primary)] += len(g.members)
			}
			if followers[fmt.Sprint(s.View, s.Primary)] > len(g.members)*3/2 {
				p = s.Primary
				return true
			}
		}
		return false
	})
	return p
}

// backup returns a running member that is not primary.
func (g *group) backup() ID {
	g.t.Helper()
	return g.others(g.primary())[0]
}

// settle waits until all that run are normal in one view, with everything applied.
func (g *group) settle() {
	g.t.Helper()
	g.wait("all that run stand at the same op", func() bool {
		first := g.replica(g.ids()[0]).Status()
		for _, id := range g.ids() {
			s := g.replica(id).Status()
			if s.Phase != Normal || s.Primary == "" || s.View != first.View || s.Op != first.Op || s.Applied != s.Op {
				return false
			}
		}
		return true
	})
}

// in returns a context that ends after d.
func (g *group) in(d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(g.t.Context(), d)
	g.t.Cleanup(cancel)
	return ctx
}

// propose proposes body at a member and returns its place in the history.
func (g *group) propose(at ID, body string) string {
	g.t.Helper()
	result, err := g.replica(at).Propose(g.in(time.Minute), []byte(body))
	require.NoError(g.t, err, body)
	return string(result)
}

// proposeMany proposes n different bodies at a member, several at a time.
func (g *group) proposeMany(at ID, n int, prefix string) {
	g.t.Helper()
	var busy sync.WaitGroup
	errs := make(chan error, n)
	for i := range n {
		busy.Go(func() {
			_, err := g.replica(at).Propose(g.in(time.Minute), fmt.Appendf(nil, "%s%d", prefix, i))
			errs <- err
		})
	}
	busy.Wait()
	for range n {
		require.NoError(g.t, <-errs)
	}
}

// history returns what a member's state machine holds.
func (g *group) history(id ID) (bodies []string) {
	if r := g.replica(id); r != nil && r.Read(g.t.Context(), Local, func() { bodies = g.states[id].bodies() }) == nil {
		return bodies
	}
	return g.states[id].bodies()
}

// sameHistory checks that all replicas applied the same operations in the same order, as far as
// they got, each once.
func (g *group) sameHistory() {
	g.t.Helper()
	var longest []string
	for _, id := range g.all() {
		if g.states[id] != nil && len(g.history(id)) > len(longest) {
			longest = g.history(id)
		}
	}
	for _, id := range g.all() {
		if g.states[id] != nil {
			h := g.history(id)
			require.True(g.t, slices.Equal(longest[:len(h)], h), "%s has %q, another %q", id, h, longest)
		}
	}
	sorted := slices.Sorted(slices.Values(longest))
	require.Len(g.t, slices.Compact(sorted), len(longest), "an operation was applied twice")
}
