package sim

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr"
	"github.com/smr-go/smr/internal/contract"
	"github.com/smr-go/smr/internal/sim/fault"
	"github.com/smr-go/smr/internal/sim/world"
	"github.com/smr-go/smr/internal/snap"
	"github.com/smr-go/smr/internal/vsr"
)

// large is a state machine whose snapshots are large.
type large struct {
	filling []byte
	digest  uint64
}

func (m *large) Apply(op smr.Op) []byte { m.digest = mix(m.digest+op.Number, op.Body[:8]); return nil }

func (m *large) Snapshot() (io.WriterTo, error) {
	return &largeState{binary.LittleEndian.AppendUint64(nil, m.digest), m.filling}, nil
}

// largeState is a state of large. Apply does not change the filling, so that the state shares it.
type largeState struct{ digest, filling []byte }

func (s *largeState) WriteTo(w io.Writer) (int64, error) {
	n, err := w.Write(s.digest)
	m, err2 := w.Write(s.filling)
	return int64(n + m), cmp.Or(err, err2)
}

func (m *large) Restore(r io.Reader) error {
	var b bytes.Buffer
	b.Grow(8 + len(m.filling) + bytes.MinRead)
	_, err := b.ReadFrom(r)
	if err == nil {
		m.digest, m.filling = binary.LittleEndian.Uint64(b.Bytes()), b.Bytes()[8:]
	}
	return err
}

// largeGroup returns a group of large state machines that has formed.
func largeGroup(t *testing.T, p *Setup, filling []byte) *Sim {
	s, err := New(p, &Work{Kit: contract.Kit{New: func() smr.StateMachine { return &large{filling: filling} },
		Digest: func(m smr.StateMachine) uint64 { return m.(*large).digest }}}, nil)
	require.NoError(t, err)
	s.Begin()
	require.NoError(t, s.Converge(10*time.Second))
	return s
}

// catchUp is a backup that has been away and comes back over a narrow link.
type catchUp struct {
	rate     int64 // bytes a second
	delay    time.Duration
	snapshot bool // the log does not reach back to it
	load     bool // callers write two fifths of what the link carries
}

func (c catchUp) String() string {
	kind, load := "log", "idle"
	if c.snapshot {
		kind = "snapshot"
	}
	if c.load {
		load = "load"
	}
	return fmt.Sprintf("%s/%s/%dKiB/%v", kind, load, c.rate>>10, c.delay)
}

// run returns how long the backup took, the bytes that the link to it carried, and the bytes that it needed.
func (c catchUp) run(t *testing.T) (took time.Duration, carried, needed int64) {
	size := max(10*c.rate, 1<<20)
	p := Calm(1)
	p.Network = world.Conditions{Delay: c.delay} // as over a transport, messages keep their order
	p.SnapshotEvery, p.CompareEvery, p.ChunkSize, p.KeepLog, p.SegmentSize = 1<<30, 1<<30, snap.DefaultChunkSize, 1<<30,
		4<<20
	p.Tail = 1 << 20
	body, fill := 16<<10, int(size/(16<<10))
	filling := []byte(nil)
	if c.snapshot {
		p.SnapshotEvery, p.KeepLog, p.SegmentSize = 500, 0, 4<<10
		body, fill, filling = 16, 600, bytes.Repeat([]byte("filling."), int(size/8))
	}
	s := largeGroup(t, p, filling)
	leader := s.Primary()
	away := (leader + 1) % 3
	require.NoError(t, s.Do(fault.Fault{Kind: fault.Crash, Host: away}))
	calls := 0
	write := func(size int) {
		calls++
		s.Call(leader, 1, Operation{Body: binary.LittleEndian.AppendUint64(make([]byte, 0, size),
			uint64(calls))[:size]})
	}
	for range fill {
		write(body)
		s.RunFor(time.Millisecond)
	}
	require.True(t, s.RunUntil(func() bool { return s.Status(leader).Applied >= uint64(fill) }, time.Minute))
	s.RunFor(2 * time.Second)
	require.NoError(t, s.Do(fault.Fault{Kind: fault.NarrowLink, Host: leader, To: away, N: c.rate}))
	require.NoError(t, s.Do(fault.Fault{Kind: fault.NarrowLink, Host: away, To: leader, N: c.rate}))
	link := s.net.Links[leader][away]
	began, before, view := s.Now(), link.Carried, s.Status(leader).State.Head.View
	require.NoError(t, s.Do(fault.Fault{Kind: fault.Start, Host: away}))
	needed = size
	if c.load {
		body := int(min(c.rate/4, 128<<10))
		every := time.Duration(float64(body) / (0.4 * float64(c.rate)) * float64(time.Second))
		for float64(s.Now()-began) < float64(size)/(0.6*float64(c.rate))*float64(time.Second) && s.err == nil {
			write(body)
			needed += int64(body)
			s.RunFor(every)
		}
	}
	target := s.Status(leader).Applied
	require.True(t, s.RunUntil(func() bool { return s.Status(away).Applied >= target }, 10*time.Minute),
		"it catches up")
	require.Nil(t, s.Violation())
	assert.Equal(t, view, s.Status(leader).State.Head.View, "nobody leaves the view")
	return s.Now() - began, link.Carried - before, needed
}

