package smr

import (
	"bytes"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr/internal/sim/judge"
	"github.com/smr-go/smr/internal/vsr"
)

// checker checks a seeded run: the judge, and what the observers of the replicas share.
type checker struct {
	x *seeded

	mu        sync.Mutex
	judge     *judge.Judge
	reference *tally
	digests   map[uint64]uint64 // of the reference, by op
	executed  map[string]request
	seen      vsr.OpNumber  // the highest op of a command that a caller has the result of
	header    string        // of a member's state in the end
	violation error         // the first
	at        time.Duration // of the violation
	began     time.Time
	observers map[ID]*observer // of the running, and of those that ran last
	lost      map[ID]bool      // their memory is gone
	rotten    map[ID]bool      // their disks are damaged, which may cost them their memory
}

// request names a command in the log.
type request struct{ session, number uint64 }

func newChecker(x *seeded) *checker {
	c := &checker{x: x, reference: &tally{given: map[*byte]bool{}}, digests: map[uint64]uint64{},
		executed: map[string]request{}, began: time.Now(), observers: map[ID]*observer{}, lost: map[ID]bool{}, rotten: map[ID]bool{}}
	members := (&Config{Members: x.members}).membership()
	c.judge = judge.New(judge.Config{Members: members, Reference: c, Distinct: true})
	return c
}

// locked calls f alone.
func (c *checker) locked(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f()
}

// found notes a violation.
func (c *checker) found(err error) {
	if err != nil && c.violation == nil {
		c.violation, c.at = err, time.Since(c.began)
	}
}

// Commit executes the committed log on the reference, for the judge.
func (c *checker) Commit(e *vsr.Entry, executed bool) (result []byte, digest uint64, err error) {
	if executed {
		result = c.reference.Apply(Op{Number: uint64(e.Op), Body: e.Body})
		c.digests[uint64(e.Op)] = c.reference.digest
		c.executed[string(e.Body)] = request{e.Session, e.Request}
	}
	return result, c.reference.digest, nil
}

// check fails the test if something was wrong, or if too little happened.
func (c *checker) check(t *testing.T) {
	c.mu.Lock()
	defer c.mu.Unlock()
	require.NoError(t, c.violation, "after %v", c.at)
	if len(c.lost) == 0 {
		require.NotZero(t, c.judge.Executed(), "nothing was executed")
	}
}

// fewer reports whether members that have lost their memory stay out of the group.
func (c *checker) fewer() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.lost) > 0
}

// sameState compares a member's state with the reference's, and what belongs to it with the other members'.
func (c *checker) sameState(id ID) {
	state := c.x.replica(id).shell.Applier.State() // the caller holds the state's lock
	var sessions bytes.Buffer
	_, _ = state.Sessions.WriteTo(&sessions) // a bytes.Buffer never fails
	header := fmt.Sprintf("%v %x %x", state.Last, state.Header(), sessions.Bytes())
	c.locked(func() {
		if c.header == "" {
			c.header = header
		}
		if header != c.header {
			c.found(fmt.Errorf("11.8: in the end %s has sessions %s, another member %s", id, header, c.header))
		}
		if got := c.observers[id].machine; got.digest != c.reference.digest || got.count != c.reference.count {
			c.found(fmt.Errorf("11.8: in the end %s holds %d operations with digest %x, the log says %d, %x",
				id, got.count, got.digest, c.reference.count, c.reference.digest))
		}
	})
}
