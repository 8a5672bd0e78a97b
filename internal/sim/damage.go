package sim

import (
	"bytes"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/smr-go/smr/internal/sim/fault"
	"github.com/smr-go/smr/internal/snap"
	"github.com/smr-go/smr/internal/vfs"
	"github.com/smr-go/smr/internal/vsr"
	"github.com/smr-go/smr/internal/wal"
)

// sector is what a disk writes at once.
const sector = 512

// extent is a part of a file.
type extent struct {
	name      string
	off, size int64
}

// writes remembers the latest writes to a log, so that a fault can undo one or repeat it elsewhere (F10).
type writes struct {
	log  []extent
	head [2][]byte // the copies of the head before their last writes; the first copy is at offset 0
}

// mostWrites is the number of writes of the log that are remembered.
const mostWrites = 256

// wrote notes a write before it is performed.
func (h *host) wrote(op vfs.Op) {
	w := &h.writes
	segment, ok := wal.SegmentOf(op.Name)
	switch {
	case op.Name == headFile:
		w.head[min(op.Offset, 1)], _, _ = h.fs.ReadPart(headFile, op.Offset, op.Length)
	case ok && strings.HasPrefix(segment, logDir):
		if len(w.log) == mostWrites {
			w.log = slices.Delete(w.log, 0, mostWrites/2)
		}
		w.log = append(w.log, extent{segment, op.Offset, op.Length})
	}
}

// onRecord returns the effect of a fault that damages the record of op N in the log.
func onRecord(damage func(h *host, x extent, f *fault.Fault) error) effect {
	return func(h *host, f *fault.Fault) error {
		x, err := h.record(vsr.OpNumber(f.N))
		if err != nil {
			return err
		}
		return damage(h, x, f)
	}
}

// onSnapshot returns the effect of a fault that damages the latest snapshot, which is b.
func onSnapshot(damage func(h *host, name string, b []byte, f *fault.Fault) error) effect {
	return func(h *host, f *fault.Fault) error {
		name, b, err := h.snapshotFile()
		if err != nil {
			return err
		}
		return damage(h, name, b, f)
	}
}

// flip flips a bit in x.
func (h *host) flip(x extent, f *fault.Fault) error {
	off := x.off + int64(f.Seed%uint64(x.size))
	if err := h.fs.FlipBit(x.name, off, int(f.Seed>>16%8)); err != nil {
		return err
	}
	h.s.note(h.i, "has a bit flipped in %s, at byte %d", uint64(off), x.name, off)
	return nil
}

// put writes b as a misdirected write.
func (h *host) put(b []byte, name string, off int64) error {
	was, err := h.fs.ReadFile(name)
	if err != nil {
		return err
	}
	if end := off + int64(len(b)); end <= int64(len(was)) && bytes.Equal(was[off:end], b) {
		return fmt.Errorf("%s already holds that", name)
	}
	if err := h.fs.Damage(name, off, b); err != nil {
		return err
	}
	h.s.note(h.i, "has a misdirected write in %s, at byte %d, of %d bytes", uint64(off), name, off, len(b))
	return nil
}

// snapshotFile returns the largest file among the snapshots.
func (h *host) snapshotFile() (largest string, content []byte, err error) {
	names, err := h.fs.ReadDir(snapDir)
	if err != nil {
		return "", nil, err
	}
	for _, name := range names {
		b, err := h.fs.ReadFile(path.Join(snapDir, name))
		if err == nil && len(b) > len(content) {
			largest, content = path.Join(snapDir, name), b
		}
	}
	if len(content) == 0 {
		return "", nil, fmt.Errorf("%s has no snapshot", h.id)
	}
	return largest, content, nil
}

func (h *host) rotSnapshot(name string, b []byte, f *fault.Fault) error {
	return h.flip(extent{name, 0, int64(len(b))}, f)
}

// loseInSnapshot zeroes a sector.
func (h *host) loseInSnapshot(name string, b []byte, f *fault.Fault) error {
	off := int64(f.Seed%uint64(len(b))) &^ (sector - 1)
	return h.put(make([]byte, min(sector, int64(len(b))-off)), name, off)
}

// misplaceInSnapshot writes one chunk over another.
func (h *host) misplaceInSnapshot(name string, b []byte, f *fault.Fault) error {
	chunks := fullChunks(b)
	if len(chunks) < 2 {
		return errors.New("the snapshot has only one chunk")
	}
	from := int(f.Seed % uint64(len(chunks)))
	to := (from + 1 + int(f.Seed>>16%uint64(len(chunks)-1))) % len(chunks)
	return h.put(b[chunks[from].Off:][:chunks[from].Size], name, chunks[to].Off)
}

// fullChunks returns the extents of the chunks that are as long as the first.
func fullChunks(b []byte) []snap.Extent {
	_, chunks := snap.Extents(b)
	return slices.DeleteFunc(chunks, func(x snap.Extent) bool { return x.Size < chunks[0].Size })
}
