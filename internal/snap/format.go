package snap

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash"
	"hash/crc32"
)

// The format of a snapshot file. Numbers are little-endian.
//
//	0             +--------------+
//	              | file header  |
//	512           +--------------+
//	              | chunk 0      |
//	512 + s       +--------------+
//	              | chunk 1      |   all chunks have s bytes, except the last, which has
//	              | ...          |   13 to s bytes; s is a power of two
//	512 + size    +--------------+
//
// The file header fills one sector:
//
//	0    8   "smrsnap\n"
//	8    4   version, 3
//	12   4   number of chunks
//	16   8   size: bytes of all chunks
//	24   8   epoch  \
//	32   8   view    | of the last op
//	40   8   op     /
//	48   1   length of the group's name
//	49   255 the group's name, then zeros
//	304  16  id of the group
//	320  156 zeros
//	476  32  SHA-256 of all chunks, followed by bytes 0 to 475 of this header: the hash of the ID
//	508  4   CRC32C of bytes 0 to 507; later versions keep it here
//
// s is not stored, because at most one power of two divides size into that number of chunks; with
// a single chunk s does not matter.
//
// A chunk has the same format on disk and on the wire:
//
//	0    4   CRC32C of bytes 24 to 319 of the file header, then of this chunk from byte 4
//	4    4   length of the payload, never 0: zeros are not a valid chunk (F3)
//	8    4   number of the chunk, from 0
//	12   ... payload
//
// A chunk is therefore valid only in its place in a snapshot of its group and viewstamp (F10).
//
// The concatenated payloads are the content:
//
//	0    4   length of the caller's header
//	4    ... the caller's header
//	     ... the state
const (
	magic          = "smrsnap\n"
	version        = 3
	fileHeaderSize = 512
	stampAt        = 24
	groupAt        = 48
	groupIDAt      = 304
	stampEnd       = 320
	hashAt         = 476
	crcAt          = 508
	chunkHeadSize  = 12
	maxGroup       = groupIDAt - groupAt - 1
)

