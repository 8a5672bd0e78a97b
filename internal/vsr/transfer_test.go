package vsr

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// 11.10: a replica whose disk hangs while it receives a snapshot requests each chunk once the view
// is durable, and not again with each timeout.
func TestChunksAreAskedForOnceTheViewIsDurable(t *testing.T) {
	r := member(t, 1)
	h := Header{Group: GroupID{9}, Epoch: 1, Incarnation: threeIDs[1], Start: 1}
	s := Snapshot{SnapshotID: SnapshotID{Last: stampOf(1, 4, 100)}, Size: 100, Chunks: 3}
	r.Step(r.now, &Receive{From: 1, Header: h, Message: &SnapshotOffer{View: 4, First: 101, Snapshot: s}})
	r.Ready(r.now)
	r.Step(r.now, &ChunksMissing{Snapshot: s.SnapshotID, Missing: []uint32{0, 1, 2}})
	for range 20 {
		r.Ready(r.now)
		require.NoError(t, r.Check())
		r.Step(r.now.Add(5*time.Second), &Tick{})
	}
	r.Step(r.now, &Saved{Seq: r.saves.issuedSeq})
	asked := map[uint32]int{}
	for _, m := range r.Ready(r.now).Messages {
		if m, ok := m.Message.(*GetChunk); ok {
			asked[m.Chunk]++
		}
	}
	assert.Equal(t, map[uint32]int{0: 1, 1: 1, 2: 1}, asked)
}
