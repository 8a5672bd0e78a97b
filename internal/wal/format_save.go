package wal

import "hash/crc32"

// save is a save on disk without the data of its records. format.go describes its format.
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
		n += RecordBytes(s.Records[i].size())
	}
	return n
}

// RecordBytes returns the bytes that a record with that many bytes of data takes in a segment.
func RecordBytes(data int) int64 { return recordSize + pad(int64(data), 8) }

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
			segment: uint32(s.segment), eighth: uint32(at / 8), size: uint32(records[i].size()), check: check}})
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
	order.PutUint32(b[168:], checks)
	check := crc32.Update(seed, castagnoli, b[:172])
	order.PutUint32(b[172:], check)
	return check
}

// parseSave decodes the fixed part of the save at the beginning of b, and reports whether its
// checksum matches.
func parseSave(b []byte, seed uint32) (s save, ok bool) {
	if len(b) < saveSize || order.Uint32(b) != saveMagic ||
		crc32.Update(seed, castagnoli, b[:172]) != order.Uint32(b[172:]) {
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
		check:   order.Uint32(b[172:]),
	}
	s.from, s.prev, s.head = order.Uint64(b[48:]), getStamp(b[56:]), getHead(b[88:])
	s.reset = order.Uint32(b[80:]) != 0
	return s, true
}

func appendRecord(b []byte, seed uint32, r *Record) ([]byte, uint32) {
	start := len(b)
	b = append(b, make([]byte, recordSize)...)
	order.PutUint32(b[start+4:], uint32(r.size()))
	putStamp(b[start+8:], r.stamp())
	b = append(append(b, r.Data...), r.More...)
	check := crc32.Update(seed, castagnoli, b[start+4:])
	order.PutUint32(b[start:], check)
	return append(b, make([]byte, -r.size()&7)...), check
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
		at += RecordBytes(len(r.Data))
	}
	return at == s.size && checks == order.Uint32(b[168:])
}
