package wal

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
)

// A log's directory holds
//
//	lock                   the lock file of the process that uses the log (F18)
//	head                   two copies of the head, at offsets 0 and 4096
//	0000000000000001.log   the segments, numbered without gaps
//	reserve                a preallocated file for the next segment on a full disk
//	*.new                  a head or segment being created; it is ignored until it is renamed
//
// All numbers are little-endian, all checksums CRC32C. Every later version of the format keeps
// magic and version where they are, and ends the sector of 512 bytes with its checksum, so that a
// program recognizes a file that is newer than itself.
//
//	copy of the head, 512 bytes:              segment header, 512 bytes:
//
//	  0 magic     8      "smr-head"           0 magic     8      "smr-wal\n"
//	  8 version   4                           8 version   4
//	 12 identity  4      its length          12 identity  4      its length
//	 16 sequence  8      of this copy        16 segment   8      its number
//	 24 mark      8                          24 first     8      serial of its first save
//	 32 first     8      first segment       32 mark      8
//	 40 head     80                          40 chain     4      check of the save before first
//	120 identity 256                        120 identity 256
//	508 check     4      of bytes 0..508    508 check     4      of bytes 0..508: the segment's seed
//
// Saves follow the segment's header. The saves made durable by one sync form a batch. A batch
// begins at a sector and fills its last sector with zeros, so that a torn sector never holds
// anything that was synced earlier. It never crosses into another segment.
//
//	save, 176 bytes and its records:          record, 32 bytes and its data, zeros to a multiple of 8:
//
//	  0 magic     4                           0 check     4      of bytes 4..32 and data, from the seed
//	  4 count     4      of records           4 size      4      of data
//	  8 size      8      with records         8 op        8
//	 16 serial    8      from 1, no gaps     16 epoch     8
//	 24 segment   8                          24 view      8
//	 32 offset    8      in the segment      32 data      size
//	 40 mark      8
//	 48 from      8      first op dropped, 0: none
//	 56 prev     24      stamp of the record before the first: op, epoch, view
//	 80 reset     4      1: the log is empty after prev
//	 84 chain     4      check of the save before this one
//	 88 head     80      group 16, incarnation 16, start 8, epoch 8, view 8, commit 8, known 16
//	168 records   4      checksum of the records' checks
//	172 check     4      of bytes 0..172, from the seed
//
// mark is the highest serial known to be synced when the mark was written (S5). Replaying the
// saves in the order of their serials yields the log. Zeros never parse as a save (F3). The
// checksums of saves and records start from the segment's seed, and each save names its place and
// the checksum of its predecessor; therefore a write that went to another place or segment, that
// belongs to another log, or whose predecessor was lost, is recognized (F10).
const (
	version = 3

	sector     = 512
	copyOffset = 4096 // offset of the head's second copy
	headSize   = copyOffset + sector

	saveSize   = 176
	recordSize = 32

	maxIdentity = 256

	saveMagic = 0x65766173 // "save"
)

var (
	headMagic    = []byte("smr-head")
	segmentMagic = []byte("smr-wal\n")
	order        = binary.LittleEndian
	castagnoli   = crc32.MakeTable(crc32.Castagnoli)
)

func pad(n, to int64) int64 { return (n + to - 1) &^ (to - 1) }

// headCopy is one copy of the head on disk.
type headCopy struct {
	sequence uint64
	mark     uint64
	first    uint64
	head     Head
	identity string
}

func (c *headCopy) encode() []byte {
	b := newSheet(headMagic, c.identity)
	order.PutUint64(b[16:], c.sequence)
	order.PutUint64(b[24:], c.mark)
	order.PutUint64(b[32:], c.first)
	putHead(b[40:], c.head)
	seal(b)
	return b
}

func decodeHeadCopy(b []byte) headCopy {
	return headCopy{
		sequence: order.Uint64(b[16:]),
		mark:     order.Uint64(b[24:]),
		first:    order.Uint64(b[32:]),
		head:     getHead(b[40:]),
		identity: sheetIdentity(b),
	}
}

// segmentHeader is the first sector of a segment.
type segmentHeader struct {
	segment  uint64
	first    uint64
	mark     uint64
	chain    uint32
	identity string
}

func (h *segmentHeader) encode() []byte {
	b := newSheet(segmentMagic, h.identity)
	order.PutUint64(b[16:], h.segment)
	order.PutUint64(b[24:], h.first)
	order.PutUint64(b[32:], h.mark)
	order.PutUint32(b[40:], h.chain)
	seal(b)
	return b
}

func decodeSegmentHeader(b []byte) segmentHeader {
	return segmentHeader{
		segment:  order.Uint64(b[16:]),
		first:    order.Uint64(b[24:]),
		mark:     order.Uint64(b[32:]),
		chain:    order.Uint32(b[40:]),
		identity: sheetIdentity(b),
	}
}

// newSheet returns a sector with the fields that copies of the head and segment headers share.
func newSheet(magic []byte, identity string) []byte {
	b := make([]byte, sector)
	copy(b, magic)
	order.PutUint32(b[8:], version)
	order.PutUint32(b[12:], uint32(len(identity)))
	copy(b[120:120+maxIdentity], identity)
	return b
}

func sheetIdentity(b []byte) string {
	return string(b[120:][:min(order.Uint32(b[12:]), maxIdentity)])
}

func seal(b []byte) { order.PutUint32(b[sector-4:], crc32.Checksum(b[:sector-4], castagnoli)) }

// seed returns the checksum of a sealed sector, from which the checksums in its segment start.
func seed(b []byte) uint32 { return order.Uint32(b[sector-4:]) }

// checkSheet returns the reason why b is not a sealed sector with the given magic, or "" if it is
// one.
func checkSheet(b, magic []byte) string {
	switch {
	case len(b) < sector:
		return "is truncated"
	case !bytes.Equal(b[:len(magic)], magic):
		return "does not begin with the expected magic"
	case crc32.Checksum(b[:sector-4], castagnoli) != seed(b):
		return "does not match its checksum"
	}
	return ""
}

func putHead(b []byte, h Head) {
	copy(b, h.Group[:])
	copy(b[16:], h.Incarnation[:])
	for i, n := range [...]uint64{h.Start, h.Epoch, h.View, h.Commit} {
		order.PutUint64(b[32+8*i:], n)
	}
	copy(b[64:], h.Known[:])
}

func getHead(b []byte) (h Head) {
	copy(h.Group[:], b)
	copy(h.Incarnation[:], b[16:])
	for i, n := range [...]*uint64{&h.Start, &h.Epoch, &h.View, &h.Commit} {
		*n = order.Uint64(b[32+8*i:])
	}
	copy(h.Known[:], b[64:])
	return h
}

func putStamp(b []byte, s Stamp) {
	order.PutUint64(b, s.Op)
	order.PutUint64(b[8:], s.Epoch)
	order.PutUint64(b[16:], s.View)
}

func getStamp(b []byte) Stamp {
	return Stamp{Op: order.Uint64(b), Epoch: order.Uint64(b[8:]), View: order.Uint64(b[16:])}
}
