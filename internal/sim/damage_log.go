package sim

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/smr-go/smr/internal/sim/fault"
	"github.com/smr-go/smr/internal/snap"
	"github.com/smr-go/smr/internal/vfs"
	"github.com/smr-go/smr/internal/vsr"
	"github.com/smr-go/smr/internal/wal"
)

// A disk that says of a write that it is done, and it is not, or is elsewhere (F10).

// sector is what a disk writes at once.
const sector = 512

// extent is where one write went.
type extent struct {
	name      string
	off, size int64
}

// writes is what is remembered of what was written to a log: where, and what the copies of the head
// were before.
type writes struct {
	log  []extent
	head [2]headWrite
}

// headWrite is a copy of the head as it was before it was last written; no content: it was not there.
type headWrite struct {
	content []byte
	wal.Extent
}

// mostExtents is how many writes of the log are remembered.
const mostExtents = 256

// wrote notes a write that is about to be done.
func (h *host) wrote(op vfs.Op) {
	w := &h.writes
	name := strings.TrimSuffix(op.Name, ".new") // as the file is called once it counts
	switch {
	case op.Name == headFile:
		b, _ := h.fs.ReadFile(headFile)
		for i, x := range wal.Extents(headFile, b) {
			if x.Off == op.Offset {
				w.head[i] = headWrite{b[x.Off:][:x.Size], x}
			}
		}
	case strings.HasPrefix(name, logDir) && strings.HasSuffix(name, ".log"):
		if len(w.log) == mostExtents {
			w.log = slices.Delete(w.log, 0, mostExtents/2)
		}
		w.log = append(w.log, extent{name, op.Offset, op.Length})
	}
}

// put has b lie on the disk.
func (h *host) put(b []byte, name string, off int64) error {
	was, err := h.fs.ReadFile(name)
	if err != nil {
		return err
	}
	if end := off + int64(len(b)); end <= int64(len(was)) && bytes.Equal(was[off:end], b) {
		return fmt.Errorf("%s holds that already", name)
	}
	if err := h.fs.Damage(name, off, b); err != nil {
		return err
	}
	h.s.note(h.i, "has a misdirected write in", uint64(off), name, off, len(b))
	return nil
}

// spoil is put where the replica may lose its memory by it.
func (h *host) spoil(b []byte, name string, off int64) error {
	err := h.put(b, name, off)
	h.ailing.rotten = h.ailing.rotten || err == nil
	return err
}

// loseInLog leaves zeros, which were there before, in the sectors of a record, or in all that was
// written along with it.
func (h *host) loseInLog(f *fault.Fault) error {
	name, off, size, err := h.record(vsr.OpNumber(f.N))
	if err != nil {
		return err
	}
	end := (off + size + sector - 1) &^ (sector - 1)
	off &^= sector - 1
	if x, ok := h.extentAt(name, off); ok && f.Seed&1 == 0 {
		off, end = x.off, x.off+x.size
	}
	return h.spoil(make([]byte, end-off), name, off)
}

// extentAt returns the last write that went there.
func (h *host) extentAt(name string, off int64) (x extent, ok bool) {
	for _, x := range slices.Backward(h.writes.log) {
		if x.name == name && x.off <= off && off < x.off+x.size {
			return x, true
		}
	}
	return x, false
}

// loseInHead leaves the older copy of the head as it was before it was last written, which it lives
// with: the newer one says all, and the older one is to be written over next. (After the loss of the
// newer one, a crash in the next write would leave nothing that is up to date.)
func (h *host) loseInHead(*fault.Fault) error {
	copies := h.headCopies()
	older, late := olderOf(copies)
	if older < 0 || late || h.writes.head[older].content == nil {
		return errors.New("the head has no copy that it could do without")
	}
	was := &h.writes.head[older]
	if !was.Sound || was.Number+1 >= copies[older].Number {
		return errors.New("the head was not there before")
	}
	return h.put(was.content, headFile, was.Off)
}

// loseInSnapshot leaves zeros in a sector of the latest snapshot.
func (h *host) loseInSnapshot(f *fault.Fault) error {
	name, b, err := h.snapshotFile()
	if err != nil {
		return err
	}
	off := int64(f.Seed%uint64(len(b))) &^ (sector - 1)
	return h.spoil(make([]byte, min(sector, int64(len(b))-off)), name, off)
}

// misplaceInLog has another batch lie over the one that brought a record.
func (h *host) misplaceInLog(f *fault.Fault) error {
	name, off, _, err := h.record(vsr.OpNumber(f.N))
	if err != nil {
		return err
	}
	x, ok := h.extentAt(name, off)
	if !ok {
		return fmt.Errorf("it was long ago that op %d was written", f.N)
	}
	x = h.batch(x)
	b, err := h.another(x, f)
	if err != nil {
		return err
	}
	return h.spoil(b[:min(int64(len(b)), x.size)], x.name, x.off)
}

// batch is what of an extent is saves: the first one of a segment begins with its header.
func (h *host) batch(x extent) extent {
	if x.off > 0 {
		return x
	}
	b, _ := h.fs.ReadFile(x.name)
	for _, part := range wal.Extents(x.name, b) {
		if part.Part == wal.SegmentHeader {
			x.off, x.size = part.Size, x.size-part.Size
		}
	}
	return x
}

// another returns a batch that was written elsewhere in the log, in the same segment if there is one.
func (h *host) another(than extent, f *fault.Fault) ([]byte, error) {
	var near, far []extent
	for _, x := range h.writes.log {
		switch x = h.batch(x); {
		case x.name == than.name && x.off != than.off:
			near = append(near, x)
		case x.name != than.name:
			far = append(far, x)
		}
	}
	if len(near) == 0 {
		near = far
	}
	if len(near) == 0 {
		return nil, errors.New("nothing else was written")
	}
	x := near[f.Seed>>1%uint64(len(near))]
	b, err := h.fs.ReadFile(x.name)
	if err != nil || int64(len(b)) < x.off+x.size {
		return nil, fmt.Errorf("what was written to %s is gone", x.name)
	}
	return b[x.off:][:x.size], nil
}

// misplaceInSnapshot has one chunk lie over another.
func (h *host) misplaceInSnapshot(f *fault.Fault) error {
	name, b, err := h.snapshotFile()
	if err != nil {
		return err
	}
	chunks := fullChunks(b)
	if len(chunks) < 2 {
		return errors.New("the snapshot has one chunk only")
	}
	from := int(f.Seed % uint64(len(chunks)))
	to := (from + 1 + int(f.Seed>>16%uint64(len(chunks)-1))) % len(chunks)
	return h.spoil(b[chunks[from].Off:][:chunks[from].Size], name, chunks[to].Off)
}

// fullChunks returns where those chunks of a snapshot are that are as long as the first.
func fullChunks(b []byte) []snap.Extent {
	_, chunks := snap.Extents(b)
	return slices.DeleteFunc(chunks, func(x snap.Extent) bool { return x.Size < chunks[0].Size })
}

// strayWrite has a copy of an earlier batch lie where the next one will be written.
func (h *host) strayWrite(f *fault.Fault) error {
	if len(h.writes.log) == 0 {
		return fmt.Errorf("%s has written nothing", Name(h.i))
	}
	last := h.writes.log[len(h.writes.log)-1]
	end := extent{name: last.name}
	for _, x := range h.writes.log {
		if x.name == end.name {
			end.off = max(end.off, x.off+x.size)
		}
	}
	b, err := h.another(end, f)
	if err != nil {
		return err
	}
	return h.put(b, end.name, end.off)
}
