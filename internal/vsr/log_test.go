package vsr

import (
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	weakly "weak"

	"github.com/stretchr/testify/require"
)

// naive is the log as a plain list: entries[i] has op base.Op+1+i. Entries below from have no body.
type naive struct {
	base    Viewstamp
	entries []Entry
	from    OpNumber
}

func (n *naive) last() Viewstamp {
	if len(n.entries) == 0 {
		return n.base
	}
	return n.entries[len(n.entries)-1].Stamp()
}

// agree searches down from at for an op at which the two logs may agree.
func (n *naive) agree(at Viewstamp) OpNumber {
	for i := len(n.entries) - 1; i >= 0; i-- {
		own := n.entries[i].Stamp()
		if own.Op > at.Op || own.Op == at.Op && own != at || own.View > at.View {
			continue
		}
		return own.Op
	}
	return n.base.Op
}

func (n *naive) bytesAbove(op OpNumber) (sum int64) {
	for _, e := range n.entries {
		if e.Op > op && e.Op >= n.from {
			sum += e.size()
		}
	}
	return sum
}

// TestLogAgainstAList performs the same random operations on a log and on a list.
func TestLogAgainstAList(t *testing.T) {
	for seed := range uint64(60) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		l, n := &log{}, &naive{from: 1}
		view := View(0)
		handed := handedOut{}
		for range 60 {
			first, end := n.base.Op, n.last().Op
			op := first + OpNumber(rnd.Uint64N(uint64(end-first)+1))
			switch rnd.IntN(8) {
			case 0:
				l.cut(op)
				n.entries = n.entries[:op-first]
				n.from = min(n.from, op+1)
			case 1:
				l.trim(op)
				n.from = max(n.from, op+1)
			case 2:
				stamp, _ := l.stamp(op)
				l.dropTo(op)
				n.base, n.entries, n.from = stamp, n.entries[op-first:], max(n.from, op+1)
			case 3:
				view += View(rnd.IntN(2))
				more := someEntries(rnd, end, view, rnd.IntN(3*grownChunk))
				l.adopt(more)
				n.entries = slices.Concat(n.entries, more)
			default:
				view += View(rnd.IntN(2))
				more := someEntries(rnd, end, view, 1)
				l.append(&more[0])
				n.entries = slices.Concat(n.entries, more)
			}
			require.NoError(t, l.check(), "seed %d", seed)
			compareLog(t, seed, rnd, l, n)
			handed.add(l.entries(l.tailFrom(), l.last.Op, 1<<20))
		}
		handed.check(t, seed)
	}
}

// someEntries returns entries that follow op end.
func someEntries(rnd *rand.Rand, end OpNumber, view View, count int) (all []Entry) {
	for i := range count {
		all = append(all, Entry{Op: end + 1 + OpNumber(i), View: view, Epoch: 1, Kind: Command, Body: make([]byte, rnd.IntN(99))})
	}
	return all
}

// handedOut are entries that a log has handed out, with copies.
type handedOut struct{ lists, copies [][]Entry }

func (h *handedOut) add(list []Entry) {
	h.lists, h.copies = append(h.lists, list), append(h.copies, slices.Clone(list))
}

// check checks that no entry has changed since.
func (h *handedOut) check(t *testing.T, seed uint64) {
	for i := range h.lists {
		require.Equal(t, h.copies[i], h.lists[i], "seed %d", seed)
	}
}

func compareLog(t *testing.T, seed uint64, rnd *rand.Rand, l *log, n *naive) {
	require.Equal(t, n.last(), l.last, "seed %d", seed)
	require.Equal(t, n.base, l.base, "seed %d", seed)
	require.Equal(t, min(n.from, n.last().Op+1), l.tailFrom(), "seed %d", seed)
	for range min(len(n.entries), 5) {
		i, max := rnd.IntN(len(n.entries)), int64(rnd.IntN(150<<rnd.IntN(9)))
		e := &n.entries[i]
		require.True(t, l.has(e.Stamp()), "seed %d: %v", seed, e.Stamp())
		require.Equal(t, n.bytesAbove(e.Op), l.bytesAbove(e.Op), "seed %d, op %d", seed, e.Op)
		require.Equal(t, n.within(e.Op, max), l.opWithin(e.Op, max), "seed %d, op %d", seed, e.Op)
		got := l.entries(e.Op, l.last.Op, max)
		require.Equal(t, e.Op >= n.from, len(got) > 0, "seed %d, op %d", seed, e.Op)
		if len(got) > 0 {
			require.Equal(t, n.entries[i:i+len(got)], got, "seed %d", seed)
			require.Equal(t, n.fit(i, max), len(got), "seed %d, op %d", seed, e.Op)
		}
	}
	at := Viewstamp{Epoch: 1, View: View(rnd.IntN(30)), Op: n.base.Op + 1 + OpNumber(rnd.IntN(40))}
	if at.View >= n.base.View {
		require.Equal(t, n.agree(at), l.agree(at), "seed %d: %v", seed, at)
	}
}

// within returns the lowest op, not below op, above which the entries in memory have at most max bytes.
func (n *naive) within(op OpNumber, max int64) OpNumber {
	for n.bytesAbove(op) > max {
		op++
	}
	return op
}

// fit returns the number of entries, from the i-th on, that have at most max bytes; at least one.
func (n *naive) fit(i int, max int64) int {
	count, sum := 0, int64(0)
	for _, e := range n.entries[i:] {
		if sum += e.size(); sum > max && count > 0 {
			break
		}
		count++
	}
	return count
}

// 11.10: entries that are trimmed leave the memory, however large they are, although others stay.
func TestTrimmedEntriesLeaveTheMemory(t *testing.T) {
	l := &log{}
	var bodies []weakly.Pointer[byte]
	for op := range OpNumber(200) {
		body := make([]byte, 64<<10)
		bodies = append(bodies, weakly.Make(&body[0]))
		l.append(&Entry{Op: op + 1, Epoch: 1, Kind: Command, Body: body})
	}
	l.trim(198)
	runtime.GC()
	kept := 0
	for _, b := range bodies {
		if b.Value() != nil {
			kept++
		}
	}
	runtime.KeepAlive(l)
	require.GreaterOrEqual(t, kept, 2)
	require.LessOrEqual(t, kept, 2+chunkBytes/(64<<10))
}
