package wal

import (
	"errors"
	"fmt"
	"io"
	"path"

	"github.com/smr-go/smr/internal/vfs"
)

// recovery reads the segments from the first to the last save that is intact.
type recovery struct {
	*Log
	mark   uint64 // highest mark found: all saves up to it were synced
	serial uint64 // serial of the last intact save
	chain  uint32 // checksum of that save
	lastOp uint64 // last op after that save
	begun  bool   // whether an intact save has been read
	held   []save // intact saves above the mark, not applied yet
	buf    []byte // buffer of one window after another
}

// recover replays the saves up to the highest mark and returns those above it.
//
// The log ends where the next save would begin but none is intact. If no mark is at or above that
// save, it was never written or was torn by a crash; in either case it was not acknowledged as far
// as the log can tell, and recover ignores it (S5). If the next segment continues with that save,
// the rest of this segment is a torn batch, or one that an earlier Open has written again.
// Otherwise the log is damaged.
func (l *Log) recover(numbers []uint64) (tail []Save, err error) {
	r := &recovery{Log: l, mark: l.latest.mark}
	if err := r.openSegments(numbers); err != nil {
		return nil, err
	}
	l.state.head, l.next = l.latest.head, l.latest.first+uint64(len(l.segments))
	if len(l.segments) > 0 {
		h := l.segments[0].header
		r.serial, r.chain = h.first-1, h.chain
		l.serial, l.chain = r.serial, r.chain
	}
	for i := range l.segments {
		if err := r.scan(i); err != nil {
			return nil, err
		}
	}
	if r.mark > r.serial {
		return nil, r.missing(l.next, fmt.Sprintf("the file has disappeared: the log ends with save %d, but saves up to %d were synced", r.serial, r.mark))
	}
	if own, head := l.state.head.Incarnation, l.latest.head.Incarnation; r.begun && own != head && head != [16]byte{} {
		return nil, &CorruptError{File: path.Join(l.dir, HeadName), Reason: fmt.Sprintf(
			"it belongs to the memory %x, and the segments to %x: one of them was put there by hand; put the one that belongs to the other back", head[:4], own[:4])}
	}
	if l.serial == l.latest.mark {
		l.state.head = l.latest.head // written with the last save or after it
	}
	return r.tail()
}

// openSegments opens the segments from the head's first on, which must be consecutive. Those before
// it are left over from a Compact that crashed.
func (r *recovery) openSegments(numbers []uint64) error {
	next := r.latest.first
	for _, number := range numbers {
		if number < next {
			continue
		}
		if number > next {
			return r.missing(next, fmt.Sprintf("the file is missing, but segment %d exists", number))
		}
		if err := r.openSegment(number); err != nil {
			return err
		}
		next++
	}
	return nil
}

func (r *recovery) missing(number uint64, reason string) error {
	return &CorruptError{File: path.Join(r.dir, segmentName(number)), Op: r.lastOp + 1, Reason: reason}
}

// openSegment opens a segment and checks its header. A segment gets its name after all of it is
// synced, so a header that does not match its checksum is damage and not a torn write.
func (r *recovery) openSegment(number uint64) error {
	s := &segment{number: number, name: path.Join(r.dir, segmentName(number)), end: sector}
	var err error
	if s.file, err = r.fs.OpenFile(s.name, 0); err != nil {
		return err
	}
	s.users.Store(1)
	r.segments = append(r.segments, s)
	if s.size, err = s.file.Size(); err != nil {
		return err
	}
	b, err := readSector(s.file, 0)
	if err != nil {
		return (&CorruptError{File: s.name, Err: err}).unreadable()
	}
	if reason := checkSheet(b, segmentMagic); reason != "" {
		return &CorruptError{File: s.name, Reason: "its header " + reason}
	}
	if err := checkOwner(b, s.name, r.opt.Identity); err != nil {
		return err
	}
	s.header, s.seed = decodeSegmentHeader(b), seed(b)
	if s.header.segment != number {
		return &CorruptError{File: s.name, Reason: fmt.Sprintf("its header is that of segment %d", s.header.segment)}
	}
	r.mark = max(r.mark, s.header.mark)
	return nil
}

// scan reads the saves of segment i, up to the save with which the next segment begins, if any.
func (r *recovery) scan(i int) error {
	s, w := r.segments[i], &window{file: r.segments[i].file, size: r.segments[i].size, buf: r.buf[:0]}
	defer func() { r.buf = w.buf }()
	damaged := func(off int64, reason string) error {
		return &CorruptError{File: s.name, Offset: off, Op: r.lastOp + 1, Reason: reason}
	}
	unreadable := func(off int64, err error) error {
		return (&CorruptError{File: s.name, Offset: off, Op: r.lastOp + 1, Err: err}).unreadable()
	}
	if s.header.first != r.serial+1 || s.header.chain != r.chain {
		return damaged(0, fmt.Sprintf("it begins with save %d and does not continue the segment before it, which "+
			"ends with save %d: a number or a checksum differs", s.header.first, r.serial))
	}
	last := i == len(r.segments)-1
	off := int64(sector)
	for last || r.serial+1 < r.segments[i+1].header.first {
		v, err := r.next(s, w, off)
		if err != nil {
			return unreadable(off, err)
		}
		if v.serial == 0 {
			break
		}
		off = v.offset + v.size
		if err := r.take(s, &v); err != nil {
			return damaged(v.offset, err.Error())
		}
	}
	if last {
		if err := r.findMarks(s, w, pad(off, sector)); err != nil {
			return unreadable(off, err)
		}
	}
	if need := r.needed(i); r.serial < need {
		reason := fmt.Sprintf("save %d is missing or damaged, but saves up to %d were synced", r.serial+1, need)
		return damaged(off, reason)
	}
	return r.applyHeld(s)
}

