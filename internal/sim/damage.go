package sim

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/smr-go/smr/internal/sim/fault"
	"github.com/smr-go/smr/internal/vfs"
	"github.com/smr-go/smr/internal/wal"
)

// sector is what a disk writes at once.
const sector = 512

// extent is a part of a file.
type extent struct {
	name      string
	off, size int64
}

// writes remembers the latest writes to a log, so that a fault can undo one or repeat it elsewhere
// (F10).
type writes struct {
	log  []extent
	head [2]headWrite
}

// headWrite is a copy of the head before its last write; content is nil if there was no copy.
type headWrite struct {
	content []byte
	wal.Extent
}

// mostWrites is the number of writes of the log that are remembered.
const mostWrites = 256

// wrote notes a write before it is performed.
func (h *host) wrote(op vfs.Op) {
	w := &h.writes
	name := strings.TrimSuffix(op.Name, ".new") // the name of the file once it counts
	switch {
	case op.Name == headFile:
		b, _ := h.fs.ReadFile(headFile)
		for i, x := range wal.Extents(headFile, b) {
			if x.Off == op.Offset {
				w.head[i] = headWrite{b[x.Off:][:x.Size], x}
			}
		}
	case strings.HasPrefix(name, logDir) && strings.HasSuffix(name, ".log"):
		if len(w.log) == mostWrites {
			w.log = slices.Delete(w.log, 0, mostWrites/2)
		}
		w.log = append(w.log, extent{name, op.Offset, op.Length})
	}
}

// flip flips a bit in x.
func (h *host) flip(x extent, f *fault.Fault) error {
	off := x.off + int64(f.Seed%uint64(x.size))
	if err := h.fs.FlipBit(x.name, off, int(f.Seed>>16%8)); err != nil {
		return err
	}
	h.faults.rotten = true
	h.s.note(h.i, "has a bit flipped in", uint64(off), x.name, off)
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
	h.s.note(h.i, "has a misdirected write in", uint64(off), name, off, len(b))
	return nil
}

// spoil is put at a place where the damage may cost the replica its memory.
func (h *host) spoil(b []byte, name string, off int64) error {
	err := h.put(b, name, off)
	h.faults.rotten = h.faults.rotten || err == nil
	return err
}
