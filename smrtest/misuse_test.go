package smrtest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/smr-go/smr"
	"github.com/smr-go/smr/smrtest/internal/failing"
)

// An argument that makes no sense fails the test at once, with its value and the possible ones.
func TestMisuseOfAGroup(t *testing.T) {
	for want, do := range map[string]func(c *Group[*counts]){
		"Run: -1s is negative":                                   func(c *Group[*counts]) { c.Run(-time.Second) },
		"RunUntil: cond is nil":                                  func(c *Group[*counts]) { c.RunUntil(nil) },
		"Always: check is nil":                                   func(c *Group[*counts]) { c.Always(nil) },
		"Read: f is nil":                                         func(c *Group[*counts]) { c.Client().Read(smr.Linearizable, nil) },
		"Read: f is nil; give":                                   func(c *Group[*counts]) { c.Client().MustRead(smr.Local, nil) },
		"On and Once: do is nil":                                 func(c *Group[*counts]) { c.On("a", "saved", nil) },
		"On and Once: do is nil; give":                           func(c *Group[*counts]) { c.Once("a", "saved", nil) },
		`Fault("explode a"): "explode" is not a kind of fault`:   func(c *Group[*counts]) { c.Fault("explode a") },
		`: there is no replica "z": the group has a, b and c`:    func(c *Group[*counts]) { c.Fault("pause z") },
		`: there is no replica "d": the group has a, b and c`:    func(c *Group[*counts]) { c.Fault("slow-disk d by 30ms") },
		`: there is no replica "e": the group has a, b and c`:    func(c *Group[*counts]) { c.Fault("split-one-way of e") },
		"a replica is missing: write cut a b":                    func(c *Group[*counts]) { c.Fault("cut a") },
		"rot-log needs the number of an operation: rot-log a n ": func(c *Group[*counts]) { c.Fault("rot-log a") },
		"the next one, or higher, not 0":                         func(c *Group[*counts]) { c.Fault("fail-sync a n 0") },
		"the next one, or higher, not -3":                        func(c *Group[*counts]) { c.Fault("fail-sync a n -3") },
		"times must not be negative":                             func(c *Group[*counts]) { c.Fault("fail-writes a for -1s") },
		"by -1s is negative":                                     func(c *Group[*counts]) { c.Fault("slow-disk a by -1s") },
		"give a time: suspend a for 5s":                          func(c *Group[*counts]) { c.Fault("suspend a") },
		"by -2s is negative":                                     func(c *Group[*counts]) { c.Fault("slow-turns a by -2s") },
		"by -3s is negative":                                     func(c *Group[*counts]) { c.Fault("slow-link a b by -3s") },
		"to 1000/1000, not 2500/1000":                            func(c *Group[*counts]) { c.Fault("lossy-link a b losing 2500/1000") },
		"to 1000/1000, not -1/1000":                              func(c *Group[*counts]) { c.Fault("lossy-link a b losing -1/1000") },
		"a has no link to itself":                                func(c *Group[*counts]) { c.Fault("cut a a") },
		"b has no link to itself":                                func(c *Group[*counts]) { c.Fault("mend b b") },
		"some of the replicas a to c":                            func(c *Group[*counts]) { c.Fault("split of a,b,c") },
		"a to c, and not all":                                    func(c *Group[*counts]) { c.Fault("split-one-way of a,b,c") },
		"one side must be some":                                  func(c *Group[*counts]) { c.Partition() },
		"Partition: one side must be some":                       func(c *Group[*counts]) { c.Partition("a", "b", "c") },
		`"stored" is not a moment: the`:                          func(c *Group[*counts]) { c.On("a", "stored", func() {}) },
		"only sent and received have":                            func(c *Group[*counts]) { c.On("a", "saved Prepare", func() {}) },
		"a client uses one replica":                              func(c *Group[*counts]) { c.Client("a", "b") },
		"one set of options, not 2":                              func(c *Group[*counts]) { New(c.t, 3, newCounts, Options{}, Options{}) },
	} {
		t.Run(want, func(t *testing.T) {
			failure := failing.Test(t, func(t testing.TB) { do(New(t, 3, newCounts)) })
			assert.Contains(t, failure, "smrtest: ")
			assert.Contains(t, failure, want)
		})
	}
}

// A function that is nil is named.
func TestMisuseByNil(t *testing.T) {
	assert.Contains(t, failing.Test(t, func(t testing.TB) { New[*counts](t, 3, nil) }), "new is nil")
}
