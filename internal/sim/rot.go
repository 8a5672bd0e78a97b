package sim

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"path"
	"slices"
	"strings"

	"github.com/smr-go/smr/internal/vsr"
	"github.com/smr-go/smr/internal/wire"
)

// What of the files' formats the faults know, to hit what they are aimed at.
const (
	sector     = 512
	logDir     = "data/log"
	snapDir    = "data/snapshots"
	headFile   = logDir + "/head"
	headCopy   = 4096 // from the first copy of the head to the second
	recordHead = 32   // stands before an entry in the log's files
)

// rot flips a bit.
func (h *host) rot(f *Fault) error {
	switch f.Kind {
	case RotLog:
		return h.rotLog(f)
	case RotHead:
		return h.rotHead(f)
	}
	return h.rotSnapshot(f)
}

func (h *host) flip(name string, off int64, f *Fault) error {
	if err := h.fs.FlipBit(name, off, int(f.Seed>>16%8)); err != nil {
		return err
	}
	h.ailing.rotten = true
	h.s.note(h.i, "has a bit flipped in", uint64(off), name, off)
	return nil
}

// rotLog flips a bit in the record of an op.
func (h *host) rotLog(f *Fault) error {
	name, off, size, err := h.record(vsr.OpNumber(f.N))
	if err != nil {
		return err
	}
	return h.flip(name, off+int64(f.Seed%uint64(size)), f)
}

// record returns where in the log's files the record of an op is that is covered by a later mark (S5).
// What befalls one that is not cannot be told from a torn write.
func (h *host) record(op vsr.OpNumber) (name string, off, size int64, err error) {
	if op > h.covered || op <= h.truth.base.Op || op > h.truth.last.Op {
		return "", 0, 0, fmt.Errorf("the log holds no op %d under a mark", op)
	}
	record := wire.AppendEntry(nil, &h.s.ledger.find(h.s.ledger.at(h.truth.last, op)).entry)
	names, err := h.fs.ReadDir(logDir)
	if err != nil {
		return "", 0, 0, err
	}
	for _, name := range slices.Backward(names) {
		b, err := h.fs.ReadFile(path.Join(logDir, name))
		if err != nil {
			continue
		}
		if i := bytes.LastIndex(b, record); i >= 0 {
			return path.Join(logDir, name), int64(i) - recordHead, recordHead + int64(len(record)), nil
		}
	}
	return "", 0, 0, fmt.Errorf("op %d is in no file", op)
}

// rotHead flips a bit of a copy of the head, unless only one would be left then that is out of date:
// nobody could tell.
func (h *host) rotHead(f *Fault) error {
	if older, late := h.copies(); late && f.N != int64(older) {
		return fmt.Errorf("copy %d of the head is out of date, and would be the only one", older)
	}
	return h.flip(headFile, f.N*headCopy+int64(f.Seed%sector), f)
}

// copies returns which copy of the head is the older one, and whether writes are missing between the
// two; -1 if one is not sound.
func (h *host) copies() (older int, late bool) {
	b, err := h.fs.ReadFile(headFile)
	if err != nil || len(b) < headCopy+sector {
		return -1, false
	}
	first, ok1 := sequenceOf(b[:sector])
	second, ok2 := sequenceOf(b[headCopy:])
	switch {
	case !ok1 || !ok2:
		return -1, false
	case first < second:
		return 0, first+1 < second
	}
	return 1, second+1 < first
}

// sequenceOf returns the number of a copy of the head, and whether that is sound.
func sequenceOf(b []byte) (n uint64, sound bool) {
	check := crc32.Checksum(b[:sector-4], crc32.MakeTable(crc32.Castagnoli))
	return binary.LittleEndian.Uint64(b[16:]), check == binary.LittleEndian.Uint32(b[sector-4:])
}

// rotSnapshot flips a bit of the latest snapshot.
func (h *host) rotSnapshot(f *Fault) error {
	name, b, err := h.snapshotFile()
	if err != nil {
		return err
	}
	return h.flip(name, int64(f.Seed%uint64(len(b))), f)
}

// snapshotFile returns the largest file among the snapshots.
func (h *host) snapshotFile() (largest string, content []byte, err error) {
	names, err := h.fs.ReadDir(snapDir)
	if err != nil {
		return "", nil, err
	}
	for _, name := range names {
		b, err := h.fs.ReadFile(path.Join(snapDir, name))
		if err == nil && len(b) > len(content) && !strings.Contains(name, "lock") {
			largest, content = path.Join(snapDir, name), b
		}
	}
	if len(content) == 0 {
		return "", nil, fmt.Errorf("%s has no snapshot", Name(h.i))
	}
	return largest, content, nil
}
