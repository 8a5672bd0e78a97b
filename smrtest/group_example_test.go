package smrtest_test

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/smr-go/smr"
	"github.com/smr-go/smr/smrtest"
)

// counter is the state machine to be tested: every operation adds one, and returns the count.
type counter struct{ n int }

func newCounter() *counter { return &counter{} }

func (c *counter) Apply(smr.Op) []byte            { c.n++; return fmt.Append(nil, c.n) }
func (c *counter) Snapshot() (io.WriterTo, error) { return strings.NewReader(fmt.Sprint(c.n)), nil }
func (c *counter) Restore(r io.Reader) error      { _, err := fmt.Fscan(r, &c.n); return err }

var inc = []byte("inc")

// The primary crashes, and another takes its place.
func testFailover(t *testing.T) {
	c := smrtest.New(t, 3, newCounter)
	cl := c.Client()
	cl.MustPropose(inc)

	old := c.CrashPrimary() // loses writes that were not synced
	assert.Equal(t, "2", string(cl.MustPropose(inc)))

	c.Restart(old)
	c.Settle() // all have caught up, and their states are equal
	assert.Equal(t, 2, c.Machine(old).n)
}

// The primary is cut off, and the others go on without it.
func testPartition(t *testing.T) {
	c := smrtest.New(t, 5, newCounter)
	p := c.Primary()
	c.Partition(p)
	c.Run(5 * time.Second)
	c.Client().MustPropose(inc) // at the side of the majority

	alone := c.Client(p)
	err := alone.Read(smr.Linearizable, func(*counter) {})
	assert.Error(t, err, "what it would read is not fresh")

	c.Heal()
	alone.MustRead(smr.Linearizable, func(m *counter) { assert.Equal(t, 1, m.n) })
}

// The primary crashes at the worst moment: the operation is on its disk, and no other replica has it.
func testUnluckyCrash(t *testing.T) {
	c := smrtest.New(t, 3, newCounter)
	p := c.Primary()
	cl := c.Client(p)
	cl.MustPropose(inc)

	c.Once(p, "saved", func() { c.Crash(p) })
	_, err := cl.Propose(inc)
	assert.ErrorIs(t, err, smr.ErrUnknown)

	c.Restart(p)
	cl.MustRead(smr.Linearizable, func(m *counter) {
		assert.Contains(t, []int{1, 2}, m.n, "applied once, or never")
	})
}

// Tests of a replicated counter. In a package of your own they are called TestFailover and so on.
// Each runs a simulated group in virtual time, in a few milliseconds, and is the same run every
// time.
func Example() {
	_, _, _ = testFailover, testPartition, testUnluckyCrash
}
