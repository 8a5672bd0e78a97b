package sim

import (
	"bytes"
	"errors"
	"fmt"
	"path"
	"slices"

	"github.com/smr-go/smr/internal/sim/fault"
	"github.com/smr-go/smr/internal/vsr"
	"github.com/smr-go/smr/internal/wal"
	"github.com/smr-go/smr/internal/wire"
)

// record returns where the log has the record of an op that a later mark covers (S5). A replica takes damage to other
// records for a torn write.
func (h *host) record(op vsr.OpNumber) (extent, error) {
	if disk := h.durable(); op > h.covered || op <= disk.Base.Op || op > disk.Last.Op {
		return extent{}, fmt.Errorf("the log holds no op %d under a mark", op)
	}
	entry := wire.AppendEntry(nil, h.s.judge.EntryOn(h.i, op))
	names, err := h.fs.ReadDir(logDir)
	if err != nil {
		return extent{}, err
	}
	for _, name := range slices.Backward(names) {
		name = path.Join(logDir, name)
		b, _ := h.fs.ReadFile(name)
		for _, x := range slices.Backward(wal.Extents(name, b)) {
			if x.Part == wal.RecordPart && x.Stamp.Op == uint64(op) && bytes.HasSuffix(b[x.Off:][:x.Size], entry) {
				return extent{name, x.Off, x.Size}, nil
			}
		}
	}
	return extent{}, fmt.Errorf("op %d is in no file", op)
}

// Covered returns the range of ops in a host's log in which the host cannot take rot for a torn write. The range is
// empty if last is lower than first.
func (s *Sim) Covered(host int) (first, last uint64) {
	h := s.hosts[host]
	first = uint64(h.durable().Base.Op) + 1
	if h.proc != nil && h.proc.shell.Log != nil {
		base, _ := h.proc.shell.Log.Bounds()
		first = base.Op + 1
	}
	return first, uint64(min(h.covered, h.durable().Last.Op))
}

// loseInLog restores the zeros that preceded a record in its sectors, or those that preceded the whole write that
// stored it.
func (h *host) loseInLog(x extent, f *fault.Fault) error {
	from, to := x.off&^(sector-1), (x.off+x.size+sector-1)&^(sector-1)
	if w, ok := h.writeAt(x.name, from); ok && f.Seed&1 == 0 {
		from, to = w.off, w.off+w.size
	}
	return h.put(make([]byte, to-from), x.name, from)
}

// writeAt returns the last write that covers the offset.
func (h *host) writeAt(name string, off int64) (x extent, ok bool) {
	for _, x := range slices.Backward(h.writes.log) {
		if x.name == name && x.off <= off && off < x.off+x.size {
			return x, true
		}
	}
	return x, false
}

// misplaceInLog writes another batch over the one that stored a record.
func (h *host) misplaceInLog(x extent, f *fault.Fault) error {
	x, ok := h.writeAt(x.name, x.off)
	if !ok {
		return fmt.Errorf("the write of op %d is too old to be known", f.N)
	}
	x = h.batch(x)
	b, err := h.otherBatch(x, f)
	if err != nil {
		return err
	}
	return h.put(b[:min(int64(len(b)), x.size)], x.name, x.off)
}

// batch returns the part of a write that holds saves: the first of a segment begins with its header.
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

// otherBatch returns a batch that was written elsewhere in the log, if possible in the same segment.
func (h *host) otherBatch(than extent, f *fault.Fault) ([]byte, error) {
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
		return nil, fmt.Errorf("the earlier write to %s no longer exists", x.name)
	}
	return b[x.off:][:x.size], nil
}

// strayWrite copies an earlier batch to where the next one will be written.
func (h *host) strayWrite(f *fault.Fault) error {
	if len(h.writes.log) == 0 {
		return fmt.Errorf("%s has written nothing", h.id)
	}
	end := extent{name: h.writes.log[len(h.writes.log)-1].name}
	for _, x := range h.writes.log {
		if x.name == end.name {
			end.off = max(end.off, x.off+x.size)
		}
	}
	b, err := h.otherBatch(end, f)
	if err != nil {
		return err
	}
	return h.put(b, end.name, end.off)
}

// headCopies returns the extents of the head's copies; none before the head exists.
func (h *host) headCopies() []wal.Extent {
	b, _ := h.fs.ReadFile(headFile)
	return wal.Extents(headFile, b)
}

// olderOf returns which copy of the head is the older one, and whether writes between the two are missing; -1 if one is
// not sound.
func olderOf(copies []wal.Extent) (older int, late bool) {
	switch {
	case len(copies) < 2 || !copies[0].Sound || !copies[1].Sound:
		return -1, false
	case copies[0].Number < copies[1].Number:
		return 0, copies[0].Number+1 < copies[1].Number
	}
	return 1, copies[1].Number+1 < copies[0].Number
}

// rotHead damages a copy of the head, unless the other copy is out of date: a replica could not notice that.
func (h *host) rotHead(f *fault.Fault) error {
	copies := h.headCopies()
	if older, late := olderOf(copies); late && f.N != int64(older) {
		return fmt.Errorf("copy %d of the head is out of date, and would be the only one left", older)
	}
	if f.N < 0 || f.N >= int64(len(copies)) {
		return fmt.Errorf("the head has no copy %d", f.N)
	}
	return h.flip(extent{headFile, copies[f.N].Off, copies[f.N].Size}, f)
}

// loseInHead undoes the last write of the head's older copy. A replica survives that: the newer copy holds everything,
// and the older one is the next to be overwritten. After the loss of the newer one, a crash in the next write would
// leave no copy that is up to date.
func (h *host) loseInHead(*fault.Fault) error {
	copies := h.headCopies()
	older, late := olderOf(copies)
	if older < 0 || late {
		return errors.New("the head has no copy that is safe to lose")
	}
	content := h.writes.head[older]
	was := wal.Extents(headFile, content)
	if len(was) == 0 || !was[0].Sound || was[0].Number+1 >= copies[older].Number {
		return errors.New("the head has no earlier version")
	}
	return h.put(content, headFile, copies[older].Off)
}
