package sim

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr/internal/snap"
	"github.com/smr-go/smr/internal/vsr"
	"github.com/smr-go/smr/internal/wal"
)

func stamp(view vsr.View, op vsr.OpNumber) vsr.Viewstamp {
	return vsr.Viewstamp{Epoch: 1, View: view, Op: op}
}

// twoLogs is a ledger with 1@0 2@0 3@0, and another log that goes on from 1@0 with 2@1 3@1.
func twoLogs(t *testing.T) *ledger {
	l := newLedger()
	prev := vsr.Viewstamp{}
	for _, s := range []vsr.Viewstamp{stamp(0, 1), stamp(0, 2), stamp(0, 3)} {
		require.NoError(t, l.add(prev, &vsr.Entry{Op: s.Op, View: s.View, Epoch: s.Epoch, Kind: vsr.Command}))
		prev = s
	}
	prev = stamp(0, 1)
	for _, s := range []vsr.Viewstamp{stamp(1, 2), stamp(1, 3)} {
		require.NoError(t, l.add(prev, &vsr.Entry{Op: s.Op, View: s.View, Epoch: s.Epoch, Kind: vsr.Command}))
		prev = s
	}
	return l
}

// The last viewstamp of a log tells what is in it.
func TestLedgerKnowsLogsByTheirEnds(t *testing.T) {
	l := twoLogs(t)
	assert.Equal(t, stamp(0, 1), l.at(stamp(1, 3), 1))
	assert.Equal(t, stamp(1, 2), l.at(stamp(1, 3), 2))
	assert.True(t, l.holds(stamp(0, 3), stamp(0, 2)))
	assert.False(t, l.holds(stamp(1, 3), stamp(0, 2)))
	assert.False(t, l.holds(stamp(0, 1), stamp(0, 2)))
}

// 11.4, 11.2: another entry at a known viewstamp, or another history, is noticed.
func TestLedgerNoticesForks(t *testing.T) {
	l := twoLogs(t)
	assert.ErrorContains(t, l.add(stamp(0, 1), &vsr.Entry{Op: 2, Epoch: 1, Kind: vsr.Command, Body: []byte("x")}), "11.4")
	assert.ErrorContains(t, l.add(stamp(1, 3), &vsr.Entry{Op: 4, Epoch: 1, Kind: vsr.Command}), "11.4")
	_, err := l.commit(stamp(0, 2))
	require.NoError(t, err)
	_, err = l.commit(stamp(1, 3))
	assert.ErrorContains(t, err, "11.2")
}

// 11.3: with (Qr, Qv) = (2, 2), one disk of three is not enough for what is committed.
func TestQuorumsThatCouldLoseAnOp(t *testing.T) {
	s, err := New(Calm(1), ListWork(10, 0, 0), nil)
	require.NoError(t, err)
	s.ledger = twoLogs(t)
	_, err = s.ledger.commit(stamp(0, 2))
	require.NoError(t, err)
	s.hosts[0].truth.last = stamp(0, 3)
	s.hosts[1].truth.last = stamp(0, 1)
	s.hosts[2].truth.last = stamp(0, 1)
	assert.ErrorContains(t, s.checkQuorums(), "11.3", "b and c could go on without op 2")
	s.hosts[1].truth.last = stamp(0, 2)
	assert.NoError(t, s.checkQuorums())
	s.hosts[2].truth.last = stamp(1, 3)
	assert.ErrorContains(t, s.checkQuorums(), "11.3", "c's log is better and has another op 2")
	s.hosts[2].lost = true
	assert.NoError(t, s.checkQuorums(), "c has no log any more")
}

