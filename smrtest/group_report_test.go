package smrtest

import (
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr"
	"github.com/smr-go/smr/smrtest/internal/failing"
)

// Each mistake of a state machine is reported in words that name it, and the operation.
func TestBrokenMachinesAreReported(t *testing.T) {
	for bug, want := range map[string][]string{
		"panic":   {`op 7, "x"`, "Apply panicked: three is too many\n", "smrtest.(*counts).Apply("},
		"keeps":   {`op 4, "y"`, "Restore brings the whole state back"},
		"changes": {`op 4, "y"`, "Apply neither keeps nor changes op.Body"},
		"forgets": {`op 4, "y"`, "Restore brings the whole state back"},
		"thawed":  {`op 3, "x"`, "WriteTo writes the state as Snapshot found it"},
	} {
		t.Run(bug, func(t *testing.T) {
			failure := failing.Test(t, func(t testing.TB) {
				c := New(t, 3, buggy(bug))
				cl := c.Client()
				for range 25 {
					cl.MustPropose(inc("x"))
					cl.Start(inc("y"))
				}
				c.Crash()
				c.Restart()
				c.Settle()
			})
			assert.NotContains(t, failure, "a bug in smr")
			for _, part := range append(want, "broken rule: ", "with seed 1", "the replicas\n  a  ", "smrtest -run '^TestCounter$' -artifacts") {
				assert.Contains(t, failure, part)
			}
		})
	}
}

func TestInvariantsAreReported(t *testing.T) {
	failure := failing.Test(t, func(t testing.TB) {
		c := New(t, 3, newCounts)
		c.Always(func(m *counts) error {
			if m.N["x"] > 2 {
				return assert.AnError
			}
			return nil
		})
		for range 3 {
			c.Client().MustPropose(inc("x"))
		}
	})
	assert.Contains(t, failure, "the Invariant does not hold")
	assert.Contains(t, failure, assert.AnError.Error())
}

// A report lists the known obstacles, and what to do about them.
func TestWhatIsInTheWay(t *testing.T) {
	for name, x := range map[string]struct {
		run  func(c *Group[*counts])
		want []string
	}{
		"cut off": {func(c *Group[*counts]) { c.Partition("b"); c.Client().MustPropose(inc("x")); c.Settle() },
			[]string{"has not settled after 1m0s", "b does not hear a and c: Heal first"}},
		"paused": {func(c *Group[*counts]) { c.Fault("pause b"); c.Client().MustPropose(inc("x")); c.Settle() },
			[]string{"b is paused: Resume it"}},
		"too few": {func(c *Group[*counts]) { c.Crash("a", "b"); c.Client().MustPropose(inc("x")) },
			[]string{`MustPropose("x")`, "1 of 3 replicas are up, and a group of 3 needs 2: Restart some", "down: it has crashed at"}},
		"nobody": {func(c *Group[*counts]) { c.Crash(); c.Settle() },
			[]string{"no replica is up"}},
		"nobody to read from": {func(c *Group[*counts]) { c.Crash(); c.Client().MustRead(smr.Local, func(*counts) {}) },
			[]string{"MustRead", "0 of 3 replicas are up"}},
		"no primary": {func(c *Group[*counts]) { c.Partition("a"); c.Partition("b"); c.Primary() },
			[]string{"there is no primary", "a does not hear b and c"}},
		"full": {func(c *Group[*counts]) {
			for _, id := range c.Members() {
				c.Fault("full-disk %s", id)
			}
			for range 1000 {
				c.Client().MustPropose(make([]byte, 1000))
			}
		}, []string{"the disk is full"}},
		"nobody to propose to": {func(c *Group[*counts]) { c.Crash(); c.Client().MustPropose(inc("x")) },
			[]string{"0 of 3 replicas are up", `propose "x" at a: smr: not applied: smr: replica closed: a is down (1201 times, until 60.394 s)`}},
		"no handover": {func(c *Group[*counts]) { c.Crash("b"); c.Fault("hand-over %s b", c.Primary()) },
			[]string{"has not handed over after 1m0s"}},
		"unknown outcome": {func(c *Group[*counts]) {
			c.Client("b").MustPropose(inc("x"))
			c.Once("b", "sent Request", func() { c.Fault("crash b") })
			c.Client("b").MustPropose(inc("x"))
		}, []string{"outcome unknown", "b went down before it learned the outcome", "right after b sent Request: crash b"}},
	} {
		t.Run(name, func(t *testing.T) {
			failure := failing.Test(t, func(t testing.TB) { x.run(New(t, 3, newCounts)) })
			for _, part := range append(x.want, "to repeat it, with a picture: ") {
				assert.Contains(t, failure, part)
			}
		})
	}
}

