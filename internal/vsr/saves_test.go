package vsr

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// 11.10: of the messages that wait for one save, a later one takes the place of an earlier one only if it is of the same
// kind, supersedes it and goes to the same members.
func TestDeferredMessagesSupersedeTheirLike(t *testing.T) {
	gap := func(to Index, prev OpNumber) Outgoing { return Outgoing{To: []Index{to}, Message: &Gap{Prev: prev}} }
	ok := Outgoing{To: []Index{1}, Message: &PrepareOK{Op: 1}}
	reply := Outgoing{To: []Index{1}, Message: &Reply{Attempt: 1}}
	var s saves
	for _, x := range []deferredMessage{{1, gap(1, 1)}, {1, gap(2, 2)}, {1, ok}, {1, reply}, {1, reply}, {1, gap(1, 3)}, {2, gap(1, 4)}, {2, gap(1, 5)}} {
		s.deferUntilSaved(x)
	}
	require.Equal(t, []deferredMessage{{1, gap(1, 3)}, {1, gap(2, 2)}, {1, ok}, {1, reply}, {1, reply}, {2, gap(1, 5)}}, s.deferred)
}

// S2: a replica reports that it stays out of a group once it remembers that durably, and not when an earlier save is
// complete.
func TestAReplicaStaysOutDurably(t *testing.T) {
	g := newTestGroup(3)
	g.start(g.hosts[0])
	r := g.hosts[0].core
	finishTurn(r)
	saves := func() uint64 {
		out := r.Ready(r.now)
		require.NotNil(t, out.Save)
		return out.Save.Seq
	}
	r.saveIdentity()
	earlier := saves()
	r.learnGroup(GroupID{9})
	later := saves()
	r.Step(r.now, &Saved{Seq: earlier})
	require.NotEqual(t, Outside, r.phase())
	r.Step(r.now, &Saved{Seq: later})
	require.Equal(t, Outside, r.phase())
}