// C1, C2: a backup catches up as fast as its link carries, and the link carries little more than the backup needs.
func TestCatchUpOverANarrowLink(t *testing.T) {
	singleThreaded(t)
	for _, rate := range []int64{51 << 10, 256 << 10, 1 << 20, 4 << 20} {
		for _, delay := range []time.Duration{time.Millisecond, 100 * time.Millisecond} {
			for i := range 4 {
				c := catchUp{rate, delay, i&1 != 0, i&2 != 0}
				if testing.Short() && c.load && rate > 1<<20 {
					continue
				}
				t.Run(c.String(), func(t *testing.T) {
					took, carried, needed := c.run(t)
					least := time.Duration(needed * int64(time.Second) / c.rate)
					t.Logf("%v at %d%% of the rate, %d%% of the bytes", took.Round(time.Millisecond), 100*least/took,
						100*carried/needed)
					assert.LessOrEqual(t, 10*carried, 12*needed, "bytes")
					assert.LessOrEqual(t, 8*took, 10*least, "time")
				})
			}
		}
	}
}

// forwarding returns how long a backup took to get operations applied whose requests pass a narrow link, the bytes that
// the link carried, the bytes that it needed, and the most that waited to leave.
func forwarding(t *testing.T, rate int64, delay time.Duration) (took time.Duration, carried, needed, waited int64) {
	const body = 16 << 10
	needed = max(8*rate, 512<<10)
	p := Calm(1)
	p.Network = world.Conditions{Delay: delay}
	p.SnapshotEvery, p.CompareEvery, p.Tail = 1<<30, 1<<30, 1<<20
	s := largeGroup(t, p, nil)
	leader := s.Primary()
	far := (leader + 1) % 3
	require.NoError(t, s.Do(fault.Fault{Kind: fault.NarrowLink, Host: far, To: leader, N: rate}))
	link := s.net.Links[far][leader]
	began, before, applied, view := s.Now(), link.Carried, s.Status(far).Applied, s.Status(leader).State.Head.View
	calls := needed / body
	for i := range calls {
		s.Call(far, 1, Operation{Body: binary.LittleEndian.AppendUint64(make([]byte, 0, body), uint64(i))[:body]})
	}
	require.True(t, s.RunUntil(func() bool {
		waited = max(waited, link.Waiting())
		return s.Status(far).Applied >= applied+uint64(calls)
	}, 10*time.Minute), "all is applied")
	require.Nil(t, s.Violation())
	assert.Equal(t, view, s.Status(leader).State.Head.View, "nobody leaves the view")
	return s.Now() - began, link.Carried - before, needed, waited
}

// X4, C1: the requests of a backup go over a narrow link once, as fast as it carries, and do not queue before it.
func TestRequestsOverANarrowLink(t *testing.T) {
	singleThreaded(t)
	for _, rate := range []int64{51 << 10, 256 << 10, 1 << 20, 4 << 20} {
		for _, delay := range []time.Duration{time.Millisecond, 100 * time.Millisecond} {
			t.Run(fmt.Sprintf("%dKiB/%v", rate>>10, delay), func(t *testing.T) {
				took, carried, needed, waited := forwarding(t, rate, delay)
				least := time.Duration(needed * int64(time.Second) / rate)
				t.Logf("%v at %d%% of the rate, %d%% of the bytes, %d KiB waited", took.Round(time.Millisecond), 100*least/took, 100*carried/needed, waited>>10)
				assert.LessOrEqual(t, 10*carried, 12*needed, "bytes")
				assert.LessOrEqual(t, 8*took, 10*least, "time")
				assert.LessOrEqual(t, waited, max(rate, 512<<10), "bytes that wait")
			})
		}
	}
}

