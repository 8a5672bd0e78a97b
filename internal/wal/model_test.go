package wal

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr/internal/vfs"
)

const (
	dir      = "/data/wal"
	identity = "group/a"
)

var small = Options{Identity: identity, SegmentSize: minSegmentSize}

// model is a simple log that the real one is checked against. It forgets nothing.
type model struct {
	head    Head
	base    Stamp
	records []Record
}

func (m model) last() Stamp {
	if n := len(m.records); n > 0 {
		return m.records[n-1].stamp()
	}
	return m.base
}

// apply returns the model after a save and leaves m unchanged.
func (m model) apply(s Save) model {
	if s.Base != nil {
		m.base, m.records = *s.Base, nil
	} else if s.From > 0 {
		m.records = m.records[:s.From-1-m.base.Op]
	}
	m.records = append(slices.Clip(m.records), s.Records...)
	m.head = s.Head
	return m
}

// compare returns an error if the log differs from the model. The log may lack ops up to limit.
func (m model) compare(l *Log, limit uint64) error {
	base, last := l.Bounds()
	if l.Head() != m.head {
		return fmt.Errorf("head is %v, not %v", l.Head(), m.head)
	}
	if last != m.last() {
		return fmt.Errorf("log ends with %v, not %v", last, m.last())
	}
	if base.Op < m.base.Op || base.Op > max(m.base.Op, limit) {
		return fmt.Errorf("log begins after %v, not between %v and %d", base, m.base, limit)
	}
	stamp := m.base
	if base.Op > m.base.Op {
		stamp = m.records[base.Op-m.base.Op-1].stamp()
	}
	if base != stamp {
		return fmt.Errorf("base is %v, not %v", base, stamp)
	}
	return compareRecords(l, m.records[base.Op-m.base.Op:])
}

func compareRecords(l *Log, want []Record) error {
	var runs []Stamp
	for i, r := range want {
		if i == 0 || r.Epoch != want[i-1].Epoch || r.View != want[i-1].View {
			runs = append(runs, r.stamp())
		}
	}
	if got := l.Stamps(); !slices.Equal(got, runs) {
		return fmt.Errorf("runs are %v, not %v", got, runs)
	}
	for len(want) > 0 {
		got, err := l.Read(want[0].Op, ^uint64(0), 2000)
		if err != nil {
			return err
		}
		if len(got) == 0 || len(got) > len(want) || !reflect.DeepEqual(got, want[:len(got)]) {
			return fmt.Errorf("records from op %d differ", want[0].Op)
		}
		want = want[len(got):]
	}
	return nil
}

// script generates saves that continue a model.
type script struct {
	rng  *rand.Rand
	safe uint64 // ops up to it are committed; only snapshots drop them
}

func (s *script) save(m model) Save {
	v := Save{Head: m.head}
	v.Head.Incarnation = [16]byte{2} // each save of a log has the same
	v.Head.Commit = max(v.Head.Commit, s.safe)
	switch kind := s.rng.IntN(12); {
	case kind == 0:
		v.Head.View++ // a changed head alone
		return v
	case kind == 1:
		return v // a commit number alone, or no change
	case kind == 2:
		v.Base = &Stamp{Epoch: 1, View: v.Head.View, Op: m.last().Op + s.rng.Uint64N(5)}
		s.safe = v.Base.Op
		v.records(s.rng, v.Base.Op, s.rng.IntN(2))
	case kind <= 5 && m.last().Op > max(s.safe, m.base.Op):
		low := max(s.safe, m.base.Op)
		v.From = low + 1 + s.rng.Uint64N(m.last().Op-low)
		v.Head.View++
		v.records(s.rng, v.From-1, s.rng.IntN(3))
	default:
		v.records(s.rng, m.last().Op, 1+s.rng.IntN(4))
	}
	return v
}

func (v *Save) records(rng *rand.Rand, after uint64, n int) {
	for i := range n {
		data := make([]byte, rng.IntN(300))
		if rng.IntN(40) == 0 {
			data = make([]byte, 2*minSegmentSize) // larger than a segment
		}
		for j := range data {
			data[j] = byte(rng.Uint32())
		}
		v.Records = append(v.Records, Record{Op: after + uint64(i) + 1, Epoch: 1, View: v.Head.View, Data: data})
	}
}

func newRNG(seed, stream uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, stream)) }

// open opens a log that is closed at the end of the test.
func open(t *testing.T, fs vfs.FS) *Log {
	t.Helper()
	l, err := Open(fs, dir, small)
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	return l
}

// entries returns a save with records from op from to op to.
func entries(view, from, to uint64) Save {
	s := Save{Head: Head{Group: [16]byte{1}, Incarnation: [16]byte{2}, Known: [16]byte{3}, Start: 1, Epoch: 1, View: view}}
	for op := from; op <= to; op++ {
		s.Records = append(s.Records, Record{Op: op, Epoch: 1, View: view, Data: fmt.Appendf(nil, "op %d of view %d", op, view)})
	}
	return s
}

// keep saves, checks the log and returns the model after the saves.
func (m model) keep(t *testing.T, l *Log, saves ...Save) model {
	t.Helper()
	require.NoError(t, l.Save(saves))
	for _, s := range saves {
		m = m.apply(s)
	}
	require.NoError(t, m.compare(l, 0))
	return m
}
