package smrtest

import (
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
	c.CrashAll()
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
	c.Stop(p)
	assert.Equal(t, smr.Stopped, c.Status(p).Phase)
	cl.MustPropose(inc("x"))
	c.Restart(p)
	c.Settle()
	c.Kill(p)
	c.Restart(p, backups(c)[0]) // one that is up, too
	c.Settle()
	assert.Equal(t, 2, of(c, p, "x"))
}

func TestPauseLasts(t *testing.T) {
	c := New(t, 3, newCounts)
	p := c.Primary()
	c.Pause(p)
	c.Run(10 * time.Minute)
	assert.NotEqual(t, p, c.Primary())
	c.Client().MustPropose(inc("x"))
	assert.Zero(t, of(c, p, "x"))
	c.Resume(p)
	c.Settle()
	assert.Equal(t, 1, of(c, p, "x"))
}

func TestWhoIsKilledIsNotPausedAnyMore(t *testing.T) {
	c := New(t, 3, newCounts)
	c.Pause("b", "c")
	c.Crash("b")
	c.Restart("b")
	c.Resume()
	c.Settle()
}

func TestSuspendedAndSlowMachines(t *testing.T) {
	c := New(t, 3, newCounts)
	p := c.Primary()
	c.Suspend(p, 5*time.Second)
	c.Client().MustPropose(inc("x"))
	assert.NotEqual(t, p, c.Primary())
	c.Slow(c.Primary(), 50*time.Millisecond)
	before := c.Now()
	c.Client().MustPropose(inc("x"))
	assert.Greater(t, c.Now()-before, 10*time.Millisecond)
	c.Slow(c.Primary(), 0)
	c.Run(5 * time.Second)
	c.Settle()
}

func TestHandover(t *testing.T) {
	c := New(t, 3, newCounts)
	for _, to := range []smr.ID{"b", "c", "a", "a"} {
		c.Handover(to)
		assert.Equal(t, to, c.Primary())
	}
	c.Handover("")
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
	c.CutOneWay("a", "b")
	assert.True(t, c.s.Reaches(1, 0))
	assert.False(t, c.s.Reaches(0, 1))
	c.Mend("a", "b")
	assert.True(t, c.talk(0, 1))
	c.Cut("a", "c")
	assert.False(t, c.s.Reaches(2, 0) || c.s.Reaches(0, 2))
	c.Heal()
	c.Settle()

	p := c.Primary()
	slow := func() time.Duration {
		before := c.Now()
		c.ClientAt(p).MustPropose(inc("x"))
		return c.Now() - before
	}
	for _, id := range backups(c) {
		c.Delay(p, id, 20*time.Millisecond)
	}
	assert.Greater(t, slow(), 40*time.Millisecond)
	for _, id := range backups(c) {
		c.Delay(p, id, 0)
	}
	assert.Less(t, slow(), 40*time.Millisecond)

	for _, id := range backups(c) {
		c.Lose(p, id, 1)
	}
	c.Run(5 * time.Second)
	assert.NotEqual(t, p, c.Primary())
	c.Heal()
	c.Settle()
}

func TestFullDisk(t *testing.T) {
	c := New(t, 3, newCounts)
	full := backups(c)[0]
	c.Disk(full).Fill()
	for range 300 {
		c.Client().MustPropose(inc("a name that is long enough to fill segments of the log soon"))
	}
	c.Run(time.Second)
	assert.Less(t, c.Status(full).Applied, c.Status(c.Primary()).Applied)
	assert.NotEmpty(t, c.Status(full).Problem)
	c.Disk(full).Free()
	c.Settle()
}

func TestSlowDisk(t *testing.T) {
	c := New(t, 3, newCounts)
	p := c.Primary()
	c.Disk(p).Slow(time.Minute)
	for range 3 {
		c.Client().MustPropose(inc("x"))
	}
	c.RunUntil(func() bool { return c.s.Primary() >= 0 && c.names[c.s.Primary()] != p })
	assert.NotEqual(t, p, c.Primary(), "a primary whose disk hangs gives up its role")
	c.Disk(p).Slow(0)
	c.Settle()
}

// A replica whose disk fails stops, and comes back when the disk does.
func TestFailingDisks(t *testing.T) {
	for name, fail := range map[string]func(d *Disk){
		"a sync": func(d *Disk) { d.FailSync(1) },
		"writes": func(d *Disk) { d.FailWrites(5 * time.Second) },
	} {
		t.Run(name, func(t *testing.T) {
			c := New(t, 3, newCounts)
			b := backups(c)[0]
			fail(c.Disk(b))
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
		c.Disk(b).FailReads(5 * time.Second)
		c.Kill(b)
		c.Restart(b)
		assert.Equal(t, smr.Stopped, c.Status(b).Phase)
		c.Run(10 * time.Second)
		c.Settle()
	})
}

// Damage takes one replica out, and never an operation from the others.
func TestDamagedDisks(t *testing.T) {
	for name, damage := range map[string]func(d *Disk, op uint64){
		"an operation":      func(d *Disk, op uint64) { d.FlipBit(op) },
		"a lost write":      func(d *Disk, op uint64) { d.LoseWrite(op) },
		"a misplaced write": func(d *Disk, op uint64) { d.MisplaceWrite(op) },
		"the head":          func(d *Disk, op uint64) { d.FlipHeadBit(0); d.FlipHeadBit(1) },
		"everything":        func(d *Disk, op uint64) { d.Wipe() },
	} {
		t.Run(name, func(t *testing.T) {
			c := New(t, 3, newCounts)
			call := c.Client().Start(inc("x"))
			_, err := call.Wait()
			require.NoError(t, err)
			c.Run(time.Second)
			b := backups(c)[0]
			damage(c.Disk(b), call.Op())
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
	c.Disk(b).FlipSnapshotBit()
	c.Disk(b).FlipHeadBit(1)
	c.Restart(b)
	assert.Zero(t, c.Status(b).Snapshot)
	c.Settle()
	assert.Equal(t, 30, of(c, b, "x"), "log and the other copy of the head are enough")
}

func TestClocksJump(t *testing.T) {
	c := New(t, 3, newCounts)
	p := c.Primary()
	for _, by := range []time.Duration{48 * time.Hour, -96 * time.Hour} {
		c.Clock(p).Jump(by)
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
	c.Once(Saved(p), func() {
		crashes++
		assert.Equal(t, p, c.Primary())
		c.Crash(p)
	})
	call := c.ClientAt(p).Start(inc("x"))
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
	for name, m := range map[string]Moment{
		"sent": Sent("Prepare", p), "sent anything": Sent("", p), "received": Received("PrepareOK", p),
		"saving": Saving(p), "saved": Saved(p), "applied": Applied(p), "led": Led(heir), "doubted": Doubted(heir),
	} {
		c.On(m, func() { counted[name]++ })
	}
	for range 5 {
		c.Client().MustPropose(inc("x"))
	}
	for _, name := range []string{"sent", "sent anything", "received", "saving", "saved", "applied"} {
		assert.GreaterOrEqual(t, counted[name], 5, name)
	}
	assert.Greater(t, counted["sent anything"], counted["sent"])
	assert.Zero(t, counted["doubted"])
	c.Crash(p)
	c.Primary()
	c.Settle()
	assert.Positive(t, counted["doubted"])
	assert.Equal(t, 1, counted["led"])
}