// S5: of the saves under way in a crash, a first part may be there, and nothing else.
func TestWhatADiskMayHoldAfterACrash(t *testing.T) {
	l := twoLogs(t)
	d := durable{head: vsr.Head{Start: 1}, last: stamp(0, 3)}
	flight := []*vsr.Save{
		{Seq: 1, Head: vsr.Head{Start: 1, View: 1}, From: 2, Entries: []vsr.Entry{{Op: 2, View: 1, Epoch: 1}}},
		{Seq: 2, Head: vsr.Head{Start: 1, View: 1}, Entries: []vsr.Entry{{Op: 3, View: 1, Epoch: 1}}},
	}
	opened := func(view vsr.View, last vsr.Viewstamp) *found {
		return &found{Durable: vsr.Durable{Head: vsr.Head{Start: 1, View: view}, Last: last}}
	}
	for _, ok := range []*found{opened(0, stamp(0, 3)), opened(1, stamp(1, 2)), opened(1, stamp(1, 3))} {
		_, err := d.recovered(l, flight, ok)
		assert.NoError(t, err, "%v", ok.Last)
	}
	ahead := opened(0, stamp(0, 3))
	ahead.Head.Commit = 3
	for _, bad := range []*found{opened(0, stamp(0, 2)), opened(1, stamp(0, 3)), opened(0, stamp(1, 3)), ahead} {
		_, err := d.recovered(l, flight, bad)
		assert.ErrorContains(t, err, "S5", "view %d, %v", bad.Head.View, bad.Last)
	}
}

// Events happen in the order of their times, and of their making.
func TestEventsInOrder(t *testing.T) {
	var e events
	var got []int
	for i, at := range []time.Duration{3, 1, 2, 1, 3, 0} {
		e.at(at, func() { got = append(got, i) })
	}
	for e.step(2) {
	}
	assert.Equal(t, []int{5, 1, 3, 2}, got)
	assert.EqualValues(t, 2, e.now)
}

// N4: a disk whose memory was lost counts for what it held then, and not for what was committed later.
func TestLostDisksHoldWhatTheyHeld(t *testing.T) {
	s, err := New(Calm(1), ListWork(10, 0, 0), nil)
	require.NoError(t, err)
	s.ledger = twoLogs(t)
	s.hosts[0].truth.last = stamp(0, 3)
	s.hosts[1].truth.last = stamp(0, 2)
	s.hosts[2].truth.last = stamp(0, 2)
	require.NoError(t, s.make(Fault{Kind: Wipe, Host: 2}))
	assert.NoError(t, s.checkHolders(stamp(0, 2)))
	assert.ErrorContains(t, s.checkHolders(stamp(0, 3)), "N4", "only a ever held it")
}

// F6, F11, F12: whatever ails a disk, an error that does not come of that is a violation.
func TestOnlyErrorsOfTheDiskAreExcused(t *testing.T) {
	for _, x := range []struct {
		name    string
		rotten  bool
		err     error
		excused bool
	}{
		{"a failed sync", false, fmt.Errorf("save: %w", errFaulty), true},
		{"a bug after a failed sync", false, errors.New("save: index out of range"), false},
		{"rot in the log", true, &wal.CorruptError{}, true},
		{"rot in a snapshot", true, fmt.Errorf("chunk: %w", snap.ErrCorrupt), true},
		{"a bug on a rotten disk", true, wal.ErrCompacted, false},
		{"rot where there is none", false, &wal.CorruptError{}, false},
	} {
		for what, meet := range map[string]func(p *process){
			"broken":    func(p *process) { p.broken("save", x.err) },
			"explained": func(p *process) { p.explained("a chunk", x.err) },
			"usual":     func(p *process) { p.usual("a chunk", x.err) },
		} {
			s, err := New(Calm(1), ListWork(10, 0, 0), nil)
			require.NoError(t, err)
			require.NoError(t, s.make(Fault{Kind: FailReads, For: time.Second}))
			s.hosts[0].ailing.rotten = x.rotten
			meet(&process{s: s, h: s.hosts[0]})
			assert.Equal(t, x.excused, s.Violation() == nil, "%s: %s", what, x.name)
		}
	}
}

// 11.2: what a replica knows to be committed when it starts is compared as what it learns later.
func TestACommitNumberOffTheDiskIsCompared(t *testing.T) {
	s, err := New(Calm(1), ListWork(10, 0, 0), nil)
	require.NoError(t, err)
	s.Begin()
	s.RunFor(3 * time.Second)
	h := s.hosts[1]
	h.fall(false, h.disk.Rand)
	h.start()
	require.Nil(t, s.Violation())
	op := h.proc.core.State().Commit
	require.NotZero(t, op)
	s.ledger.committed[op].View = 9 // as if the others had committed another entry there
	s.RunFor(10 * time.Millisecond)
	require.NotNil(t, s.Violation())
	assert.Equal(t, "11.2", s.Violation().Rule)
	assert.Contains(t, s.Violation().Text, "b: ")
}
