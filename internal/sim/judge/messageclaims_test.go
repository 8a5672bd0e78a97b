package judge

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr/internal/vsr"
)

// 11.6: what a backup sends must be true of its own disk and of the log of its view's primary, even when that is down.
func TestFalseClaimsAreNoticed(t *testing.T) {
	g := committed(t)
	last, one, two := stamp(0, 4), stamp(0, 1), stamp(0, 2)
	x := command(3, 1, "x")
	forged := x
	forged.Body = []byte("other")
	fork := entry(9, 4)
	require.NoError(t, g.ledger.add(x.Stamp(), &fork))
	send := func(m vsr.Message) error {
		return g.Sends(1, vsr.Header{Group: vsr.GroupID{1}, Epoch: 1, Incarnation: incarnation, Start: 1}, m)
	}
	at3, at9 := vsr.SnapshotID{Last: x.Stamp()}, vsr.SnapshotID{Last: stamp(9, 3)}
	for _, m := range []vsr.Message{
		&vsr.PrepareOK{Op: 4}, &vsr.CommitOK{Op: 4}, &vsr.SnapshotChunk{Snapshot: at3, Data: []byte("data")},
		&vsr.NewState{Best: last, Prev: two, Entries: []vsr.Entry{x}},
		&vsr.Gap{Prev: 3, Last: x.Stamp()},
		&vsr.Prepare{Prev: two, Entries: []vsr.Entry{x}},
		&vsr.DoViewChange{View: 2, Last: last, Commit: 4},
	} {
		if _, isVote := m.(*vsr.DoViewChange); isVote {
			g.saves(1, 2)
		}
		assert.NoError(t, send(m), "%+v", m)
	}
	assert.NoError(t, send(&vsr.Gap{Prev: 3, Last: stamp(9, 3)}), "of a view that the turn has ended")
	for _, m := range []vsr.Message{
		&vsr.PrepareOK{Op: 4}, &vsr.PrepareOK{View: 2, Op: 5}, &vsr.Commit{Commit: 5}, &vsr.StartViewChange{View: 3},
		&vsr.NewState{Best: x.Stamp(), Prev: two, Entries: []vsr.Entry{x}},
		&vsr.NewState{Best: last, Prev: one, Entries: []vsr.Entry{x}},
		&vsr.NewState{Best: last, Prev: two, Entries: []vsr.Entry{forged}},
		&vsr.Gap{Prev: 3, Last: last},
		&vsr.Gap{View: 2, Prev: 3, Last: stamp(9, 3)},
		&vsr.Prepare{Prev: two, Entries: []vsr.Entry{forged}},
		&vsr.Prepare{Prev: x.Stamp(), Entries: []vsr.Entry{fork}},
		&vsr.DoViewChange{View: 2, Last: x.Stamp()},
		&vsr.SnapshotChunk{Snapshot: at3, Data: []byte("date")},
		&vsr.SnapshotChunk{Snapshot: at9, Data: []byte("data")},
		&vsr.SnapshotOffer{Snapshot: vsr.Snapshot{SnapshotID: at9}},
	} {
		violated(t, "11.6", send(m), "%+v", m)
	}
	g.saves(1, 2, entry(2, 5))
	assert.NoError(t, send(&vsr.DoViewChange{View: 2, Last: last}), "the view has begun meanwhile")
	violated(t, "11.6", send(&vsr.DoViewChange{View: 2, Last: x.Stamp()}), "the log did not end so when the view began")
	violated(t, "11.6", g.Sends(1, vsr.Header{}, &vsr.Question{}), "another header than the disk's")
	violated(t, "11.6", send(&vsr.Answer{}), "it belongs to a group")
	assert.NoError(t, send(&vsr.Answer{Group: vsr.GroupID{1}, Confirmed: true}))
	g.group = vsr.GroupID{}
	assert.NoError(t, send(&vsr.Answer{Group: vsr.GroupID{1}}))
	violated(t, "11.6", send(&vsr.Answer{Group: vsr.GroupID{1}, Confirmed: true}), "it is not confirmed")

	g = committed(t)
	require.NoError(t, g.ledger.add(x.Stamp(), &fork))
	g.members[1].disk.Last = fork.Stamp()
	assert.ErrorContains(t, send(&vsr.PrepareOK{Op: 4}), "the primary's")
}