// needed returns the serial of the last save that segment i must contain.
func (r *recovery) needed(i int) uint64 {
	if i+1 < len(r.segments) {
		return r.segments[i+1].header.first - 1
	}
	return r.mark
}

// next returns the save that continues the log at off, or, if a batch ends there, in the next
// sector. The save's serial is 0 if no save continues the log.
func (r *recovery) next(s *segment, w *window, off int64) (save, error) {
	v, err := r.parse(s, w, off)
	if v.serial == 0 && err == nil && off%sector != 0 {
		return r.parse(s, w, pad(off, sector))
	}
	return v, err
}

// parse returns the save at off if it is intact, belongs at this place and continues the log.
func (r *recovery) parse(s *segment, w *window, off int64) (save, error) {
	b, err := w.at(off, saveSize)
	if err != nil {
		return save{}, err
	}
	v, ok := parseSave(b, s.seed)
	if !ok || v.segment != s.number || v.offset != off || v.serial != r.serial+1 || v.chain != r.chain ||
		v.size < saveSize || v.size > s.size-off {
		return save{}, nil
	}
	if b, err = w.at(off, v.size); err != nil || int64(len(b)) < v.size || !parseRecords(b, s.seed, &v) {
		return save{}, err
	}
	return v, nil
}

// take records that v is intact, and applies the saves that are now known to be synced.
func (r *recovery) take(s *segment, v *save) error {
	if !r.begun {
		r.begun, r.state.base = true, v.prev // the segments of earlier saves were compacted away
	}
	r.serial, r.chain, r.mark = v.serial, v.check, max(r.mark, v.mark)
	r.lastOp = v.prev.Op + uint64(len(v.records))
	r.held = append(r.held, *v)
	return r.applyHeld(s)
}

func (r *recovery) applyHeld(s *segment) error {
	n := 0
	for ; n < len(r.held) && r.held[n].serial <= r.mark; n++ {
		v := &r.held[n]
		if err := r.state.apply(&v.change); err != nil {
			return err
		}
		r.Log.serial, r.Log.chain, s.end = v.serial, v.check, pad(v.offset+v.size, sector)
	}
	r.held = append(r.held[:0], r.held[n:]...)
	return nil
}

// findMarks searches the segment after its last intact save for saves whose marks prove that the
// next save was synced. Saves of a torn batch have lower marks; if the next save has rotted
// instead, the batches after it have higher ones.
func (r *recovery) findMarks(s *segment, w *window, off int64) error {
	for ; off+saveSize <= s.size; off += sector {
		b, err := w.at(off, saveSize)
		if err != nil {
			return err
		}
		if v, ok := parseSave(b, s.seed); ok {
			r.mark = max(r.mark, v.mark)
		}
	}
	return nil
}

// tail returns the saves above the mark, which secure writes again.
func (r *recovery) tail() (saves []Save, err error) {
	for i := range r.held {
		v := &r.held[i]
		s := Save{Head: v.head, From: v.from}
		if v.reset {
			s.Base = &v.prev
		}
		if s.Records, err = readRecords(r.segments, v.records); err != nil {
			return nil, err
		}
		saves = append(saves, s)
	}
	return saves, nil
}

// window reads a file from front to back in large pieces.
type window struct {
	file vfs.File
	size int64
	buf  []byte
	off  int64 // offset of buf
}

const windowSize = 256 << 10

// at returns n bytes at off, or fewer at the end of the file. They are valid until the next call.
func (w *window) at(off, n int64) ([]byte, error) {
	n = max(0, min(n, w.size-off))
	if off < w.off || off+n > w.off+int64(len(w.buf)) {
		if err := w.fill(off, min(max(n, windowSize), w.size-off)); err != nil {
			return nil, err
		}
	}
	return w.buf[off-w.off:][:n], nil
}

func (w *window) fill(off, n int64) error {
	if int64(cap(w.buf)) < n {
		w.buf = make([]byte, n)
	}
	w.buf, w.off = w.buf[:max(n, 0)], off
	got, err := w.file.ReadAt(w.buf, off)
	if errors.Is(err, io.EOF) && got == len(w.buf) {
		err = nil
	}
	return err
}
