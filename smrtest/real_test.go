package smrtest

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr"
)

// inBubbleOf plays with a group of real replicas in virtual time.
func inBubbleOf(t *testing.T, n int, play func(t *testing.T, c *Real[*counts])) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { play(t, NewReal(t, n, newCounts, nil)) })
}

// realCount returns what a replica counts, whether it is behind or not.
func realCount(t *testing.T, c *Real[*counts], id smr.ID) (n int) {
	t.Helper()
	require.NoError(t, c.Replica(id).Read(t.Context(), smr.Local, func() { n = c.Machine(id).N["x"] }))
	return n
}

// Callers find their replicas while the test takes others down.
func TestRealIsFoundByCallers(t *testing.T) {
	inBubbleOf(t, 3, func(t *testing.T, c *Real[*counts]) {
		over := make(chan struct{})
		go func() {
			defer close(over)
			for range 100 {
				c.Replica("a").Status()
				c.Machine("a")
				c.look()
			}
		}()
		for range 5 {
			c.Cut("a", "b")
			c.Restart("c")
			c.Heal()
		}
		<-over
	})
}

func TestRealFailover(t *testing.T) {
	inBubbleOf(t, 3, func(t *testing.T, c *Real[*counts]) {
		assert.Equal(t, "1", string(c.MustPropose("b", inc("x"))))
		old := c.CrashPrimary()
		p := c.Primary()
		assert.NotEqual(t, old, p)
		assert.Equal(t, "2", string(c.MustPropose(p, inc("x"))))
		c.Restart(old)
		c.Settle()
		assert.NoError(t, c.Replica(old).Read(t.Context(), smr.Linearizable, func() {
			assert.Equal(t, 2, c.Machine(old).N["x"])
		}))
	})
}

func TestRealPartitions(t *testing.T) {
	inBubbleOf(t, 5, func(t *testing.T, c *Real[*counts]) {
		p := c.Primary()
		c.Partition(p)
		time.Sleep(5 * time.Second)
		next := c.Primary()
		assert.NotEqual(t, p, next)
		c.MustPropose(next, inc("x"))
		assert.Zero(t, realCount(t, c, p))
		c.Crash(p) // and stays cut off when it is back
		c.Restart(p)
		time.Sleep(5 * time.Second)
		assert.Zero(t, realCount(t, c, p))
		c.Heal()
		c.Cut("a", "b")
		c.CutOneWay("b", "c")
		c.Disturb(Disturbance{Lose: 0.1, MaxDelay: 5 * time.Millisecond})
		c.MustPropose(c.Primary(), inc("x"))
		c.Disturb(Disturbance{})
		c.Heal()
		c.Settle()
	})
}

func TestRealGroupRestartsWhole(t *testing.T) {
	inBubbleOf(t, 3, func(t *testing.T, c *Real[*counts]) {
		c.MustPropose("a", inc("x"))
		c.Crash(c.Members()...)
		c.Restart()
		c.Restart("b") // one that is up
		assert.Equal(t, "2", string(c.MustPropose("b", inc("x"))))
	})
}

func TestRealIsConfigured(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := NewReal(t, 1, newCounts, func(cfg *smr.Config) { cfg.SnapshotEvery = 5 })
		for range 20 {
			c.MustPropose("a", inc("x"))
		}
		time.Sleep(time.Second)
		assert.Positive(t, c.Replica("a").Status().Snapshot)
	})
}

// nextSalt is what each salted machine adds.
var nextSalt int

// What is wrong with a real group, or cannot be done with it, fails the test and says so.
func TestRealFailures(t *testing.T) {
	salted := func() *counts {
		nextSalt++
		c := newCounts()
		c.N["salt"] = nextSalt
		return c
	}
	for name, x := range map[string]struct {
		new  func() *counts
		play func(c *Real[*counts])
		want string
	}{
		"states differ":   {salted, func(c *Real[*counts]) { c.Settle() }, "the states of a and b are not equal"},
		"no snapshot":     {buggy("no snapshot"), func(c *Real[*counts]) { c.Settle() }, "out of paper"},
		"no quorum":       {newCounts, func(c *Real[*counts]) { c.Crash("a", "b"); c.MustPropose("c", inc("x")) }, "a  down"},
		"no primary":      {newCounts, func(c *Real[*counts]) { c.Partition("a"); c.Partition("b"); c.Primary() }, "waited in vain until a majority follows a primary"},
		"cut off":         {newCounts, func(c *Real[*counts]) { c.Partition("b"); c.MustPropose(c.Primary(), inc("x")); c.Settle() }, "a does not hear b"},
		"all down":        {newCounts, func(c *Real[*counts]) { c.Stop(c.Members()...); c.Settle() }, "no replica is up"},
		"down":            {newCounts, func(c *Real[*counts]) { c.Stop("b"); c.Replica("b") }, "b is down: Restart it first"},
		"no such replica": {newCounts, func(c *Real[*counts]) { c.Crash("z") }, `there is no replica "z"`},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				failure := failing(t, func(t testing.TB) { x.play(NewReal(t, 3, x.new, nil)) })
				assert.Contains(t, failure, x.want)
			})
		})
	}
	failure := failing(t, func(t testing.TB) { NewReal(t, 0, newCounts, nil) })
	assert.Contains(t, failure, "a group has 1 to 7 replicas, not 0")
}