// A call that is not possible fails the test, with the possible ones.
func TestWhatCannotBeDone(t *testing.T) {
	for name, x := range map[string]struct {
		run  func(c *Group[*counts])
		want string
	}{
		"no such replica":     {func(c *Group[*counts]) { c.Crash("z") }, `there is no replica "z": the group has a, b and c`},
		"no such client":      {func(c *Group[*counts]) { c.Client("z") }, `there is no replica "z"`},
		"crashed twice":       {func(c *Group[*counts]) { c.Crash("b"); c.Crash("b") }, "cannot crash b: b is down"},
		"no such message":     {func(c *Group[*counts]) { c.On("a", "sent Vote", func() {}) }, `"Vote" is not a kind of message: the kinds are Prepare, PrepareOK, `},
		"no such operation":   {func(c *Group[*counts]) { c.Fault("rot-log a n 99") }, "holds operations 1 to "},
		"no such write":       {func(c *Group[*counts]) { c.Fault("lost-in-log a n 99") }, "the log of a holds operations 1 to "},
		"no snapshot":         {func(c *Group[*counts]) { c.Fault("rot-snapshot a") }, "cannot rot-snapshot a: a has no snapshot"},
		"no such copy":        {func(c *Group[*counts]) { c.Fault("rot-head a n 2") }, "cannot rot-head a n 2: the head has no copy 2"},
		"no state":            {func(c *Group[*counts]) { c.Crash("a"); c.Machine("a") }, "a is down, and has no state"},
		"no memory":           {func(c *Group[*counts]) { c.Fault("wipe b"); c.Restart("b") }, "cannot start b: b has lost its memory"},
		"waiting in a moment": {func(c *Group[*counts]) { c.On("b", "applied", func() { c.Run(1) }); c.Client().MustPropose(nil) }, "Run cannot be called right after b applied: time does not pass there"},
		"waiting in a read": {func(c *Group[*counts]) {
			c.Client().MustRead(smr.Local, func(*counts) { c.Settle() })
		}, "Settle cannot be called in a function given to Read"},
		"waiting in a condition": {func(c *Group[*counts]) {
			c.RunUntil(func() bool { c.Run(time.Second); return true })
		}, "Run cannot be called in the condition of RunUntil"},
	} {
		t.Run(name, func(t *testing.T) {
			failure := failing.Test(t, func(t testing.TB) { x.run(New(t, 3, newCounts)) })
			assert.Contains(t, failure, x.want)
		})
	}
	failure := failing.Test(t, func(t testing.TB) { New(t, 8, newCounts) })
	assert.Contains(t, failure, "a group has 1 to 7 replicas, not 8")
	failure = failing.Test(t, func(t testing.TB) { New(t, 3, func() *counts { panic("no") }) })
	assert.Contains(t, failure, "panicked: no")
	failure = failing.Test(t, func(t testing.TB) { New(t, 3, buggy("no snapshot")) })
	assert.Contains(t, failure, "out of paper")
}

// Use of a group by two goroutines at once, or after the test, is reported as that alone.
func TestOneAtATime(t *testing.T) {
	failure := failing.Test(t, func(t testing.TB) {
		var c *Group[*meddler]
		meddle := sync.OnceFunc(func() {
			over := make(chan struct{})
			go func() {
				defer close(over)
				c.Crash("b")
			}()
			<-over
		})
		c = New(t, 3, func() *meddler { return &meddler{newCounts(), meddle} })
		c.Client().MustPropose(inc("x"))
	})
	assert.Equal(t, twoAtOnce, failure)
	failure = failing.Test(t, func(t testing.TB) {
		var c *Group[*counts]
		t.Cleanup(func() { c.Crash("a") })
		c = New(t, 1, newCounts)
	})
	assert.Equal(t, "smrtest: the group is used after the end of its test TestCounter", failure)
	failure = failing.Test(t, func(t testing.TB) {
		c := New(t, 1, newCounts)
		c.Always(func(*counts) error { c.Run(1); return nil })
		c.Client().MustPropose(inc("x"))
	})
	assert.Contains(t, failure, "Run cannot be called in a function given to Always")
}

// meddler does something else first.
type meddler struct {
	*counts
	meddle func()
}

func (m *meddler) Apply(op smr.Op) []byte {
	m.meddle()
	return m.counts.Apply(op)
}

// After a test has failed or was skipped, its group is not checked.
func TestNoChecksAfterAFailure(t *testing.T) {
	failure := failing.Test(t, func(t testing.TB) {
		c := New(t, 3, buggy("thawed"))
		c.Crash()
		t.Error("mine")
	})
	assert.Equal(t, "mine", failure)
	assert.Empty(t, failing.Test(t, func(t testing.TB) {
		New(t, 3, newCounts)
		t.SkipNow()
	}))
}

// With more memory lost than a group can lose nothing is expected of it at the end.
func TestBeyondTheBudget(t *testing.T) {
	assert.Empty(t, failing.Test(t, func(t testing.TB) {
		c := New(t, 3, newCounts)
		c.Client().MustPropose(inc("x"))
		c.Fault("wipe a")
		c.Fault("wipe b")
	}))
}

// A machine that breaks only in the end is found in the end.
func TestTheEndIsChecked(t *testing.T) {
	failure := failing.Test(t, func(t testing.TB) {
		c := New(t, 3, buggy("panic"))
		cl := c.Client()
		cl.MustPropose(inc("x"))
		cl.MustPropose(inc("x"))
		cl.Start(inc("x"))
	})
	assert.Contains(t, failure, "Apply panicked: three is too many")
	assert.Contains(t, failure, "the test is over")
}

// With go test -artifacts there is a picture of the run, of one that passes too.
func TestPicture(t *testing.T) {
	was := pictured
	pictured = func() bool { return true }
	defer func() { pictured = was }()
	assert.Empty(t, failing.Test(t, func(t testing.TB) {
		c := New(t, 3, newCounts)
		c.Fault("slow-disk b by 1s")
		c.Client().MustPropose(inc("x"))
		c.Fault("slow-disk b by 0s")
		c.Fault("pause c")
		cl := c.Client()
		cl.MustPropose(inc("x"))
		c.CrashPrimary()
		c.Run(time.Second)
		c.Fault("resume c")
		cl.MustPropose(inc("x"))
	}))
	page, err := os.ReadFile(filepath.Join(t.ArtifactDir(), "group.html"))
	require.NoError(t, err)
	assert.Contains(t, string(page), "TestCounter")
	assert.Contains(t, string(page), "slow-disk b by 1s")
	assert.Contains(t, string(page), `"crash a"`, "as the report calls it")
	assert.NotContains(t, string(page), "power-cut")
	assert.Contains(t, string(page), `"unit":"step"`)
	assert.Contains(t, string(page), `"caller 2 at b"`)
}
