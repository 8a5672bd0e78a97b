package conform

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr"
	"github.com/smr-go/smr/smrtest/internal/failing"
)

// inBubbleOf runs a test of a group of real replicas in virtual time.
func inBubbleOf(t *testing.T, n int, run func(t *testing.T, c *Real[*diary])) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { run(t, NewReal(t, n, newDiary, nil)) })
}

// written returns how many pages of its diary a replica has written, whether it is behind or not.
func written(t *testing.T, c *Real[*diary], id smr.ID) (n int) {
	t.Helper()
	require.NoError(t, c.Replica(id).Read(t.Context(), smr.Local, func() { n = len(c.Machine(id).read()) }))
	return n
}

var page = []byte("x")

// Callers find their replicas while the test takes others down.
func TestRealIsFoundByCallers(t *testing.T) {
	inBubbleOf(t, 3, func(t *testing.T, c *Real[*diary]) {
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
	inBubbleOf(t, 3, func(t *testing.T, c *Real[*diary]) {
		assert.Equal(t, "1", string(c.MustPropose("b", page)))
		old := c.CrashPrimary()
		p := c.Primary()
		assert.NotEqual(t, old, p)
		assert.Equal(t, "2", string(c.MustPropose(p, page)))
		c.Restart(old)
		c.Settle()
		assert.NoError(t, c.Replica(old).Read(t.Context(), smr.Linearizable, func() {
			assert.Equal(t, 2, len(c.Machine(old).read()))
		}))
	})
}

func TestRealPartitions(t *testing.T) {
	inBubbleOf(t, 5, func(t *testing.T, c *Real[*diary]) {
		p := c.Primary()
		c.Partition(p)
		time.Sleep(5 * time.Second)
		next := c.Primary()
		assert.NotEqual(t, p, next)
		c.MustPropose(next, page)
		assert.Zero(t, written(t, c, p))
		c.Crash(p) // and stays cut off when it is back
		c.Restart(p)
		time.Sleep(5 * time.Second)
		assert.Zero(t, written(t, c, p))
		c.Heal()
		c.Cut("a", "b")
		c.CutOneWay("b", "c")
		c.Disturb(Disturbance{Lose: 0.1, MaxDelay: 5 * time.Millisecond})
		c.MustPropose(c.Primary(), page)
		c.Disturb(Disturbance{})
		c.Heal()
		c.Settle()
	})
}

func TestRealGroupRestartsWhole(t *testing.T) {
	inBubbleOf(t, 3, func(t *testing.T, c *Real[*diary]) {
		c.MustPropose("a", page)
		c.Crash(c.Members()...)
		c.Restart()
		c.Restart("b") // one that is up
		assert.Equal(t, "2", string(c.MustPropose("b", page)))
	})
}

func TestRealIsConfigured(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := NewReal(t, 1, newDiary, func(cfg *smr.Config) { cfg.SnapshotEvery = 5 })
		for range 20 {
			c.MustPropose("a", page)
		}
		time.Sleep(time.Second)
		assert.Positive(t, c.Replica("a").Status().Snapshot)
	})
}

// Time passes while a Read, or Apply, sleeps and others wait for the state.
func TestTimePassesWhileTheStateIsInUse(t *testing.T) {
	inBubbleOf(t, 3, func(t *testing.T, c *Real[*diary]) {
		reads := make(chan error)
		go func() {
			reads <- c.Replica("a").Read(t.Context(), smr.Local, func() { time.Sleep(time.Second) })
		}()
		synctest.Wait()
		began := time.Now()
		assert.Equal(t, "1", string(c.MustPropose("a", page)), "it is applied once the reader is done")
		assert.GreaterOrEqual(t, time.Since(began), time.Second)
		assert.NoError(t, <-reads)

		sleepy := []byte(sleeps)
		go c.MustPropose("a", sleepy)
		time.Sleep(100 * time.Millisecond)
		assert.Equal(t, 2, written(t, c, "a"), "it is read once Apply is done")
	})
}

// nextSalt is what each salted machine adds.
var nextSalt int

// A problem of a real group, or a call that is not possible, fails the test with its reason.
func TestRealFailures(t *testing.T) {
	salted := func() *diary {
		nextSalt++
		return &diary{pages: []string{fmt.Sprint(nextSalt)}}
	}
	mute := func() *diary { return &diary{mute: true} }
	for name, x := range map[string]struct {
		new  func() *diary
		run  func(c *Real[*diary])
		want string
	}{
		"states differ":   {salted, func(c *Real[*diary]) { c.Settle() }, "the states of a and b are not equal"},
		"no snapshot":     {mute, func(c *Real[*diary]) { c.Settle() }, "out of paper"},
		"no quorum":       {newDiary, func(c *Real[*diary]) { c.Crash("a", "b"); c.MustPropose("c", page) }, "a  down"},
		"no primary":      {newDiary, func(c *Real[*diary]) { c.Partition("a"); c.Partition("b"); c.Primary() }, "no majority has followed a primary within a minute"},
		"cut off":         {newDiary, func(c *Real[*diary]) { c.Partition("b"); c.MustPropose(c.Primary(), page); c.Settle() }, "a does not hear b"},
		"all down":        {newDiary, func(c *Real[*diary]) { c.Stop(c.Members()...); c.Settle() }, "no replica is up"},
		"down":            {newDiary, func(c *Real[*diary]) { c.Stop("b"); c.Replica("b") }, "b is down: Restart it first"},
		"no such replica": {newDiary, func(c *Real[*diary]) { c.Crash("z") }, `there is no replica "z"`},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				failure := failing.Test(t, func(t testing.TB) { x.run(NewReal(t, 3, x.new, nil)) })
				assert.Contains(t, failure, x.want)
			})
		})
	}
	failure := failing.Test(t, func(t testing.TB) { NewReal(t, 0, newDiary, nil) })
	assert.Contains(t, failure, "a group has 1 to 7 replicas, not 0")
}

func TestMisuseOfARealGroup(t *testing.T) {
	for want, do := range map[string]func(c *Real[*diary]){
		"no link from a to itself":        func(c *Real[*diary]) { c.Cut("a", "a") },
		"3 of 3 replicas are on one side": func(c *Real[*diary]) { c.Partition("a", "b", "c") },
		"none on the other":               func(c *Real[*diary]) { c.Partition() },
		"parts, from 0 to 1":              func(c *Real[*diary]) { c.Disturb(Disturbance{Lose: 2.5}) },
		"delays are not negative":         func(c *Real[*diary]) { c.Disturb(Disturbance{MaxDelay: -1}) },
	} {
		t.Run(want, func(t *testing.T) {
			assert.Contains(t, failing.Test(t, func(t testing.TB) { do(NewReal(t, 3, newDiary, nil)) }), want)
		})
	}
}

// A function or Transport that is nil is named.
func TestMisuseByNil(t *testing.T) {
	assert.Contains(t, failing.Test(t, func(t testing.TB) { NewReal[*diary](t, 3, nil, nil) }), "new is nil")
	s := Shake(nil, 1)
	assert.ErrorContains(t, s.Open(smr.Endpoint{ID: "a"}), "tr is nil")
	s.Send("b", nil)
	assert.NoError(t, s.Close())
}
