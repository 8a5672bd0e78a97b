package wire

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/smr-go/smr/internal/vsr"
)

// C1: heartbeats and their like go ahead of entries and chunks. Only a message of the same kind supersedes another.
func TestShortMessagesAreToldFromBulk(t *testing.T) {
	encoded := func(m vsr.Message) []byte { return AppendMessage(nil, 1, vsr.Header{}, m) }
	commit, prepare := encoded(&vsr.Commit{View: 1}), encoded(&vsr.Prepare{View: 1})
	for _, m := range [][]byte{commit, encoded(&vsr.CommitOK{}), encoded(&vsr.PrepareOK{}), encoded(&vsr.StartViewChange{}), encoded(&vsr.GetChunk{})} {
		assert.True(t, Ahead(m))
	}
	for _, m := range [][]byte{prepare, encoded(&vsr.Request{}), encoded(&vsr.SnapshotChunk{}), []byte("not a message of this version"), nil} {
		assert.False(t, Ahead(m))
	}
	relay := func(from, to vsr.Index, m vsr.Message) []byte {
		return encoded(&vsr.Relay{From: from, To: to, Message: m})
	}
	assert.True(t, Ahead(relay(0, 2, &vsr.Commit{})))
	assert.False(t, Ahead(relay(0, 2, &vsr.Prepare{})))
	assert.True(t, Supersedes(relay(0, 2, &vsr.Commit{View: 2}), relay(0, 2, &vsr.Commit{})))
	for _, m := range [][]byte{relay(2, 0, &vsr.Commit{}), relay(0, 1, &vsr.Commit{}), relay(0, 2, &vsr.CommitOK{}), commit} {
		assert.False(t, Supersedes(relay(0, 2, &vsr.Commit{View: 2}), m))
	}
	assert.True(t, Supersedes(encoded(&vsr.Commit{View: 2}), commit))
	assert.False(t, Supersedes(encoded(&vsr.CommitOK{}), commit))
	assert.False(t, Supersedes(prepare, prepare))
	assert.False(t, Supersedes(nil, nil))
}
