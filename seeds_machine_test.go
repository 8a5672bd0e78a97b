package smr

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"slices"
	"sync"
	"time"
)

// tally is the state machine of seeded runs: a count and a digest of all operations, and the last few bodies. A result
// says what was there before.
type tally struct {
	last, count, digest uint64
	recent              [][]byte

	happened func(trouble string) // nil: it is the reference, which has no troubles
	pause    func() time.Duration // that Restore takes
	sleeps   func(time.Duration)  // is told before Apply hangs
	since    int                  // operations since Snapshot was called, and the bytes of their bodies
	bytes    int64

	mu     sync.Mutex
	given  map[*byte]bool // first bytes of the results that Apply returned
	frozen int            // states that are frozen and not closed
	fails  bool           // the next Apply panics
	refuse bool           // the next Snapshot returns an error
	hangs  time.Duration  // the next Apply takes so long
}

const recentBodies = 8

// errMachine is what a state machine fails with when a trouble makes it.
var errMachine = errors.New("the state machine fails")

// locked calls f alone.
func (m *tally) locked(f func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f()
}

// returned reports whether Apply has returned these bytes, and not a copy of them.
func (m *tally) returned(result []byte) (same bool) {
	m.locked(func() { same = len(result) > 0 && m.given[&result[0]] })
	return same
}

// troubled reports whether a trouble is to happen now, and ends it.
func (m *tally) troubled(what *bool, trouble string) (now bool) {
	m.locked(func() { now, *what = *what, false })
	if now {
		m.happened(trouble)
	}
	return now
}

func (m *tally) Apply(op Op) []byte {
	result := binary.LittleEndian.AppendUint64(nil, m.count)
	result = binary.LittleEndian.AppendUint64(result, m.digest)
	m.last, m.count = op.Number, m.count+1
	m.since, m.bytes = m.since+1, m.bytes+int64(len(op.Body))
	if m.happened != nil && op.Number%5 == 0 {
		time.Sleep(100 * time.Microsecond) // readers see nothing of this state
	}
	if m.happened != nil {
		m.hang()
	}
	if m.troubled(&m.fails, "a state machine fails") {
		panic(errMachine)
	}
	for _, c := range op.Body {
		m.digest = (m.digest ^ uint64(c)) * 1099511628211
	}
	m.digest ^= op.Number<<20 ^ m.digest>>31
	m.recent = append(m.recent, slices.Clone(op.Body))
	m.recent = m.recent[max(0, len(m.recent)-recentBodies):]
	m.locked(func() { m.given[&result[0]] = true })
	return result
}

// hang takes as long as a trouble wants.
func (m *tally) hang() {
	var d time.Duration
	m.locked(func() { d, m.hangs = m.hangs, 0 })
	if d > 0 {
		m.happened("a state machine hangs")
		m.sleeps(d)
		time.Sleep(d)
	}
}

func (m *tally) Snapshot() (io.WriterTo, error) {
	m.since, m.bytes = 0, 0
	if m.troubled(&m.refuse, "a snapshot is refused") {
		return nil, errMachine
	}
	var b []byte
	for _, n := range []uint64{m.last, m.count, m.digest, uint64(len(m.recent))} {
		b = binary.LittleEndian.AppendUint64(b, n)
	}
	for _, body := range m.recent {
		b = append(binary.LittleEndian.AppendUint64(b, uint64(len(body))), body...)
	}
	m.locked(func() { m.frozen++ })
	return &frozenTally{bytes.NewReader(b), m}, nil
}

// frozenTally is the state of a tally, to be written and closed.
type frozenTally struct {
	*bytes.Reader
	m *tally
}

func (f *frozenTally) Close() error {
	f.m.locked(func() { f.m.frozen-- })
	return nil
}

func (m *tally) Restore(r io.Reader) error {
	time.Sleep(m.pause())
	b, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	next := func() (n uint64) { n, b = binary.LittleEndian.Uint64(b), b[8:]; return n }
	m.last, m.count, m.digest = next(), next(), next()
	m.recent, m.since, m.bytes = nil, 0, 0
	for range next() {
		n := next()
		m.recent, b = append(m.recent, slices.Clone(b[:n])), b[n:]
	}
	return nil
}
