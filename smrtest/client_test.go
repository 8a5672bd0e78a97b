package smrtest

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr"
)

func TestClientLeavesAReplicaThatIsOfNoUse(t *testing.T) {
	for name, spoil := range map[string]func(c *Group[*counts], id smr.ID){
		"down":    func(c *Group[*counts], id smr.ID) { c.Fault("crash %s", id) },
		"paused":  func(c *Group[*counts], id smr.ID) { c.Fault("pause %s", id) },
		"cut off": func(c *Group[*counts], id smr.ID) { c.Partition(id) },
		"wiped":   func(c *Group[*counts], id smr.ID) { c.Fault("wipe %s", id) },
	} {
		t.Run(name, func(t *testing.T) {
			c := New(t, 3, newCounts)
			cl := c.Client()
			cl.MustPropose(inc("x"))
			spoil(c, "a")
			before := c.Now()
			assert.Equal(t, "2", string(cl.MustPropose(inc("x"))))
			assert.Less(t, c.Now()-before, 10*time.Second)
			cl.MustRead(smr.Linearizable, func(m *counts) { assert.Equal(t, 2, m.N["x"]) })
		})
	}
}

func TestClientAtStaysThere(t *testing.T) {
	c := New(t, 3, newCounts)
	cl := c.Client("b")
	cl.MustPropose(inc("x"))
	c.Fault("crash b")
	_, err := cl.Propose(inc("x"))
	assert.ErrorIs(t, err, smr.ErrNotApplied)
	assert.ErrorIs(t, err, smr.ErrClosed)
	assert.ErrorIs(t, cl.Read(smr.Local, func(*counts) { t.Error("read") }), smr.ErrClosed)
	c.Restart("b")
	assert.Equal(t, "2", string(cl.MustPropose(inc("x"))))
}

func TestOutcomes(t *testing.T) {
	t.Run("unknown, for the replica went down", func(t *testing.T) {
		c := New(t, 3, newCounts)
		call := c.Client("b").Start(inc("x"))
		c.Once("b", "sent Request", func() { c.Fault("crash b") })
		_, err := call.Wait()
		assert.ErrorIs(t, err, smr.ErrUnknown)
		assert.ErrorIs(t, err, smr.ErrClosed)
		assert.NotErrorIs(t, err, smr.ErrNotApplied)
	})
	t.Run("unknown, for patience ran out", func(t *testing.T) {
		c := New(t, 3, newCounts)
		p := c.Primary()
		cl := c.Client(p)
		cl.MustPropose(inc("x"))
		c.Partition(p)
		cl.Patience = 300 * time.Millisecond
		_, err := cl.Propose(inc("x"))
		assert.ErrorIs(t, err, smr.ErrUnknown)
		assert.ErrorIs(t, err, context.DeadlineExceeded)
	})
	t.Run("not applied, for nobody was there", func(t *testing.T) {
		c := New(t, 3, newCounts)
		c.Fault("crash a")
		c.Fault("crash b")
		c.Run(10 * time.Second)
		_, err := c.Client().Propose(inc("x"))
		assert.ErrorIs(t, err, smr.ErrNotApplied)
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Zero(t, of(c, "c", "x"))
	})
	t.Run("unknown, for the replica is paused", func(t *testing.T) {
		c := New(t, 3, newCounts)
		c.Fault("pause b")
		_, err := c.Client("b").Propose(inc("x"))
		assert.ErrorIs(t, err, smr.ErrUnknown)
	})
	t.Run("too large", func(t *testing.T) {
		c := New(t, 3, newCounts)
		_, err := c.Client().Propose(make([]byte, 1<<20+1))
		assert.ErrorIs(t, err, smr.ErrTooLarge)
		assert.ErrorIs(t, err, smr.ErrNotApplied)
	})
}

func TestCallsUnderWay(t *testing.T) {
	c := New(t, 3, newCounts)
	var calls []*Call
	for range 3 {
		calls = append(calls, c.Client().Start(inc("x")))
	}
	require.False(t, calls[0].Done())
	require.Zero(t, calls[0].Op())
	c.CrashPrimary()
	for _, call := range calls[1:] { // those at backups
		if strings.Contains(call.String(), string(c.Primary())) {
			result, err := call.Wait()
			require.NoError(t, err)
			assert.NotEmpty(t, result)
			assert.Positive(t, call.Op())
		}
	}
}

func TestEmptyBodiesAreOperations(t *testing.T) {
	c := New(t, 3, newCounts)
	assert.Equal(t, "1", string(c.Client().MustPropose(nil)))
	assert.Equal(t, "2", string(c.Client().MustPropose([]byte{})))
}

func TestReads(t *testing.T) {
	c := New(t, 3, newCounts)
	call := c.Client().Start(inc("x"))
	_, err := call.Wait()
	require.NoError(t, err)
	count := -1
	look := func(m *counts) { count = m.N["x"] }
	for _, id := range c.Members() {
		cl := c.Client(id)
		require.NoError(t, cl.Read(smr.Linearizable, look))
		assert.Equal(t, 1, count)
	}
	p := c.Primary()
	c.Partition(p)
	c.Client().MustPropose(inc("x"))
	cut := c.Client(p)
	require.NoError(t, cut.Read(smr.Local, look))
	assert.Equal(t, 1, count, "it cannot know better")
	require.NoError(t, cut.Read(smr.AtLeast(call.Op()), look))
	assert.Equal(t, 1, count)
	count = -1
	assert.ErrorIs(t, cut.Read(smr.Linearizable, look), context.DeadlineExceeded)
	assert.ErrorIs(t, cut.Read(smr.AtLeast(call.Op()+1000), look), context.DeadlineExceeded)
	c.Heal()
	c.Settle()
	assert.Equal(t, -1, count, "a read was given up and ran all the same")
	require.NoError(t, cut.Read(smr.Local, look))
	assert.Equal(t, 2, count)
}
