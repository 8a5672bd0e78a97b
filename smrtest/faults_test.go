package smrtest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr"
)

// backups returns the replicas that are up but for the primary.
func backups(c *Group[*counts]) (ids []smr.ID) {
	p := c.Primary()
	for _, id := range c.Members() {
		if id != p && c.Status(id).Phase != smr.Stopped {
			ids = append(ids, id)
		}
	}
	return ids
}

func TestAllReplicasCrashAtOnce(t *testing.T) {
	c := New(t, 5, newCounts)
	cl := c.Client()
	cl.MustPropose(inc("x"))
	c.Crash()
	for _, id := range c.Members() {
		assert.Equal(t, smr.Stopped, c.Status(id).Phase)
	}
	c.Restart()
	assert.Equal(t, "2", string(cl.MustPropose(inc("x"))))
}

func TestKillAndStop(t *testing.T) {
	c := New(t, 3, newCounts)
	cl := c.Client()
	cl.MustPropose(inc("x"))
	p := c.Primary()
	c.Fault("stop %s", p)
	assert.Equal(t, smr.Stopped, c.Status(p).Phase)
	cl.MustPropose(inc("x"))
	c.Restart(p)
	c.Settle()
	c.Fault("crash %s", p)
	c.Restart(p, backups(c)[0]) // one that is up, too
	c.Settle()
	assert.Equal(t, 2, of(c, p, "x"))
}

func TestPauseLasts(t *testing.T) {
	c := New(t, 3, newCounts)
	p := c.Primary()
	c.Fault("pause %s", p)
	c.Run(10 * time.Minute)
	assert.NotEqual(t, p, c.Primary())
	c.Client().MustPropose(inc("x"))
	assert.Zero(t, of(c, p, "x"))
	c.Fault("resume %s", p)
	c.Settle()
	assert.Equal(t, 1, of(c, p, "x"))
}

func TestWhoIsKilledIsNotPausedAnyMore(t *testing.T) {
	c := New(t, 3, newCounts)
	c.Fault("pause b")
	c.Fault("pause c")
	c.Crash("b")
	c.Restart("b")
	c.Fault("resume c")
	c.Settle()
}

func TestSuspendedAndSlowMachines(t *testing.T) {
	c := New(t, 3, newCounts)
	p := c.Primary()
	c.Fault("suspend %s for 5s", p)
	c.Client().MustPropose(inc("x"))
	assert.NotEqual(t, p, c.Primary())
	c.Fault("slow-turns %s by 50ms", c.Primary())
	before := c.Now()
	c.Client().MustPropose(inc("x"))
	assert.Greater(t, c.Now()-before, 10*time.Millisecond)
	c.Fault("slow-turns %s by 0s", c.Primary())
	c.Run(5 * time.Second)
	c.Settle()
}

func TestHandover(t *testing.T) {
	c := New(t, 3, newCounts)
	for _, to := range []smr.ID{"b", "c", "a", "a"} {
		c.Fault("hand-over %s %s", c.Primary(), to)
		assert.Equal(t, to, c.Primary())
	}
	c.Fault("hand-over a any")
	assert.NotEqual(t, smr.ID("a"), c.Primary())
}

func TestPartitions(t *testing.T) {
	c := New(t, 5, newCounts)
	cl := c.Client()
	p := c.Primary()
	other := backups(c)[0]
	c.Partition(p, other)
	c.Run(5 * time.Second)
	next := c.Primary()
	assert.NotContains(t, []smr.ID{p, other}, next)
	assert.Equal(t, "1", string(cl.MustPropose(inc("x"))))
	assert.Zero(t, of(c, p, "x"))
	c.Heal()
	c.Settle()
	assert.Equal(t, 1, of(c, p, "x"))
	c.Partition("a")
	c.Partition("b")
	assert.False(t, c.talk(0, 1), "two sides, and the rest")
	cl.MustPropose(inc("x"))
}

