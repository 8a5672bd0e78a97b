package sim

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr/internal/vsr"
)

// 11.6: what a backup says must be true of its own disk and of the log of its view's primary, which the ledger knows
// when that is down, too.
func TestFalseClaimsAreNoticed(t *testing.T) {
	s, err := New(Calm(1), ListWork(10, 0, 0), nil)
	require.NoError(t, err)
	s.Begin()
	s.RunFor(3 * time.Second)
	require.Nil(t, s.Violation())
	require.NoError(t, s.make(Fault{Kind: Crash, Host: 0}))
	p := s.hosts[1].proc
	last, commit := p.h.truth.last, s.ledger.end()
	require.Greater(t, commit.Op, vsr.OpNumber(5))
	at := func(op vsr.OpNumber) *vsr.Entry { return &s.ledger.find(s.ledger.at(last, op)).entry }
	other := func(e vsr.Entry) vsr.Entry { e.Body = []byte("other"); return e }
	fork := vsr.Viewstamp{Epoch: 1, View: 9, Op: last.Op}
	require.NoError(t, s.ledger.add(s.ledger.at(last, last.Op-1), &vsr.Entry{Op: fork.Op, Epoch: 1, View: 9, Time: 1 << 62, Kind: vsr.Opening}))

	true3, claims := *at(3), func(m vsr.Message) error { return s.claims(p, p.core.Header(), m) }
	chunk := &vsr.SnapshotChunk{Snapshot: vsr.SnapshotID{Last: at(3).Stamp()}, Data: []byte("data")}
	for _, m := range []vsr.Message{
		&vsr.PrepareOK{Op: last.Op}, &vsr.CommitOK{Op: last.Op}, chunk,
		&vsr.NewState{Best: last, Prev: at(2).Stamp(), Entries: []vsr.Entry{true3}},
		&vsr.Gap{Prev: 3, Last: at(3).Stamp()},
		&vsr.Prepare{Prev: at(2).Stamp(), Entries: []vsr.Entry{true3}},
	} {
		assert.NoError(t, claims(m), "%s", showMessage(m))
	}
	for _, m := range []vsr.Message{
		&vsr.PrepareOK{Op: last.Op + 1},
		&vsr.NewState{Best: at(3).Stamp(), Prev: at(2).Stamp(), Entries: []vsr.Entry{true3}},
		&vsr.NewState{Best: last, Prev: at(1).Stamp(), Entries: []vsr.Entry{true3}},
		&vsr.NewState{Best: last, Prev: at(2).Stamp(), Entries: []vsr.Entry{other(true3)}},
		&vsr.Gap{Prev: 3, Last: at(4).Stamp()},
		&vsr.Gap{Prev: 3, Last: stamp(9, 3)},
		&vsr.Prepare{Prev: at(2).Stamp(), Entries: []vsr.Entry{other(true3)}},
		&vsr.Prepare{Prev: s.ledger.at(last, last.Op-1), Entries: []vsr.Entry{s.ledger.find(fork).entry}},
		&vsr.SnapshotChunk{Snapshot: chunk.Snapshot, Data: []byte("date")},
		&vsr.SnapshotChunk{Snapshot: vsr.SnapshotID{Last: stamp(9, 3)}, Data: []byte("data")},
		&vsr.SnapshotOffer{Snapshot: vsr.Snapshot{SnapshotID: vsr.SnapshotID{Last: stamp(9, 3)}}},
	} {
		assert.Error(t, claims(m), "%s", showMessage(m))
	}
	p.h.truth.last = fork
	assert.ErrorContains(t, claims(&vsr.PrepareOK{Op: last.Op}), "the primary's", "though that is down")
}
