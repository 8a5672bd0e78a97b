package snap

import (
	"encoding/binary"
	"encoding/hex"
	"hash/crc32"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr/internal/vfs"
)

func rechecksum(h []byte) {
	binary.LittleEndian.PutUint32(h[crcAt:], crc32.Checksum(h[:crcAt], castagnoli))
}

// This file, checked byte by byte, matches the drawing of the format.
func TestFormat(t *testing.T) {
	m := vfs.NewMem()
	s := open(t, m)
	w, err := s.Create(ID{Group: [16]byte{7, 15: 9}, Epoch: 1, View: 2, Op: 3}, []byte("head"))
	require.NoError(t, err)
	_, err = w.Write([]byte("the state, which is somewhat longer than one chunk"))
	require.NoError(t, err)
	info, err := w.Commit()
	require.NoError(t, err)
	b, err := m.ReadFile(file(info, complete))
	require.NoError(t, err)

	assert.Equal(t, "smrsnap\n"+"\x03\x00\x00\x00"+"\x02\x00\x00\x00"+"\x52\x00\x00\x00\x00\x00\x00\x00", string(b[:24]))
	assert.Equal(t, "\x01\x00\x00\x00\x00\x00\x00\x00"+"\x02\x00\x00\x00\x00\x00\x00\x00"+"\x03\x00\x00\x00\x00\x00\x00\x00", string(b[24:48]))
	assert.Equal(t, "\x01g", string(b[48:50]))
	assert.Equal(t, make([]byte, 254), b[50:304])
	assert.Equal(t, "\x07"+strings.Repeat("\x00", 14)+"\x09", string(b[304:320]))
	assert.Equal(t, make([]byte, 156), b[320:476])
	assert.Equal(t, info.ID.Hash[:], b[476:508])
	assert.Equal(t, "\x34\x00\x00\x00"+"\x00\x00\x00\x00"+"\x04\x00\x00\x00"+"head", string(b[516:532]))
	assert.Equal(t, "the state, which is somewhat longer than one", string(b[532:576]))
	assert.Equal(t, "\x06\x00\x00\x00"+"\x01\x00\x00\x00"+" chunk", string(b[580:]))
	assert.Equal(t, "b7a15f1fa71cfe68071a7f27a80b1c207a4efabafcb42c742ee74a77794eb174", hex.EncodeToString(info.ID.Hash[:]))
}

// At most one chunk size divides a size into a number of chunks, and chunkSize finds it.
func TestChunkSize(t *testing.T) {
	for _, chunk := range []int64{64, 256, MaxChunkSize} {
		for chunks := int64(1); chunks < 40; chunks++ {
			for _, last := range []int64{chunkHeadSize, chunkHeadSize + 1, chunk/2 + 1, chunk, chunk + 1} {
				size := (chunks-1)*chunk + last
				got := chunkSize(size, uint32(chunks))
				switch {
				case last > chunkHeadSize && last <= chunk && chunks > 1:
					require.Equal(t, chunk, got, "%d bytes, %d chunks", size, chunks)
				case last > chunkHeadSize && last <= chunk:
					require.GreaterOrEqual(t, got, size)
				default:
					require.NotEqual(t, chunk, got)
				}
			}
		}
	}
	for _, size := range []int64{-1 << 63, -1, 0, chunkHeadSize, MaxChunkSize + 1, 1<<63 - 1} {
		assert.Zero(t, chunkSize(size, 1), size)
	}
}

// Encoding a decoded header yields the same bytes.
func FuzzFileHeader(f *testing.F) {
	l := layout{group: "g", id: ID{Group: [16]byte{5}, Epoch: 1, View: 2, Op: 3, Hash: [32]byte{4}}, size: 1000, chunks: 16}
	good := l.encode()
	f.Add(good, false)
	f.Add(good[:100], true)
	f.Add(make([]byte, fileHeaderSize), true)
	for _, at := range []int{8, 12, 16, groupAt, 300, 400} {
		h := l.encode()
		h[at] ^= 0x55
		f.Add(h, true)
	}
	f.Fuzz(func(t *testing.T, h []byte, fix bool) {
		if fix && len(h) == fileHeaderSize {
			rechecksum(h)
		}
		l, err := decode(h)
		if err != nil {
			return
		}
		require.Equal(t, h, l.encode())
		require.LessOrEqual(t, l.chunks, uint32(MaxChunks))
		require.LessOrEqual(t, l.length(l.chunks-1), l.chunkSize)
		require.Equal(t, l.fileSize(), l.offset(l.chunks-1)+l.length(l.chunks-1))
	})
}

// Opening a file with any content does no harm, and only the contents that its ID covers are
// returned.
func FuzzFile(f *testing.F) {
	m := vfs.NewMem()
	info := mustCreate(f, open(f, m), 5, state(150, 5))
	good, err := m.ReadFile(file(info, complete))
	require.NoError(f, err)
	f.Add(good)
	f.Add(good[:600])
	f.Add(append(good[:fileHeaderSize:fileHeaderSize], make([]byte, len(good)-fileHeaderSize)...))
	f.Fuzz(func(t *testing.T, b []byte) {
		m := vfs.NewMem()
		require.NoError(t, m.MkdirAll(dir))
		w, err := m.OpenFile(file(info, complete), os.O_CREATE)
		require.NoError(t, err)
		_, err = w.WriteAt(b, 0)
		require.NoError(t, err)
		s, err := Open(m, dir, small)
		if err != nil {
			require.ErrorIs(t, err, ErrForeign)
			return
		}
		if got, _, err := read(s, info.ID); err == nil {
			require.Equal(t, good, b)
			require.Equal(t, state(150, 5), got)
		} else {
			require.ErrorIs(t, err, ErrCorrupt)
		}
	})
}
