package smrtest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/smr-go/smr"
	"github.com/smr-go/smr/smrtest/internal/failing"
)

// What cannot be meant fails the test at once, and says what was given and what is right.
func TestMisuseOfAGroup(t *testing.T) {
	for want, do := range map[string]func(c *Group[*counts]){
		"Run: -1s is negative":                      func(c *Group[*counts]) { c.Run(-time.Second) },
		"RunUntil: cond is nil":                     func(c *Group[*counts]) { c.RunUntil(nil) },
		"Always: check is nil":                      func(c *Group[*counts]) { c.Always(nil) },
		"Read: f is nil":                            func(c *Group[*counts]) { c.Client().Read(smr.Linearizable, nil) },
		"Read: f is nil; give":                      func(c *Group[*counts]) { c.Client().MustRead(smr.Local, nil) },
		"On and Once: do is nil":                    func(c *Group[*counts]) { c.On(Saved("a"), nil) },
		"On and Once: do is nil; give":              func(c *Group[*counts]) { c.Once(Saved("a"), nil) },
		"1 is the next sync; 0 has been":            func(c *Group[*counts]) { c.Disk("a").FailSync(0) },
		"1 is the next sync; -3 has been":           func(c *Group[*counts]) { c.Disk("a").FailSync(-3) },
		"FailReads: it must last, which 0s":         func(c *Group[*counts]) { c.Disk("a").FailReads(0) },
		"FailWrites: it must last, which -1s":       func(c *Group[*counts]) { c.Disk("a").FailWrites(-time.Second) },
		"Disk.Slow: -1s is negative":                func(c *Group[*counts]) { c.Disk("a").Slow(-time.Second) },
		"Suspend: it must last, which -1s":          func(c *Group[*counts]) { c.Suspend("a", -time.Second) },
		"Slow: -1s is negative":                     func(c *Group[*counts]) { c.Slow("a", -time.Second) },
		"Delay: -1s is negative":                    func(c *Group[*counts]) { c.Delay("a", "b", -time.Second) },
		"from 0.001 to 1, which 2.5 is not":         func(c *Group[*counts]) { c.Lose("a", "b", 2.5) },
		"from 0.001 to 1, which -1 is not":          func(c *Group[*counts]) { c.Lose("a", "b", -1) },
		"from 0.001 to 1, which 0.0005 is not":      func(c *Group[*counts]) { c.Lose("a", "b", 0.0005) },
		"no link from a to itself":                  func(c *Group[*counts]) { c.Cut("a", "a") },
		"no link from b to itself":                  func(c *Group[*counts]) { c.Mend("b", "b") },
		"no link from c to itself":                  func(c *Group[*counts]) { c.Delay("c", "c", time.Second) },
		"Partition: all 3 replicas are on one side": func(c *Group[*counts]) { c.Partition("a", "b", "c") },
	} {
		t.Run(want, func(t *testing.T) {
			failure := failing.Test(t, func(t testing.TB) { do(New(t, 3, newCounts)) })
			assert.Contains(t, failure, "smrtest: ")
			assert.Contains(t, failure, want)
		})
	}
}

// Nothing in the place of a function is told by its name.
func TestMisuseByNil(t *testing.T) {
	assert.Contains(t, failing.Test(t, func(t testing.TB) { New[*counts](t, 3, nil) }), "new is nil")
}
