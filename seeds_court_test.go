package smr

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr/internal/shell"
	"github.com/smr-go/smr/internal/sim/judge"
	"github.com/smr-go/smr/internal/store"
	"github.com/smr-go/smr/internal/vsr"
)

// court is the judge of a seeded run, with what its observers share.
type court struct {
	x *seeded

	mu        sync.Mutex
	judge     *judge.Judge
	reference tally
	digests   map[uint64]uint64 // of the reference, by op
	executed  map[string]request
	seen      vsr.OpNumber    // the highest op of a command that a caller has the result of
	primaries map[vsr.View]ID // that saw themselves in that role
	refused   map[string]bool // bodies whose callers were told that they never will be applied
	header    string          // of a member's state in the end
	violation error           // the first
	at        time.Duration   // of the violation
	began     time.Time
	observers map[ID]*observer // of the running, and of those that ran last
	lost      map[ID]bool      // their memory is gone
}

// request names a command in the log.
type request struct{ session, number uint64 }

func newCourt(x *seeded) *court {
	c := &court{x: x, digests: map[uint64]uint64{}, executed: map[string]request{}, refused: map[string]bool{}, primaries: map[vsr.View]ID{},
		began: time.Now(), observers: map[ID]*observer{}, lost: map[ID]bool{}}
	members := (&Config{Members: x.members}).membership()
	c.judge = judge.New(judge.Config{Members: members, Reference: c, Distinct: true})
	return c
}

// locked calls f alone.
func (c *court) locked(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f()
}

// found notes a violation.
func (c *court) found(err error) {
	if err != nil && c.violation == nil {
		c.violation, c.at = err, time.Since(c.began)
	}
}

// Commit executes the committed log on the reference, for the judge.
func (c *court) Commit(e *vsr.Entry, executed bool) (result []byte, digest uint64, err error) {
	if executed {
		result = c.reference.Apply(Op{Number: uint64(e.Op), Body: e.Body})
		c.digests[uint64(e.Op)] = c.reference.digest
		c.executed[string(e.Body)] = request{e.Session, e.Request}
		if c.refused[string(e.Body)] {
			c.found(fmt.Errorf("X4: op %d is executed; its caller was told that it never would be", e.Op))
		}
	}
	return result, c.reference.digest, nil
}

// verdict fails the test if something was wrong, or if too little happened.
func (c *court) verdict(t *testing.T) {
	c.mu.Lock()
	defer c.mu.Unlock()
	require.NoError(t, c.violation, "after %v", c.at)
	if len(c.lost) == 0 {
		require.NotZero(t, c.judge.Executed(), "nothing was executed")
	}
}

// fewer reports whether members that have lost their memory stay out of the group.
func (c *court) fewer() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.lost) > 0
}

// sameState compares a member's state with the reference's, and what belongs to it with the other members'.
func (c *court) sameState(id ID) {
	state := c.x.replica(id).shell.Applier.State()
	header := fmt.Sprintf("%v %x", state.Last, state.Header())
	c.locked(func() {
		if c.header == "" {
			c.header = header
		}
		if header != c.header {
			c.found(fmt.Errorf("11.8: in the end %s has sessions %s, another member %s", id, header, c.header))
		}
		if got := c.observers[id].machine; got.digest != c.reference.digest || got.count != c.reference.count {
			c.found(fmt.Errorf("11.8: in the end %s holds %d operations with digest %x, the log says %d, %x", id, got.count, got.digest, c.reference.count, c.reference.digest))
		}
	})
}

// observer watches one replica for the court, and chooses its delays. After mute its replica is as good as gone.
type observer struct {
	c       *court
	i       int
	machine *tally
	core    *vsr.Replica
	muted   bool
	rng     *rand.Rand // of the delays; guarded by the court
	slow    map[string]time.Duration
	until   time.Time // paused until then
	view    uint64    // of the latest status
	secret  [32]byte
}

func (c *court) observe(id ID, machine *tally, start int) *observer {
	o := &observer{c: c, i: int(id[0] - 'a'), machine: machine, rng: stream(c.x.seed, fmt.Sprint("pace ", id, start)), slow: map[string]time.Duration{}}
	binary.LittleEndian.PutUint64(o.secret[:], o.rng.Uint64())
	for _, place := range []string{"loop", "writer", "applier", "fetcher", "background"} {
		o.slow[place] = []time.Duration{0, 0, 10 * time.Microsecond, time.Millisecond, 5 * time.Millisecond}[o.rng.IntN(5)]
	}
	return o
}

// sees calls f, unless the replica is gone.
func (o *observer) sees(f func(j *judge.Judge) error) {
	o.c.mu.Lock()
	defer o.c.mu.Unlock()
	if !o.muted {
		o.c.found(f(o.c.judge))
	}
}

func (o *observer) seed() [32]byte { return o.secret }

