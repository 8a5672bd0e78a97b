package words

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/smr-go/smr/internal/vsr"
)

var (
	stamp    = vsr.Viewstamp{Epoch: 1, View: 2, Op: 7}
	batch    = []vsr.Entry{{Epoch: 1, View: 2, Op: 8, Body: []byte("x")}, {Epoch: 1, View: 2, Op: 9}}
	snapshot = vsr.Snapshot{SnapshotID: vsr.SnapshotID{Last: stamp}, Size: 100, Chunks: 2}
)

func TestMessages(t *testing.T) {
	for want, m := range map[string]vsr.Message{
		"Prepare view=2 after=7@1.2 [8@1.2..9@1.2] commit=6":          &vsr.Prepare{View: 2, Prev: stamp, Commit: 6, Entries: batch},
		"NewState view=3 best=7@1.2 after=0@0.0 gone=true []":         &vsr.NewState{View: 3, Best: stamp, Gone: true},
		"Request view=2 attempt=4 1 requests":                         &vsr.Request{View: 2, Attempt: 4, Requests: make([]vsr.Proposal, 1)},
		"Part stream=2 part=7 last=true 5 bytes":                      &vsr.Part{Stream: 2, Number: 7, Last: true, Data: make([]byte, 5)},
		"SnapshotChunk 7@1.2 chunk=1 5 bytes":                         &vsr.SnapshotChunk{Snapshot: snapshot.SnapshotID, Chunk: 1, Data: make([]byte, 5)},
		"CommitOK {View:2 Round:5 Op:9 Applied:8 Full:true Problem:}": &vsr.CommitOK{View: 2, Round: 5, Op: 9, Applied: 8, Full: true},
	} {
		assert.Equal(t, want, Message(m))
	}
}
