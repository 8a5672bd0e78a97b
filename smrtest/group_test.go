package smrtest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr"
	"github.com/smr-go/smr/smrtest/internal/failing"
)

// of returns what a replica counts under a name.
func of(c *Group[*counts], id smr.ID, name string) int { return c.Machine(id).N[name] }

func TestGroupSurvivesItsPrimary(t *testing.T) {
	c := New(t, 3, newCounts)
	cl := c.Client()
	assert.Equal(t, "1", string(cl.MustPropose(inc("x"))))
	old := c.CrashPrimary()
	assert.Equal(t, "2", string(cl.MustPropose(inc("x"))))
	assert.NotEqual(t, old, c.Primary())
	assert.Equal(t, smr.Stopped, c.Status(old).Phase)
	c.Restart(old)
	c.Settle()
	for _, id := range c.Members() {
		assert.Equal(t, 2, of(c, id, "x"))
	}
}

func TestGroupIsTheSameEveryTime(t *testing.T) {
	run := func() (at time.Duration, status smr.Status) {
		c := New(t, 3, newCounts)
		cl := c.Client()
		for range 30 {
			cl.MustPropose(inc("x"))
		}
		c.CrashPrimary()
		cl.MustPropose(inc("x"))
		return c.Now(), c.Status(c.Primary())
	}
	at1, status1 := run()
	at2, status2 := run()
	assert.Equal(t, at1, at2)
	assert.Equal(t, status1, status2)
}

func TestGroupOfEverySize(t *testing.T) {
	for n := 1; n <= 7; n++ {
		c := New(t, n, newCounts)
		assert.Len(t, c.Members(), n)
		c.Client().MustPropose(inc("x"))
		c.Settle()
		for _, id := range c.Members() {
			assert.Equal(t, 1, of(c, id, "x"))
		}
	}
}

func TestStatusTellsWhatAReplicaIs(t *testing.T) {
	c := New(t, 3, newCounts)
	p := c.Primary()
	c.Client().MustPropose(inc("x"))
	c.Settle()
	for _, id := range c.Members() {
		s := c.Status(id)
		assert.Equal(t, id, s.ID)
		assert.Equal(t, smr.Normal, s.Phase)
		assert.Equal(t, p, s.Primary)
		assert.Equal(t, s.Op, s.Applied)
		assert.Equal(t, uint64(1), s.Epoch)
		assert.Len(t, s.Members, 3)
	}
	c.Fault("stop b")
	assert.Contains(t, c.Status("b").Problem, "it was stopped at")
}

func TestUnformedGroup(t *testing.T) {
	c := New(t, 3, newCounts, Options{Unformed: true})
	assert.Zero(t, c.Now())
	assert.Contains(t, c.Status("a").Problem, "not started yet")
	c.Fault("cut a b")
	c.Run(10 * time.Second)
	assert.Equal(t, smr.Forming, c.Status("a").Phase)
	c.Heal()
	c.Primary()
	c.Settle()
}

func TestSnapshotsTakeThePlaceOfTheLog(t *testing.T) {
	c := New(t, 3, newCounts)
	cl := c.Client()
	c.Crash("c")
	for range 400 {
		cl.MustPropose(inc("a name that is long enough to fill segments of the log soon"))
	}
	c.Restart("c")
	c.Settle()
	assert.Positive(t, c.Status("c").Snapshot)
	first, _ := c.s.Covered(2)
	assert.Greater(t, first, uint64(1), "it got everything from the log")
}

func TestSnapshotsCanBeTurnedOff(t *testing.T) {
	c := New(t, 3, newCounts, Options{SnapshotEvery: -1})
	for range 100 {
		c.Client().MustPropose(inc("x"))
	}
	assert.Zero(t, c.Status("a").Snapshot)
}

func TestAlwaysIsAsked(t *testing.T) {
	c := New(t, 3, newCounts)
	asked := 0
	c.Always(func(m *counts) error { asked++; return nil })
	c.Client().MustPropose(inc("x"))
	c.Settle()
	assert.GreaterOrEqual(t, asked, 3)
}

func TestRunUntil(t *testing.T) {
	c := New(t, 3, newCounts)
	call := c.Client().Start(inc("x"))
	assert.False(t, call.Done())
	assert.True(t, c.RunUntil(func() bool { return of(c, "b", "x") == 1 }))
	before := c.Now()
	assert.False(t, c.RunUntil(func() bool { return false }))
	assert.Equal(t, time.Minute, c.Now()-before)
}

// A group that is left with faults at the end of a test must come back once they are gone.
func TestFaultsEndWithTheTest(t *testing.T) {
	var c *Group[*counts]
	failure := failing.Test(t, func(t testing.TB) {
		c = New(t, 3, newCounts)
		c.Client().MustPropose(inc("x"))
		c.Partition("a")
		c.Fault("pause b")
		c.Crash("c")
		c.On("c", "applied", func() { c.Crash("c") }) // no more then
	})
	require.Empty(t, failure)
	assert.Equal(t, 1, of(c, "c", "x"))
}
