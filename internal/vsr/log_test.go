package vsr

import (
	"math/rand/v2"
	"testing"

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
	for seed := range uint64(100) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		l, n := &log{}, &naive{from: 1}
		view := View(0)
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
			default:
				view += View(rnd.IntN(2))
				e := Entry{Op: end + 1, View: view, Epoch: 1, Kind: Command, Body: make([]byte, rnd.IntN(99))}
				l.append(e)
				n.entries = append(n.entries[:len(n.entries):len(n.entries)], e)
			}
			require.NoError(t, l.check(), "seed %d", seed)
			compareLog(t, seed, rnd, l, n)
		}
	}
}

func compareLog(t *testing.T, seed uint64, rnd *rand.Rand, l *log, n *naive) {
	require.Equal(t, n.last(), l.last, "seed %d", seed)
	require.Equal(t, n.base, l.base, "seed %d", seed)
	require.Equal(t, min(n.from, n.last().Op+1), l.tailFrom(), "seed %d", seed)
	for i := range n.entries {
		e := &n.entries[i]
		require.True(t, l.has(e.Stamp()), "seed %d: %v", seed, e.Stamp())
		require.Equal(t, n.bytesAbove(e.Op), l.bytesAbove(e.Op), "seed %d, op %d", seed, e.Op)
		got := l.entries(e.Op, l.last.Op, 150)
		require.Equal(t, e.Op >= n.from, len(got) > 0, "seed %d, op %d", seed, e.Op)
		if len(got) > 0 {
			require.Equal(t, n.entries[i:i+len(got)], got, "seed %d", seed)
			require.Equal(t, n.fit(i, 150), len(got), "seed %d, op %d", seed, e.Op)
		}
	}
	at := Viewstamp{Epoch: 1, View: View(rnd.IntN(30)), Op: n.base.Op + 1 + OpNumber(rnd.IntN(40))}
	if at.View >= n.base.View {
		require.Equal(t, n.agree(at), l.agree(at), "seed %d: %v", seed, at)
	}
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
