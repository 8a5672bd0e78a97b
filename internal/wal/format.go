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
//	 40 head     64                          40 chain     4      check of the save before first
//	104 identity 256                        104 identity 256
//	508 check     4      of bytes 0..508    508 check     4      of bytes 0..508: the segment's seed
//
// Saves follow the segment's header. The saves made durable by one sync form a batch. A batch
// begins at a sector and fills its last sector with zeros, so that a torn sector never holds
// anything that was synced earlier. It never crosses into another segment.
//
//	save, 160 bytes and its records:          record, 32 bytes and its data, zeros to a multiple of 8:
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
//	 88 head     64      group 16, incarnation 16, start 8, epoch 8, view 8, commit 8
//	152 records   4      checksum of the records' checks
//	156 check     4      of bytes 0..156, from the seed
//
// mark is the highest serial known to be synced when the mark was written (S5). Replaying the
// saves in the order of their serials yields the log. Zeros never parse as a save (F3). The
// checksums of saves and records start from the segment's seed, and each save names its place and
// the checksum of its predecessor; therefore a write that went to another place or segment, that
// belongs to another log, or whose predecessor was lost, is recognized (F10).
const (
	version = 1

	sector     = 512
	copyOffset = 4096 // offset of the head's second copy
	headSize   = copyOffset + sector

	saveSize   = 160
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
	copy(b[104:104+maxIdentity], identity)
	return b
}

func sheetIdentity(b []byte) string {
	return string(b[104:][:min(order.Uint32(b[12:]), maxIdentity)])
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
}

func getHead(b []byte) (h Head) {
	copy(h.Group[:], b)
	copy(h.Incarnation[:], b[16:])
	for i, n := range [...]*uint64{&h.Start, &h.Epoch, &h.View, &h.Commit} {
		*n = order.Uint64(b[32+8*i:])
	}
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

// save is a save on disk without the data of its records.
type save struct {
	count   uint32
	size    int64
	serial  uint64
	segment uint64
	offset  int64
	mark    uint64
	chain   uint32
	check   uint32 // the last field on disk
	change
}

// change is the effect of a save on the log; see Save.
type change struct {
	head    Head
	from    uint64 // first op dropped; 0: none
	reset   bool   // whether the log is empty after prev
	prev    Stamp  // stamp of the record before the first
	records []placed
}

// placed is a record's stamp and its place on disk.
type placed struct {
	Stamp
	place
}

// place is the place of a record on disk.
type place struct {
	segment uint32
	eighth  uint32 // offset of the record in the segment, in units of 8 bytes
	size    uint32 // size of its data
	check   uint32
}

func (p place) offset() int64 { return int64(p.eighth) * 8 }

// end returns the offset after the record's data.
func (p place) end() int64 { return p.offset() + recordSize + int64(p.size) }

// savedSize returns the size of s on disk.
func savedSize(s *Save) int64 {
	n := int64(saveSize)
	for i := range s.Records {
		n += recordSize + pad(int64(len(s.Records[i].Data)), 8)
	}
	return n
}

// appendSave appends s with records to b. It adds the places of the records to s.records, and sets
// s.count, s.size and s.check.
func appendSave(b []byte, seed uint32, s *save, records []Record) []byte {
	start := len(b)
	b = append(b, make([]byte, saveSize)...)
	checks := uint32(0)
	for i := range records {
		at := s.offset + int64(len(b)-start)
		var check uint32
		b, check = appendRecord(b, seed, &records[i])
		checks = crc32.Update(checks, castagnoli, b[start+int(at-s.offset):][:4])
		s.records = append(s.records, placed{records[i].stamp(), place{
			segment: uint32(s.segment), eighth: uint32(at / 8), size: uint32(len(records[i].Data)), check: check}})
	}
	s.count, s.size = uint32(len(records)), int64(len(b)-start)
	s.check = putSave(b[start:], seed, s, checks)
	return b
}

func putSave(b []byte, seed uint32, s *save, checks uint32) uint32 {
	order.PutUint32(b, saveMagic)
	order.PutUint32(b[4:], s.count)
	order.PutUint64(b[8:], uint64(s.size))
	order.PutUint64(b[16:], s.serial)
	order.PutUint64(b[24:], s.segment)
	order.PutUint64(b[32:], uint64(s.offset))
	order.PutUint64(b[40:], s.mark)
	order.PutUint64(b[48:], s.from)
	putStamp(b[56:], s.prev)
	if s.reset {
		order.PutUint32(b[80:], 1)
	}
	order.PutUint32(b[84:], s.chain)
	putHead(b[88:], s.head)
	order.PutUint32(b[152:], checks)
	check := crc32.Update(seed, castagnoli, b[:156])
	order.PutUint32(b[156:], check)
	return check
}

// parseSave decodes the fixed part of the save at the beginning of b, and reports whether its
// checksum matches.
func parseSave(b []byte, seed uint32) (s save, ok bool) {
	if len(b) < saveSize || order.Uint32(b) != saveMagic ||
		crc32.Update(seed, castagnoli, b[:156]) != order.Uint32(b[156:]) {
		return s, false
	}
	s = save{
		count:   order.Uint32(b[4:]),
		size:    int64(order.Uint64(b[8:])),
		serial:  order.Uint64(b[16:]),
		segment: order.Uint64(b[24:]),
		offset:  int64(order.Uint64(b[32:])),
		mark:    order.Uint64(b[40:]),
		chain:   order.Uint32(b[84:]),
		check:   order.Uint32(b[156:]),
	}
	s.from, s.prev, s.head = order.Uint64(b[48:]), getStamp(b[56:]), getHead(b[88:])
	s.reset = order.Uint32(b[80:]) != 0
	return s, true
}

func appendRecord(b []byte, seed uint32, r *Record) ([]byte, uint32) {
	start := len(b)
	b = append(b, make([]byte, recordSize)...)
	order.PutUint32(b[start+4:], uint32(len(r.Data)))
	putStamp(b[start+8:], r.stamp())
	b = append(b, r.Data...)
	check := crc32.Update(seed, castagnoli, b[start+4:])
	order.PutUint32(b[start:], check)
	return append(b, make([]byte, -len(r.Data)&7)...), check
}

// parseRecord decodes the record at the beginning of b, and reports whether its checksum matches.
// The record's data aliases b.
func parseRecord(b []byte, seed uint32) (r Record, check uint32, ok bool) {
	if len(b) < recordSize || uint64(order.Uint32(b[4:])) > uint64(len(b)-recordSize) {
		return r, 0, false
	}
	size := int(order.Uint32(b[4:]))
	s := getStamp(b[8:])
	r = Record{Op: s.Op, Epoch: s.Epoch, View: s.View, Data: b[recordSize : recordSize+size : recordSize+size]}
	check = crc32.Update(seed, castagnoli, b[4:recordSize+size])
	return r, check, check == order.Uint32(b)
}

// parseRecords decodes the records of the save that fills b and adds their places to s.records. It
// reports whether the records fill the save exactly and all checksums match.
func parseRecords(b []byte, seed uint32, s *save) bool {
	checks, at := uint32(0), int64(saveSize)
	for range s.count {
		r, check, ok := parseRecord(b[min(at, int64(len(b))):], seed)
		if !ok {
			return false
		}
		checks = crc32.Update(checks, castagnoli, b[at:at+4])
		s.records = append(s.records, placed{r.stamp(), place{
			segment: uint32(s.segment), eighth: uint32((s.offset + at) / 8), size: uint32(len(r.Data)), check: check}})
		at += recordSize + pad(int64(len(r.Data)), 8)
	}
	return at == s.size && checks == order.Uint32(b[152:])
}
