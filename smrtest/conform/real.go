package conform

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/smr-go/smr"
	"github.com/smr-go/smr/internal/excerpt"
	"github.com/smr-go/smr/internal/sim"
)

// patience is how long a group waits for what should happen soon.
const patience = time.Minute

// NewReal returns a group of n replicas, 1 to 7, as smr.Start starts them, with their goroutines, in
// directories of the test and on a Network that can be cut. They are named "a", "b", "c", and so on;
// change, if it is not nil, changes their configurations. The group has a primary.
//
// It is for what a simulated Group cannot show: code of the test's own around the replicas, their
// contexts and goroutines, the race detector. It belongs in a testing/synctest bubble, where time is
// virtual too; elsewhere it works, and takes its time.
//
//	synctest.Test(t, func(t *testing.T) {
//		c := conform.NewReal(t, 3, newCounter, nil)
//		…
//	})
//
// Runs differ a little, for goroutines do, and nothing is checked but what the test and Settle check.
// When the test is over the replicas are closed.
func NewReal[M smr.StateMachine](t testing.TB, n int, new func() M, change func(cfg *smr.Config)) *Real[M] {
	t.Helper()
	if n < 1 || n > 7 {
		t.Fatalf("conform: a group has 1 to 7 replicas, not %d", n)
	}
	if new == nil {
		t.Fatal("conform: a group needs new, a function that returns a state machine in its initial state; new is nil")
	}
	c := &Real[M]{t: t, new: new, change: change, network: smr.NewNetwork(), dir: t.TempDir(), running: map[smr.ID]*actor[M]{}, cuts: map[[2]smr.ID]bool{}}
	for i := range n {
		c.members = append(c.members, smr.Member{ID: smr.ID(sim.Name(i))})
	}
	t.Cleanup(func() { c.Stop(c.up()...) })
	c.Restart()
	c.Primary()
	return c
}

// Real is a group of real replicas. One goroutine uses it: the test's. Others may use its replicas
// too, and call Replica, Machine and MustPropose.
type Real[M smr.StateMachine] struct {
	t       testing.TB
	new     func() M
	change  func(cfg *smr.Config)
	network *smr.Network
	dir     string
	members []smr.Member
	disturb Disturbance

	mu      sync.Mutex // held where these change, and where others may read them
	running map[smr.ID]*actor[M]
	cuts    map[[2]smr.ID]bool // from, to
}

// actor is a running replica, and what belongs to it.
type actor[M smr.StateMachine] struct {
	replica *smr.Replica
	machine M
	wires   *Shaken
}

// Members returns the names of all replicas, whether they are up or not.
func (c *Real[M]) Members() (ids []smr.ID) {
	for _, m := range c.members {
		ids = append(ids, m.ID)
	}
	return ids
}

// up returns those that run.
func (c *Real[M]) up() []smr.ID {
	return slices.DeleteFunc(c.Members(), func(id smr.ID) bool { return c.running[id] == nil })
}

// Replica returns a replica that is up. It is another one after a restart.
func (c *Real[M]) Replica(id smr.ID) *smr.Replica {
	c.t.Helper()
	return c.actor(id).replica
}

// Machine returns the state of a replica that is up, to be looked at within its Read. It is another
// one after a restart.
func (c *Real[M]) Machine(id smr.ID) M {
	c.t.Helper()
	return c.actor(id).machine
}

func (c *Real[M]) actor(id smr.ID) *actor[M] {
	c.t.Helper()
	c.must(id)
	c.mu.Lock()
	a := c.running[id]
	c.mu.Unlock()
	if a == nil {
		c.t.Fatalf("conform: %s is down: Restart it first", id)
	}
	return a
}

// must fails the test if there is no such replica.
func (c *Real[M]) must(id smr.ID) {
	c.t.Helper()
	if !slices.Contains(c.Members(), id) {
		c.t.Fatalf("conform: there is no replica %q: the group has %q", id, c.Members())
	}
}