func TestLinks(t *testing.T) {
	c := New(t, 3, newCounts)
	c.Fault("cut a b")
	assert.True(t, c.s.Reaches(1, 0))
	assert.False(t, c.s.Reaches(0, 1))
	c.Fault("mend a b")
	assert.True(t, c.talk(0, 1))
	c.Fault("cut a c for 1s")
	assert.False(t, c.talk(0, 2))
	c.Run(time.Second)
	assert.True(t, c.talk(0, 2))
	c.Fault("isolate c")
	assert.False(t, c.s.Reaches(2, 0) || c.s.Reaches(0, 2))
	c.Heal()
	c.Settle()

	p := c.Primary()
	slow := func() time.Duration {
		before := c.Now()
		c.Client(p).MustPropose(inc("x"))
		return c.Now() - before
	}
	for _, id := range backups(c) {
		c.Fault("slow-link %s %s by 20ms", p, id)
		c.Fault("slow-link %s %s by 20ms", id, p)
	}
	assert.Greater(t, slow(), 40*time.Millisecond)
	for _, id := range backups(c) {
		c.Fault("slow-link %s %s by 0s", p, id)
		c.Fault("slow-link %s %s by 0s", id, p)
	}
	assert.Less(t, slow(), 40*time.Millisecond)

	for _, id := range backups(c) {
		c.Fault("lossy-link %s %s losing 1000/1000", p, id)
	}
	c.Run(5 * time.Second)
	assert.NotEqual(t, p, c.Primary())
	c.Heal()
	c.Settle()
}

func TestFullDisk(t *testing.T) {
	c := New(t, 3, newCounts)
	full := backups(c)[0]
	c.Fault("full-disk %s", full)
	for range 300 {
		c.Client().MustPropose(inc("a name that is long enough to fill segments of the log soon"))
	}
	c.Run(time.Second)
	assert.Less(t, c.Status(full).Applied, c.Status(c.Primary()).Applied)
	assert.NotEmpty(t, c.Status(full).Problem)
	_, err := c.Client(full).Propose(inc("x"))
	assert.ErrorIs(t, err, smr.ErrNotApplied)
	assert.ErrorContains(t, err, "this replica's disk is full", "as smr.Replica.Propose returns it")
	c.Fault("space %s", full)
	c.Settle()
}

func TestSlowDisk(t *testing.T) {
	c := New(t, 3, newCounts)
	p := c.Primary()
	c.Fault("slow-disk %s by 1m", p)
	for range 3 {
		c.Client().MustPropose(inc("x"))
	}
	c.RunUntil(func() bool { return c.leading() >= 0 && c.names[c.leading()] != p })
	assert.NotEqual(t, p, c.Primary(), "a primary whose disk hangs gives up its role")
	c.Fault("slow-disk %s by 0s", p)
	c.Settle()
}

// A replica whose disk fails stops, and comes back when the disk does.
func TestFailingDisks(t *testing.T) {
	for name, fault := range map[string]string{
		"a sync": "fail-sync %s n 1",
		"writes": "fail-writes %s for 5s",
	} {
		t.Run(name, func(t *testing.T) {
			c := New(t, 3, newCounts)
			b := backups(c)[0]
			c.Fault(fault, b)
			cl := c.Client()
			cl.MustPropose(inc("x"))
			require.True(t, c.RunUntil(func() bool { return c.Status(b).Phase == smr.Stopped }))
			assert.Contains(t, c.Status(b).Problem, "by itself")
			c.Run(10 * time.Second)
			c.Settle()
			assert.Equal(t, 1, of(c, b, "x"))
		})
	}
	t.Run("reads", func(t *testing.T) {
		c := New(t, 3, newCounts)
		b := backups(c)[0]
		c.Fault("fail-reads %s for 5s", b)
		c.Fault("crash %s", b)
		c.Restart(b)
		assert.Equal(t, smr.Stopped, c.Status(b).Phase)
		c.Run(10 * time.Second)
		c.Settle()
	})
}

