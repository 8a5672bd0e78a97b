package wal

import (
	"path"
	"strings"
)

// Part is a kind of part of the log's files.
type Part uint8

// The parts of the head file and of a segment.
const (
	HeadCopy Part = iota
	SegmentHeader
	SaveHeader
	RecordPart
)

// Extent is the place of a part in a file. Tests use it to damage a chosen part.
type Extent struct {
	Part
	Off, Size int64
	Number    uint64 // sequence number of a HeadCopy, serial of a SaveHeader
	Stamp     Stamp  // stamp of a RecordPart; in a SaveHeader, the stamp before the first record
	Sound     bool   // whether the checksum of a HeadCopy or SegmentHeader matches
}

// FirstSave is the number of bytes at the beginning of a segment that hold its header and that of its first save.
const FirstSave = sector + saveSize

// Extents lists the parts of the named file, whose content is b, in the order of their offsets. It
// follows the lengths in the file without checking checksums, so it also lists damaged saves and
// records, and those that later ones have replaced.
func Extents(name string, b []byte) []Extent {
	if path.Base(name) == HeadName {
		return headExtents(b)
	}
	return segmentExtents(b)
}

// SegmentOf returns the name of the segment that the file is or will become. It reports false for any other file.
func SegmentOf(name string) (segment string, ok bool) {
	segment = strings.TrimSuffix(name, newSuffix)
	return segment, strings.HasSuffix(segment, segmentSuffix)
}

func headExtents(b []byte) (all []Extent) {
	for off := int64(0); off+sector <= int64(len(b)); off += copyOffset {
		copied := b[off:][:sector]
		all = append(all, Extent{Part: HeadCopy, Off: off, Size: sector,
			Number: decodeHeadCopy(copied).sequence, Sound: checkSheet(copied, headMagic) == ""})
	}
	return all
}

func segmentExtents(b []byte) []Extent {
	if len(b) < sector {
		return nil
	}
	all := []Extent{{Part: SegmentHeader, Size: sector, Sound: checkSheet(b[:sector], segmentMagic) == ""}}
	for off := int64(sector); off+saveSize <= int64(len(b)); {
		parts, end := saveExtents(b, off)
		if parts == nil {
			end = pad(off+1, sector)
		}
		all, off = append(all, parts...), end
	}
	return all
}

// saveExtents lists the parts of the save at off and returns its end. It lists none if no save
// begins there.
func saveExtents(b []byte, off int64) (parts []Extent, end int64) {
	s := b[off:]
	if order.Uint32(s) != saveMagic || order.Uint64(s[32:]) != uint64(off) {
		return nil, off
	}
	parts = append(parts, Extent{Part: SaveHeader, Off: off, Size: saveSize, Number: order.Uint64(s[16:]), Stamp: getStamp(s[56:])})
	end = off + saveSize
	for range order.Uint32(s[4:]) {
		if end+recordSize > int64(len(b)) {
			break
		}
		size := recordSize + int64(order.Uint32(b[end+4:]))
		if end+size > int64(len(b)) {
			break
		}
		parts = append(parts, Extent{Part: RecordPart, Off: end, Size: size, Stamp: getStamp(b[end+8:])})
		end += pad(size, 8)
	}
	return parts, end
}
