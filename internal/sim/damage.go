package sim

import (
	"bytes"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/smr-go/smr/internal/shell"
	"github.com/smr-go/smr/internal/sim/fault"
	"github.com/smr-go/smr/internal/vsr"
	"github.com/smr-go/smr/internal/wal"
	"github.com/smr-go/smr/internal/wire"
)

// Where a replica's files are.
const (
	dataDir  = "data"
	logDir   = dataDir + "/" + shell.LogDir
	snapDir  = dataDir + "/" + shell.SnapshotDir
	headFile = logDir + "/head"
)

// flip flips a bit of the byte at off.
func (h *host) flip(name string, off int64, f *fault.Fault) error {
	if err := h.fs.FlipBit(name, off, int(f.Seed>>16%8)); err != nil {
		return err
	}
	h.ailing.rotten = true
	h.s.note(h.i, "has a bit flipped in", uint64(off), name, off)
	return nil
}

// rotLog flips a bit in the record of an op.
func (h *host) rotLog(f *fault.Fault) error {
	name, off, size, err := h.record(vsr.OpNumber(f.N))
	if err != nil {
		return err
	}
	return h.flip(name, off+int64(f.Seed%uint64(size)), f)
}

// record returns where in the log's files the record of an op is that is covered by a later mark (S5).
// What befalls one that is not cannot be told from a torn write.
func (h *host) record(op vsr.OpNumber) (name string, off, size int64, err error) {
	if disk := h.truth(); op > h.covered || op <= disk.Base.Op || op > disk.Last.Op {
		return "", 0, 0, fmt.Errorf("the log holds no op %d under a mark", op)
	}
	entry := wire.AppendEntry(nil, h.s.judge.EntryOn(h.i, op))
	names, err := h.fs.ReadDir(logDir)
	if err != nil {
		return "", 0, 0, err
	}
	for _, name := range slices.Backward(names) {
		name = path.Join(logDir, name)
		b, err := h.fs.ReadFile(name)
		if err != nil {
			continue
		}
		for _, x := range slices.Backward(wal.Extents(name, b)) {
			if x.Part == wal.RecordPart && x.Stamp.Op == uint64(op) && bytes.HasSuffix(b[x.Off:][:x.Size], entry) {
				return name, x.Off, x.Size, nil
			}
		}
	}
	return "", 0, 0, fmt.Errorf("op %d is in no file", op)
}

// rotHead flips a bit of a copy of the head, unless only one would be left then that is out of date:
// nobody could tell.
func (h *host) rotHead(f *fault.Fault) error {
	copies := h.headCopies()
	if older, late := olderOf(copies); late && f.N != int64(older) {
		return fmt.Errorf("copy %d of the head is out of date, and would be the only one", older)
	}
	if f.N < 0 || f.N >= int64(len(copies)) {
		return fmt.Errorf("the head has no copy %d", f.N)
	}
	x := copies[f.N]
	return h.flip(headFile, x.Off+int64(f.Seed%uint64(x.Size)), f)
}

// headCopies returns where the copies of the head are; none if there is no head.
func (h *host) headCopies() []wal.Extent {
	b, err := h.fs.ReadFile(headFile)
	if err != nil {
		return nil
	}
	return wal.Extents(headFile, b)
}

// olderOf returns which copy of the head is the older one, and whether writes are missing between the
// two; -1 if one is not sound.
func olderOf(copies []wal.Extent) (older int, late bool) {
	switch {
	case len(copies) < 2 || !copies[0].Sound || !copies[1].Sound:
		return -1, false
	case copies[0].Number < copies[1].Number:
		return 0, copies[0].Number+1 < copies[1].Number
	}
	return 1, copies[1].Number+1 < copies[0].Number
}

// rotSnapshot flips a bit of the latest snapshot.
func (h *host) rotSnapshot(f *fault.Fault) error {
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
