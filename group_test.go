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

// group is a group of real replicas in the virtual time of a synctest bubble. Their disks lose power and
// fail, and their network loses, repeats, delays and cuts messages. The members are a, b, c, …
type group struct {
	t       *testing.T
	wires   *wires
	change  func(*Config)
	members []Member
	disks   map[ID]*vfs.Mem
	random  *rand.Rand

	mu      sync.Mutex
	running map[ID]*Replica
	states  map[ID]*recorder // of running members, and the last of those that are down
}

// scenario calls run with a group of n replicas, none of them started. Then it checks that the histories
// of all replicas are prefixes of one history.
func scenario(t *testing.T, n int, run func(g *group)) {
	t.Helper()
	scenarioWith(t, n, func(*Config) {}, run)
}

// scenarioWith is scenario with a change to the configuration of every replica.
func scenarioWith(t *testing.T, n int, change func(*Config), run func(g *group)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		g := newGroup(t, n, change)
		t.Cleanup(g.end)
		run(g)
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

// end stops the replicas that still run, so that the bubble can end.
func (g *group) end() {
	for _, id := range g.ids() {
		g.close(id)
	}
}

// all returns the IDs of all members.
func (g *group) all() (ids []ID) {
	for _, m := range g.members {
		ids = append(ids, m.ID)
	}
	return ids
}

// ids returns the IDs of the running members.
func (g *group) ids() []ID {
	return slices.DeleteFunc(g.all(), func(id ID) bool { return g.replica(id) == nil })
}

// others returns the running members except these.
func (g *group) others(not ...ID) []ID {
	return slices.DeleteFunc(g.ids(), func(id ID) bool { return slices.Contains(not, id) })
}

// replica returns the replica of a member, or nil if it is down.
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

// start starts members from their disks, all members if none is named.
func (g *group) start(ids ...ID) {
	g.t.Helper()
	if len(ids) == 0 {
		ids = g.all()
	}
	for _, id := range ids {
		require.NoError(g.t, g.tryStart(id, g.change))
	}
}

// tryStart starts a member with a change to its configuration.
func (g *group) tryStart(id ID, change func(*Config)) error {
	state := newRecorder()
	cfg := g.config(id, state)
	change(&cfg)
	g.wires.heal(id)
	r, err := start(cfg, g.disks[id], nil)
	if err != nil {
		return err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.running[id], g.states[id] = r, state
	return nil
}

// close closes a member.
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

// crash cuts the power of members. They announce nothing. Their disks keep what was synced, and a random
// part of the rest.
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
	g.waitFor(2*time.Minute, what, cond)
}

// waitFor is wait for that long.
func (g *group) waitFor(d time.Duration, what string, cond func() bool) {
	g.t.Helper()
	for end := time.Now().Add(d); !cond(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			for _, id := range g.ids() {
				g.t.Logf("%+v", g.replica(id).Status())
			}
			require.Fail(g.t, fmt.Sprintf("not within %v: %s", d, what))
		}
	}
}

// primary waits until a majority, the primary included, follows one primary, and returns it.
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

// backup returns a running member that is not the primary.
func (g *group) backup() ID {
	g.t.Helper()
	return g.others(g.primary())[0]
}

// settle waits until all running members are in phase Normal, in one view, and have applied the same op.
func (g *group) settle() {
	g.t.Helper()
	g.wait("all running members have applied the same op", func() bool {
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

// propose proposes body at a member and returns the result, which is its place in the history.
func (g *group) propose(at ID, body string) string {
	g.t.Helper()
	result, err := g.replica(at).Propose(g.in(time.Minute), []byte(body))
	require.NoError(g.t, err, body)
	return string(result)
}

// proposeMany proposes n distinct bodies at a member, several at a time.
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

// history returns the operations that the state machine of a member holds.
func (g *group) history(id ID) (bodies []string) {
	if r := g.replica(id); r != nil && r.Read(g.in(time.Second), Local, func() { bodies = g.states[id].bodies() }) == nil {
		return bodies
	}
	return g.states[id].bodies()
}

// sameHistory checks that the histories of all replicas are prefixes of the longest one, and that it holds
// every operation once.
func (g *group) sameHistory() {
	g.t.Helper()
	var longest []string
	histories := map[ID][]string{} // each read once: replicas may still apply operations
	for _, id := range g.all() {
		if g.states[id] != nil {
			h := g.history(id)
			if histories[id] = h; len(h) > len(longest) {
				longest = h
			}
		}
	}
	for id, h := range histories {
		require.True(g.t, slices.Equal(longest[:len(h)], h), "%s has %q, another %q", id, h, longest)
	}
	sorted := slices.Sorted(slices.Values(longest))
	require.Len(g.t, slices.Compact(sorted), len(longest), "an operation was applied twice")
}
