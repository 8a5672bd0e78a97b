package record

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/smr-go/smr/internal/vsr"
)

func name(i vsr.Index) string { return string(rune('a' + i)) }

var (
	stamp    = vsr.Viewstamp{Epoch: 1, View: 2, Op: 7}
	batch    = []vsr.Entry{{Epoch: 1, View: 2, Op: 8, Body: []byte("x")}, {Epoch: 1, View: 2, Op: 9}}
	snapshot = vsr.Snapshot{SnapshotID: vsr.SnapshotID{Last: stamp}, Size: 100, Chunks: 2}
)

func TestEventsInWords(t *testing.T) {
	for want, e := range map[string]vsr.Event{
		"Tick":                                       &vsr.Tick{},
		"Saved {Seq:3}":                              &vsr.Saved{Seq: 3},
		"Propose \"x\"":                              &vsr.Propose{Body: []byte("x")},
		"Handover to any member":                     &vsr.Handover{To: -1},
		"Carried to b":                               &vsr.Carried{To: 1},
		"Dropped to b":                               &vsr.Dropped{To: 1},
		"Handover to c":                              &vsr.Handover{To: 2},
		"Loaded for b [8@1.2..9@1.2]":                &vsr.Loaded{Load: vsr.Load{For: 1}, Entries: batch},
		"SnapshotTaken 7@1.2 100 bytes":              &vsr.SnapshotTaken{Snapshot: snapshot},
		"SnapshotDamaged 7@1.2":                      &vsr.SnapshotDamaged{Snapshot: snapshot.SnapshotID},
		"ChunkRead for b 7@1.2 chunk=1 ok=false":     &vsr.ChunkRead{Chunk: vsr.ChunkWanted{To: 1, Snapshot: snapshot.SnapshotID, Chunk: 1}},
		"ChunksMissing 7@1.2 2 chunks, error: <nil>": &vsr.ChunksMissing{Snapshot: snapshot.SnapshotID, Missing: []uint32{0, 1}},
		"ChunkWritten 7@1.2 chunk=1 ok=true":         &vsr.ChunkWritten{Snapshot: snapshot.SnapshotID, Chunk: 1, OK: true},
		"SnapshotReceived 7@1.2 error: damaged":      &vsr.SnapshotReceived{Snapshot: snapshot, Err: errors.New("damaged")},
		"Receive from b: PrepareOK {View:2 Op:9}":    &vsr.Receive{From: 1, Message: &vsr.PrepareOK{View: 2, Op: 9}},
	} {
		assert.Equal(t, want, eventInWords(e, name))
	}
}

func TestOutputInWords(t *testing.T) {
	assert.Empty(t, outputInWords(&vsr.Output{}, name))
	base := stamp
	assert.Equal(t, []string{
		"stop: lost",
		"save #4 view=2 start=0.00000001 [8@1.2..9@1.2] from=8 base=7@1.2",
		"send to b, c: PrepareOK {View:2 Op:9}",
		"load for b 3 to 5",
		"settle request 6: full",
		"read 1 at op 9",
		"restore the snapshot 7@1.2",
		"apply [8@1.2..9@1.2]",
		"take a snapshot",
		"compact up to 3, and up to 7 if the log is too large",
		"send to b: chunk 1 of the snapshot 7@1.2",
		"complete the snapshot 7@1.2",
		"write chunk 1 of the snapshot 7@1.2, 3 bytes",
		"begin or resume the snapshot 7@1.2",
	}, outputInWords(&vsr.Output{
		Err:      errors.New("lost"),
		Save:     &vsr.Save{Seq: 4, Head: vsr.Head{View: 2, Start: 1}, From: 8, Base: &base, Entries: batch},
		Messages: []vsr.Outgoing{{To: []vsr.Index{1, 2}, Message: &vsr.PrepareOK{View: 2, Op: 9}}},
		Loads:    []vsr.Load{{For: 1, From: 3, To: 5}},
		Settled:  []vsr.Settled{{Request: 6, Err: errors.New("full")}},
		Reads:    []vsr.ReadReady{{Read: 1, Op: 9}},
		Restore:  &snapshot, Apply: batch, Retake: true, Compact: &vsr.Compact{Keep: 3, Snapshot: 7},
		Chunks: []vsr.ChunkWanted{{To: 1, Snapshot: snapshot.SnapshotID, Chunk: 1}},
		Fetch:  []vsr.FetchStep{{Snapshot: snapshot, Complete: true}, {Snapshot: snapshot, Chunk: 1, Data: make([]byte, 3)}, {Snapshot: snapshot}},
	}, name))
}
