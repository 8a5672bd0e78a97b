package wal

import "path"

// Part is a kind of part that a file of the log consists of.
type Part uint8

// The parts of the head and of a segment.
const (
	HeadCopy Part = iota
	SegmentHeader
	SaveHeader
	RecordPart
)

// Extent is where a file has one of its parts. Tests that damage files aim by it.
type Extent struct {
	Part
	Off, Size int64
	Number    uint64 // the sequence number of a HeadCopy, the serial of a SaveHeader
	Stamp     Stamp  // of a RecordPart; of a SaveHeader, the stamp before its first record
	Sound     bool   // the checksum of a HeadCopy or SegmentHeader matches
}

// Extents lists the parts of the named file with content b in the order of their offsets. It lists
// saves and records as their lengths say, whether or not they check, and also those that later ones
// have replaced.
func Extents(name string, b []byte) []Extent {
	if path.Base(name) == headName {
		return headExtents(b)
	}
	return segmentExtents(b)
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

// saveExtents lists the parts of the save at off, none if none begins there, and returns its end.
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