// largeOperation returns how long an operation of size bytes took over narrow links, and the bytes that they carried.
// It needs all links from the primary to the others, and, if a backup submits it, the one from there to the primary
// before.
func largeOperation(t *testing.T, rate int64, delay time.Duration, size int, forwarded, buffered bool) (took time.Duration, carried int64) {
	p := Calm(1)
	p.Network = world.Conditions{Delay: delay, Buffered: buffered}
	p.SnapshotEvery, p.CompareEvery, p.Tail, p.SegmentSize = 1<<30, 1<<30, 1<<20, 4<<20
	s := largeGroup(t, p, nil)
	leader := s.Primary()
	submits, before := leader, int64(0)
	if forwarded {
		submits = (leader + 1) % 3
	}
	count := func() (sum int64) {
		s.net.Each(func(_, _ int, l *world.Link) { sum += l.Carried })
		return sum
	}
	for from := range 3 {
		for to := range 3 {
			if from != to {
				require.NoError(t, s.Do(fault.Fault{Kind: fault.NarrowLink, Host: from, To: to, N: rate}))
			}
		}
	}
	all := func(op uint64) func() bool {
		return func() bool { return min(s.Status(0).Applied, s.Status(1).Applied, s.Status(2).Applied) >= op }
	}
	s.Call(submits, 1, Operation{Body: make([]byte, 8)}) // opens the session
	s.RunFor(5 * time.Second)
	applied := s.Status(leader).Applied
	require.True(t, all(applied)())
	before = count()
	began, view := s.Now(), s.Status(leader).State.Head.View
	s.Call(submits, 1, Operation{Body: make([]byte, size)})
	require.True(t, s.RunUntil(all(applied+1), time.Hour), "all apply it")
	require.Nil(t, s.Violation())
	assert.Equal(t, view, s.Status(leader).State.Head.View, "nobody leaves the view")
	return s.Now() - began, count() - before
}

// C5: an operation that its links carry for long is sent once, as fast as they carry, and nobody leaves the view
// meanwhile.
func TestLargeOperationOverNarrowLinks(t *testing.T) {
	singleThreaded(t)
	for _, link := range []struct {
		rate int64
		size int
	}{{51 << 10, 1 << 20}, {256 << 10, 1 << 20}, {256 << 10, 8 << 20}, {1 << 20, 1 << 20}, {4 << 20, vsr.MaxBody}} {
		for i := range 8 {
			delay, forwarded, buffered := time.Millisecond, i&1 != 0, i&2 != 0
			if i&4 != 0 {
				delay = 100 * time.Millisecond
			}
			t.Run(fmt.Sprintf("%dKiB at %dKiB/%v/%v/%v", link.size>>10, link.rate>>10, delay, forwarded, buffered), func(t *testing.T) {
				took, carried := largeOperation(t, link.rate, delay, link.size, forwarded, buffered)
				hops, legs := 2, 1
				if forwarded {
					hops, legs = 3, 2
				}
				least := time.Duration(int64(legs*link.size) * int64(time.Second) / link.rate)
				t.Logf("%v at %d%% of the rate, %d%% of the bytes", took.Round(time.Millisecond), 100*least/took, 100*carried/int64(hops*link.size))
				assert.LessOrEqual(t, 10*carried, int64(12*hops*link.size), "bytes")
				assert.LessOrEqual(t, 8*took, 10*least+time.Duration(legs)*8*time.Second, "time, after a second in which the streams learn what the links carry")
			})
		}
	}
}

// C5: a member that does not answer for so long that a large operation for it is dropped gets the operation as soon as it
// answers. On a link that nothing is known of, the operation might have been on its way for a quarter of an hour.
func TestLargeOperationAfterAnOutage(t *testing.T) {
	singleThreaded(t)
	const rate = 4 << 20
	p := Calm(1)
	p.Network = world.Conditions{Delay: time.Millisecond}
	p.SnapshotEvery, p.CompareEvery, p.Tail, p.SegmentSize = 1<<30, 1<<30, 1<<20, 4<<20
	s := largeGroup(t, p, nil)
	leader := s.Primary()
	away := (leader + 1) % 3
	s.Call(leader, 1, Operation{Body: make([]byte, 8)})
	s.RunFor(5 * time.Second)
	require.NoError(t, s.Do(fault.Fault{Kind: fault.NarrowLink, Host: leader, To: away, N: rate}))
	applied := s.Status(away).Applied
	s.Call(leader, 1, Operation{Body: make([]byte, vsr.MaxBody)})
	s.RunFor(3 * time.Second)
	require.NoError(t, s.Do(fault.Fault{Kind: fault.Isolate, Host: away}))
	s.RunFor(12 * time.Second)
	require.Equal(t, applied, s.Status(away).Applied)
	require.NoError(t, s.Do(fault.Fault{Kind: fault.Join, Host: away}))
	began := s.Now()
	require.True(t, s.RunUntil(func() bool { return s.Status(away).Applied > applied }, time.Hour), "it is applied")
	require.Nil(t, s.Violation())
	assert.LessOrEqual(t, s.Now()-began, time.Duration(vsr.MaxBody)*time.Second/rate+2*time.Second)
}