func (o *observer) opened(s *shell.Shell, d *vsr.Durable) {
	o.core = s.Loop.Core()
	o.sees(func(j *judge.Judge) error {
		if err := j.Opened(o.i, judge.Opened{Durable: *d}); err != nil {
			return err
		}
		if d.Snapshot != nil {
			if err := j.Restored(o.i, d.Snapshot.Last.Op, o.machine.digest); err != nil {
				return err
			}
		}
		return j.Started(o.i, o.core.State())
	})
}

func (o *observer) turned(s *vsr.State) {
	o.sees(func(j *judge.Judge) error {
		if int(s.Primary) == o.i { // perhaps of a group that still forms
			o.c.primaries[s.Head.View] = ID(s.Members.Members[s.Primary].ID)
		}
		if strings.Contains(s.Problem, "the disk is full") {
			o.c.x.seen.happened("a disk is full")
		}
		return j.Turned(o.i, judge.Turn{State: *s, Check: o.core.Check(), Compacts: true})
	})
}

func (o *observer) sends(p *shell.Packet) {
	o.sees(func(j *judge.Judge) error { return j.Sends(o.i, p.Header, p.Message) })
}

// pace sleeps as long as the seed says, or as the pause lasts.
func (o *observer) pace(goroutine string) {
	var d time.Duration
	o.c.locked(func() {
		if most := o.slow[goroutine]; most > 0 {
			d = time.Duration(o.rng.Int64N(int64(most)))
		}
		if pause := time.Until(o.until); pause > d {
			d = pause
			o.c.x.seen.happened("a process pauses")
		}
	})
	if d > 0 {
		time.Sleep(d)
	}
}

func (o *observer) Ready(out *vsr.Output) {
	o.sees(func(j *judge.Judge) error {
		if out.Save != nil {
			if err := j.Issued(o.i, out.Save); err != nil {
				return err
			}
		}
		return j.Knows(o.i, o.core.Commit())
	})
}

func (o *observer) Saved(saves []*vsr.Save) {
	o.sees(func(j *judge.Judge) error { return j.Saved(o.i, saves[len(saves)-1].Seq) })
}

func (o *observer) Applied(e *vsr.Entry, executed bool, result []byte, s *store.State) {
	o.sees(func(j *judge.Judge) error {
		out := judge.Outcome{Executed: executed, Result: result, Kept: s.Sessions.Kept()}
		if executed {
			out.Digest = o.machine.digest
		}
		return j.Applied(o.i, e, out)
	})
}

func (o *observer) Restored(s *store.State) {
	o.sees(func(j *judge.Judge) error { return j.Restored(o.i, s.Last.Op, o.machine.digest) })
}

func (o *observer) Marked()                              {}
func (o *observer) Compacted(vsr.Compact, vsr.OpNumber)  {}
func (o *observer) Loaded(vsr.Load, int)                 {}
func (o *observer) SnapshotWritten(*shell.Frozen, error) {}
func (o *observer) SnapshotReceived(vsr.Snapshot)        {}

// tally is the state machine of seeded runs: a count and a digest of all operations, and the last few bodies. A result
// says what was there before.
type tally struct {
	last, count, digest uint64
	recent              [][]byte
	slow                bool // Apply takes time now and then, with half its changes made
}

const recentBodies = 8

func (m *tally) Apply(op Op) []byte {
	result := binary.LittleEndian.AppendUint64(nil, m.count)
	result = binary.LittleEndian.AppendUint64(result, m.digest)
	m.last, m.count = op.Number, m.count+1
	if m.slow && op.Number%5 == 0 {
		time.Sleep(100 * time.Microsecond) // readers see nothing of this state
	}
	for _, c := range op.Body {
		m.digest = (m.digest ^ uint64(c)) * 1099511628211
	}
	m.digest ^= op.Number<<20 ^ m.digest>>31
	m.recent = append(m.recent, slices.Clone(op.Body))
	m.recent = m.recent[max(0, len(m.recent)-recentBodies):]
	return result
}

func (m *tally) Snapshot() (io.WriterTo, error) {
	var b []byte
	for _, n := range []uint64{m.last, m.count, m.digest, uint64(len(m.recent))} {
		b = binary.LittleEndian.AppendUint64(b, n)
	}
	for _, body := range m.recent {
		b = append(binary.LittleEndian.AppendUint64(b, uint64(len(body))), body...)
	}
	return bytes.NewReader(b), nil
}

func (m *tally) Restore(r io.Reader) error {
	b, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	next := func() (n uint64) { n, b = binary.LittleEndian.Uint64(b), b[8:]; return n }
	*m = tally{last: next(), count: next(), digest: next(), slow: m.slow}
	for range next() {
		n := next()
		m.recent, b = append(m.recent, slices.Clone(b[:n])), b[n:]
	}
	return nil
}
