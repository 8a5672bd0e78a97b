package snap

import (
	"path"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr/internal/vfs"
)

// Extents finds the chunks that ReadChunk returns. Without an intact header it finds none.
func TestExtentsAreTheChunks(t *testing.T) {
	fs := vfs.NewMem()
	s := open(t, fs)
	info := mustCreate(t, s, 5, state(300, 1))
	b, err := fs.ReadFile(path.Join(dir, fileName(info.ID, complete)))
	require.NoError(t, err)
	header, chunks := Extents(b)
	require.Len(t, chunks, int(info.Chunks))
	for i, x := range chunks {
		chunk, err := s.ReadChunk(info.ID, uint32(i))
		require.NoError(t, err)
		assert.Equal(t, chunk, b[x.Off:][:x.Size])
	}
	assert.Equal(t, chunks[0].Off, header.Size)
	b[20] ^= 1
	_, chunks = Extents(b)
	assert.Empty(t, chunks)
	_, chunks = Extents(b[:10])
	assert.Empty(t, chunks)
}