// Restart starts replicas on what their directories hold, all that are down if none is named. Those
// that are up are crashed first.
func (c *Real[M]) Restart(ids ...smr.ID) {
	c.t.Helper()
	if len(ids) == 0 {
		ids = slices.DeleteFunc(c.Members(), func(id smr.ID) bool { return c.running[id] != nil })
	}
	for _, id := range ids {
		if c.must(id); c.running[id] != nil {
			c.Crash(id)
		}
		if err := c.start(id); err != nil {
			c.t.Fatalf("conform: %s does not start: %v", id, err)
		}
	}
}

func (c *Real[M]) start(id smr.ID) error {
	i := slices.Index(c.Members(), id)
	a := &actor[M]{machine: c.new(), wires: Shake(c.network.Transport(id), uint64(i))}
	a.wires.Disturb(c.disturb)
	for link := range c.cuts {
		if link[0] == id {
			a.wires.CutTo(link[1])
		}
	}
	cfg := smr.Config{ID: id, Members: c.members, StateMachine: a.machine, Transport: a.wires, Dir: filepath.Join(c.dir, string(id)),
		Logger: hclog.New(&hclog.LoggerOptions{Level: hclog.Info, Output: c.t.Output(), TimeFormat: "05.000"})}
	if c.change != nil {
		c.change(&cfg)
	}
	var err error
	if a.replica, err = smr.Start(cfg); err == nil {
		c.mu.Lock()
		c.running[id] = a
		c.mu.Unlock()
	}
	return err
}

// Crash takes replicas down: the others hear no goodbye, and callers get no answer. The directory
// keeps what was written.
func (c *Real[M]) Crash(ids ...smr.ID) {
	c.t.Helper()
	for _, id := range ids {
		c.actor(id).wires.CutTo(c.Members()...)
	}
	c.Stop(ids...)
}

// CrashPrimary crashes the primary, which it waits for if there is none, and returns its name.
func (c *Real[M]) CrashPrimary() smr.ID {
	c.t.Helper()
	p := c.Primary()
	c.Crash(p)
	return p
}

// Stop closes replicas.
func (c *Real[M]) Stop(ids ...smr.ID) {
	c.t.Helper()
	for _, id := range ids {
		a := c.actor(id)
		c.mu.Lock()
		delete(c.running, id)
		c.mu.Unlock()
		if err := a.replica.Close(); err != nil {
			c.t.Errorf("conform: closing %s: %v", id, err)
		}
	}
}

// MustPropose proposes an operation at a replica and returns its result. After a minute, or if the
// outcome is unknown, the test fails.
func (c *Real[M]) MustPropose(at smr.ID, body []byte) []byte {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), patience)
	defer cancel()
	result, err := c.Replica(at).Propose(ctx, body)
	if err != nil {
		c.t.Fatalf("conform: MustPropose(%s) at %s: %v%s", excerpt.Of(body), at, err, c.look())
	}
	return result
}

// look is all replicas, a line each.
func (c *Real[M]) look() (text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, id := range c.Members() {
		if a := c.running[id]; a == nil {
			text += fmt.Sprintf("\n  %s  down", id)
		} else {
			s := a.replica.Status()
			text += fmt.Sprintf("\n  %s  %s, primary %q, view %d, log to op %d, committed %d, applied %d %s", id, s.Phase, s.Primary, s.View, s.Op, s.Commit, s.Applied, s.Problem)
		}
	}
	for _, from := range c.Members() {
		for _, to := range c.Members() {
			if c.cuts[[2]smr.ID{from, to}] {
				text += fmt.Sprintf("\n  %s does not hear %s: Heal first", to, from)
			}
		}
	}
	return text
}

// wait waits until cond holds, for a minute at most.
func (c *Real[M]) wait(what string, cond func() bool) {
	c.t.Helper()
	for end := time.Now().Add(patience); !cond(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			c.t.Fatalf("conform: waited in vain until %s%s", what, c.look())
		}
	}
}