// Damage takes one replica out, and never an operation from the others.
func TestDamagedDisks(t *testing.T) {
	for name, faults := range map[string][]string{
		"an operation":      {"rot-log %s n %d"},
		"a lost write":      {"lost-in-log %s n %d"},
		"a misplaced write": {"misplaced-in-log %s n %d"},
		"the head":          {"rot-head %s n 0", "rot-head %s n 1"},
		"everything":        {"wipe %s"},
	} {
		t.Run(name, func(t *testing.T) {
			c := New(t, 3, newCounts)
			call := c.Client().Start(inc("x"))
			_, err := call.Wait()
			require.NoError(t, err)
			c.Run(time.Second)
			b := backups(c)[0]
			for _, fault := range faults {
				c.Fault("%s", fmt.Sprintf(strings.Replace(fault, "%d", fmt.Sprint(call.Op()), 1), b))
			}
			if c.Status(b).Phase != smr.Stopped {
				c.Restart(b)
			}
			assert.Contains(t, c.Status(b).Problem, "memory is lost")
			assert.Equal(t, "2", string(c.Client().MustPropose(inc("x"))))
			c.Settle()
		})
	}
}

func TestDamagedSnapshotIsNotUsed(t *testing.T) {
	c := New(t, 3, newCounts)
	for range 30 {
		c.Client().MustPropose(inc("x"))
	}
	c.Settle()
	b := backups(c)[0]
	require.Positive(t, c.Status(b).Snapshot)
	c.Fault("rot-snapshot %s", b)
	c.Fault("rot-head %s n 1", b)
	c.Restart(b)
	assert.Zero(t, c.Status(b).Snapshot)
	c.Settle()
	assert.Equal(t, 30, of(c, b, "x"), "log and the other copy of the head are enough")
}

func TestClocksJump(t *testing.T) {
	c := New(t, 3, newCounts)
	p := c.Primary()
	for _, by := range []time.Duration{48 * time.Hour, -96 * time.Hour} {
		c.Fault("clock-jump %s by %v", p, by)
		c.Client().MustPropose(inc("x"))
		c.Run(time.Second)
	}
	assert.Equal(t, p, c.Primary(), "no decision depends on the date")
}

// The primary crashes right after it has written an operation, before anybody else has it.
func TestOnceAtAMoment(t *testing.T) {
	c := New(t, 3, newCounts)
	p := c.Primary()
	crashes := 0
	c.Once(p, "saved", func() {
		crashes++
		assert.Equal(t, p, c.Primary())
		c.Crash(p)
	})
	call := c.Client(p).Start(inc("x"))
	_, err := call.Wait()
	assert.ErrorIs(t, err, smr.ErrUnknown)
	c.Restart(p)
	c.Client().MustPropose(inc("x"))
	c.Settle()
	assert.Equal(t, 1, crashes)
}

func TestMoments(t *testing.T) {
	c := New(t, 3, newCounts)
	p := c.Primary()
	heir := c.Members()[(c.host(p)+1)%3]
	counted := map[string]int{}
	for moment, id := range map[string]smr.ID{
		"sent Prepare": p, "sent": p, "received PrepareOK": p, "issued": p, "saved": p, "applied": p, "led": heir, "changes": heir,
	} {
		c.On(id, moment, func() { counted[moment]++ })
	}
	for range 5 {
		c.Client().MustPropose(inc("x"))
	}
	for _, name := range []string{"sent Prepare", "sent", "received PrepareOK", "issued", "saved", "applied"} {
		assert.GreaterOrEqual(t, counted[name], 5, name)
	}
	assert.Greater(t, counted["sent"], counted["sent Prepare"])
	assert.Zero(t, counted["changes"])
	c.Crash(p)
	c.Primary()
	c.Settle()
	assert.Positive(t, counted["changes"])
	assert.Equal(t, 1, counted["led"])
}
