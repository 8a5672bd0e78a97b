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
	"github.com/smr-go/smr/internal/sim/fault"
)

// patience is the time that anything expected to happen soon may take.
const patience = time.Minute

// NewReal returns a group of n replicas, 1 to 7, that smr.Start started, in directories of the test and on a Network
// with links that can be cut. new must return a state machine in its initial state at every call. The replicas are
// named "a", "b", "c", and so on. change may be nil; otherwise it is called with the configuration of each replica
// before it starts. The group has a primary.
//
// NewReal serves tests for which a simulated smrtest.Group is not enough: tests of code that calls replicas, with
// contexts and goroutines, under the race detector. Use it in a testing/synctest bubble, where time is virtual;
// elsewhere it takes real time.
//
//	synctest.Test(t, func(t *testing.T) {
//		c := conform.NewReal(t, 3, newCounter, nil)
//		…
//	})
//
// Goroutines make runs differ slightly. Nothing is checked except by the test and by Settle. The replicas are closed
// when the test ends.
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
		c.members = append(c.members, smr.Member{ID: smr.ID(fault.Name(i))})
	}
	t.Cleanup(func() { c.Stop(c.up()...) })
	c.Restart()
	c.Primary()
	return c
}

// Real is a group of real replicas. Only the test's goroutine may call its methods, except that any goroutine may call
// Replica, Machine and MustPropose, and use the replicas.
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

// actor is a running replica with its machine and its links.
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

// up returns the replicas that run.
func (c *Real[M]) up() []smr.ID {
	return slices.DeleteFunc(c.Members(), func(id smr.ID) bool { return c.running[id] == nil })
}

// Replica returns a replica that is up. A restart replaces it.
func (c *Real[M]) Replica(id smr.ID) *smr.Replica {
	c.t.Helper()
	return c.actor(id).replica
}

// Machine returns the state machine of a replica that is up. Read its state only within the replica's Read. A restart
// replaces it.
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

// must fails the test if the group does not have the replica.
func (c *Real[M]) must(id smr.ID) {
	c.t.Helper()
	if !slices.Contains(c.Members(), id) {
		c.t.Fatalf("conform: there is no replica %q: the group has %q", id, c.Members())
	}
}

// Restart starts the named replicas, or all that are down if none is named, on their directories. A replica that is up
// is crashed first.
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

// Crash stops replicas without notice to the others. Their calls end with an error. Their directories keep all writes.
func (c *Real[M]) Crash(ids ...smr.ID) {
	c.t.Helper()
	for _, id := range ids {
		c.actor(id).wires.CutTo(c.Members()...)
	}
	c.Stop(ids...)
}

// CrashPrimary crashes the primary and returns its ID. It waits for a primary, as Primary does.
func (c *Real[M]) CrashPrimary() smr.ID {
	c.t.Helper()
	p := c.Primary()
	c.Crash(p)
	return p
}

// Stop closes replicas, as smr.Replica.Close does.
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

// MustPropose proposes an operation at a replica and returns its result. The test fails if Propose returns an error or
// takes longer than a minute.
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

// look returns the state of the group: a line for each replica and each link that is cut.
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

// wait waits until cond holds. After a minute it fails the test and reports what has not happened.
func (c *Real[M]) wait(missing string, cond func() bool) {
	c.t.Helper()
	for end := time.Now().Add(patience); !cond(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			c.t.Fatalf("conform: %s within a minute%s", missing, c.look())
		}
	}
}
