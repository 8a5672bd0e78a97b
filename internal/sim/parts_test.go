package sim

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr/internal/vsr"
)

func stamp(view vsr.View, op vsr.OpNumber) vsr.Viewstamp {
	return vsr.Viewstamp{Epoch: 1, View: view, Op: op}
}

// history is a ledger with 1@0 2@0 3@0, and another log that goes on from 1@0 with 2@1 3@1.
func history(t *testing.T) *ledger {
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
	l := history(t)
	assert.Equal(t, stamp(0, 1), l.at(stamp(1, 3), 1))
	assert.Equal(t, stamp(1, 2), l.at(stamp(1, 3), 2))
	assert.True(t, l.holds(stamp(0, 3), stamp(0, 2)))
	assert.False(t, l.holds(stamp(1, 3), stamp(0, 2)))
	assert.False(t, l.holds(stamp(0, 1), stamp(0, 2)))
}

// 11.4, 11.2: another entry at a known viewstamp, or another history, is noticed.
func TestLedgerNoticesForks(t *testing.T) {
	l := history(t)
	assert.ErrorContains(t, l.add(stamp(0, 1), &vsr.Entry{Op: 2, Epoch: 1, Kind: vsr.Command, Body: []byte("x")}), "11.4")
	assert.ErrorContains(t, l.add(stamp(1, 3), &vsr.Entry{Op: 4, Epoch: 1, Kind: vsr.Command}), "11.4")
	_, err := l.commit(stamp(0, 2))
	require.NoError(t, err)
	_, err = l.commit(stamp(1, 3))
	assert.ErrorContains(t, err, "11.2")
}

// 11.3: with (Qr, Qv) = (2, 2), one disk of three is not enough for what is committed.
func TestQuorumsThatCouldLoseAnOp(t *testing.T) {
	s := newSim(1, &Profile{Replicas: 3}, 0)
	s.ledger = history(t)
	_, err := s.ledger.commit(stamp(0, 2))
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
	l := history(t)
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
	for _, bad := range []*found{opened(0, stamp(0, 2)), opened(1, stamp(0, 3)), opened(0, stamp(1, 3))} {
		_, err := d.recovered(l, flight, bad)
		assert.ErrorContains(t, err, "S5", "view %d, %v", bad.Head.View, bad.Last)
	}
}

// 11.7, 11.8, X4: the witness compares what it has not done itself.
func TestWitness(t *testing.T) {
	w := newWitness()
	open := vsr.Entry{Op: 1, Kind: vsr.OpenSession, Body: append([]byte{1, 'a'}, make([]byte, 17)...)}
	require.NoError(t, w.replay(&open))
	run := func(op vsr.OpNumber, request, id uint64) error {
		return w.replay(&vsr.Entry{Op: op, Kind: vsr.Command, Session: 1, Request: request, Floor: 1, Body: command(appends, 0, id, 0, 3)})
	}
	require.NoError(t, run(2, 1, 7))
	require.NoError(t, run(3, 1, 7), "the same request again has no effect")
	assert.Equal(t, 1, w.commands)
	op, err := w.answered(7, w.outcomes[2].result)
	assert.NoError(t, err)
	assert.EqualValues(t, 2, op)
	_, err = w.answered(7, []byte("else"))
	assert.ErrorContains(t, err, "11.7")
	assert.ErrorContains(t, w.applied(2, outcome{executed: true, result: w.outcomes[2].result}), "11.8")
	assert.ErrorContains(t, w.applied(4, outcome{}), "not committed")
	assert.ErrorContains(t, run(4, 2, 7), "11.7", "one command in two requests")
	assert.NoError(t, w.never(8))
	assert.ErrorContains(t, run(5, 3, 8), "X4")
	assert.ErrorContains(t, w.never(7), "X4")
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