// Limits on snapshots, both those written here and those described by a file or a peer.
const (
	MinChunkSize     = 64
	DefaultChunkSize = 64 << 10
	MaxChunkSize     = 1 << 20
	MaxChunks        = 1 << 24 // 4 TiB in chunks of the default size
	MaxHeader        = 1 << 20 // bytes of Info.Header, which stays in memory
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// layout is the content of a file header.
type layout struct {
	group     string
	id        ID
	size      int64
	chunks    uint32
	chunkSize int64
	seed      uint32 // seed of the chunks' checksums
}

// newLayout returns the layout of the snapshot described by info, or an error if its numbers are
// invalid: they may come from elsewhere, and memory and disk space are allocated by them.
func newLayout(group string, info Info) (layout, error) {
	l := layout{group: group, id: info.ID, size: info.Size, chunks: info.Chunks}
	if l.chunks == 0 || l.chunks > MaxChunks {
		return l, fmt.Errorf("it has %d chunks, but must have 1 to %d", l.chunks, MaxChunks)
	}
	if l.chunkSize = chunkSize(l.size, l.chunks); l.chunkSize == 0 {
		return l, fmt.Errorf("%d bytes cannot be divided into %d chunks of a valid size", l.size, l.chunks)
	}
	h := l.encode()
	l.seed = seed(h)
	return l, nil
}

// chunkSize returns the chunk size that divides size into the given number of chunks, or 0 if none
// does.
func chunkSize(size int64, chunks uint32) int64 {
	for s := int64(MinChunkSize); s <= MaxChunkSize; s *= 2 {
		if last := size - int64(chunks-1)*s; last > chunkHeadSize && last <= s {
			return s
		}
	}
	return 0
}

func seed(h []byte) uint32 { return crc32.Checksum(h[stampAt:stampEnd], castagnoli) }

func (l *layout) info(header []byte) Info {
	return Info{ID: l.id, Size: l.size, Chunks: l.chunks, Header: header}
}

func (l *layout) fileSize() int64 { return fileHeaderSize + l.size }

func (l *layout) offset(chunk uint32) int64 { return fileHeaderSize + int64(chunk)*l.chunkSize }

func (l *layout) length(chunk uint32) int64 {
	return min(l.chunkSize, l.size-int64(chunk)*l.chunkSize)
}

// encode returns the file header.
func (l *layout) encode() []byte {
	h := make([]byte, fileHeaderSize)
	copy(h, magic)
	binary.LittleEndian.PutUint32(h[8:], version)
	binary.LittleEndian.PutUint32(h[12:], l.chunks)
	binary.LittleEndian.PutUint64(h[16:], uint64(l.size))
	binary.LittleEndian.PutUint64(h[24:], l.id.Epoch)
	binary.LittleEndian.PutUint64(h[32:], l.id.View)
	binary.LittleEndian.PutUint64(h[40:], l.id.Op)
	h[groupAt] = byte(len(l.group))
	copy(h[groupAt+1:groupIDAt], l.group)
	copy(h[groupIDAt:], l.id.Group[:])
	copy(h[hashAt:], l.id.Hash[:])
	binary.LittleEndian.PutUint32(h[crcAt:], crc32.Checksum(h[:crcAt], castagnoli))
	return h
}

// decode parses a file header. It returns ErrCorrupt if the header is damaged, and ErrForeign if it
// was written in another format version.
func decode(h []byte) (layout, error) {
	if len(h) != fileHeaderSize || string(h[:len(magic)]) != magic {
		return layout{}, fmt.Errorf("%w: it does not begin with a file header", ErrCorrupt)
	}
	if got, want := crc32.Checksum(h[:crcAt], castagnoli), binary.LittleEndian.Uint32(h[crcAt:]); got != want {
		return layout{}, fmt.Errorf("%w: file header has checksum %08x, not %08x", ErrCorrupt, got, want)
	}
	if v := binary.LittleEndian.Uint32(h[8:]); v != version {
		return layout{}, fmt.Errorf("%w: its format version is %d, this program supports %d; run the version that wrote it",
			ErrForeign, v, version)
	}
	l, err := newLayout(groupOf(h), describe(h))
	if err == nil && !bytes.Equal(l.encode(), h) {
		err = fmt.Errorf("file header has unused bytes that are not zero")
	}
	if err != nil {
		return layout{}, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return l, nil
}

func groupOf(h []byte) string { return string(h[groupAt+1:][:h[groupAt]]) }

func describe(h []byte) Info {
	return Info{
		ID: ID{
			Group: [16]byte(h[groupIDAt:stampEnd]),
			Epoch: binary.LittleEndian.Uint64(h[24:]),
			View:  binary.LittleEndian.Uint64(h[32:]),
			Op:    binary.LittleEndian.Uint64(h[40:]),
			Hash:  [32]byte(h[hashAt:crcAt]),
		},
		Chunks: binary.LittleEndian.Uint32(h[12:]),
		Size:   int64(binary.LittleEndian.Uint64(h[16:])),
	}
}

// identity returns the hash of the ID. chunks is a hash that has been fed all chunks.
func (l *layout) identity(chunks hash.Hash) (sum [32]byte) {
	chunks.Write(l.encode()[:hashAt])
	chunks.Sum(sum[:0])
	return sum
}

// seal fills in the head of a chunk whose payload is in place.
func seal(chunk []byte, number, seed uint32) {
	binary.LittleEndian.PutUint32(chunk[4:], uint32(len(chunk)-chunkHeadSize))
	binary.LittleEndian.PutUint32(chunk[8:], number)
	binary.LittleEndian.PutUint32(chunk, crc32.Update(seed, castagnoli, chunk[4:]))
}

// payload checks that data is chunk i, complete and unchanged, and returns its payload.
func (l *layout) payload(i uint32, data []byte) ([]byte, error) {
	if i >= l.chunks {
		return nil, fmt.Errorf("no chunk %d exists in a snapshot of %d chunks", i, l.chunks)
	}
	if got, want := int64(len(data)), l.length(i); got != want {
		return nil, fmt.Errorf("chunk %d has %d bytes, not %d", i, got, want)
	}
	got, want := crc32.Update(l.seed, castagnoli, data[4:]), binary.LittleEndian.Uint32(data)
	if got != want {
		return nil, fmt.Errorf("chunk %d has checksum %08x, not %08x", i, got, want)
	}
	length, number := binary.LittleEndian.Uint32(data[4:]), binary.LittleEndian.Uint32(data[8:])
	if number != i || int(length) != len(data)-chunkHeadSize {
		return nil, fmt.Errorf("chunk %d with %d bytes is in the place of chunk %d with %d",
			number, length, i, len(data)-chunkHeadSize)
	}
	return data[chunkHeadSize:], nil
}
