package wal

import (
	"errors"
	"fmt"
	"io"
	"path"

	"github.com/smr-go/smr/internal/vfs"
)

// recovery reads the segments from the first to the last save that checks.
type recovery struct {
	*Log
	mark   uint64 // highest seen anywhere: all saves up to it were synced
	serial uint64 // of the last save that checked
	chain  uint32 // its check
	lastOp uint64 // after it
	begun  bool   // a save has checked
	held   []save // checked, and above the mark: not applied yet
	buf    []byte // of windows, one after the other
}

// recover brings the state to the highest mark, and returns the saves above it that can be read.
//
// The log may end in three ways. Where the next save should begin there are zeros, or a batch that
// a crash has torn, no mark at or above it: nothing there was acknowledged as far as anyone can
// tell, and it is left out (S5). Or the next segment says that it goes on in there: what is left
// here is a torn batch, or one that an Open has written again. Anything else is damage.
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
		return nil, r.missing(l.next, "the log has disappeared")
	}
	if l.serial == l.latest.mark {
		l.state.head = l.latest.head // saved with the last save, or after it alone
	}
	return r.tail()
}

// openSegments opens those that count: from the head's first on, without gaps. Ones below are left
// over from a Compact that crashed.
func (r *recovery) openSegments(numbers []uint64) error {
	next := r.latest.first
	for _, number := range numbers {
		if number < next {
			continue
		}
		if number > next {
			return r.missing(next, fmt.Sprintf("the file is missing, and there is segment %d", number))
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

// openSegment reads a segment's header. A file that has its name was synced whole before, so that
// a header that does not check is damage.
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
		return &CorruptError{File: s.name, Reason: "cannot be read", Err: err}
	}
	if reason := checkSheet(b, segmentMagic); reason != "" {
		return &CorruptError{File: s.name, Reason: "its header " + reason}
	}
	if err := checkOwner(b, s.name, r.opt.Identity); err != nil {
		return err
	}
	s.header, s.seed = decodeSegmentHeader(b), seed(b)
	if s.header.segment != number {
		return &CorruptError{File: s.name, Reason: fmt.Sprintf("it is segment %d", s.header.segment)}
	}
	r.mark = max(r.mark, s.header.mark)
	return nil
}

// scan checks the saves of one segment, up to where the next segment goes on, if there is one.
func (r *recovery) scan(i int) error {
	s, w := r.segments[i], &window{file: r.segments[i].file, size: r.segments[i].size, buf: r.buf[:0]}
	defer func() { r.buf = w.buf }()
	damaged := func(off int64, reason string, err error) error {
		return &CorruptError{File: s.name, Offset: off, Op: r.lastOp + 1, Reason: reason, Err: err}
	}
	if s.header.first != r.serial+1 || s.header.chain != r.chain {
		return damaged(0, fmt.Sprintf("it begins with save %d, and the one before ends with save %d, or another one of this number", s.header.first, r.serial), nil)
	}
	last := i == len(r.segments)-1
	off := int64(sector)
	for last || r.serial+1 < r.segments[i+1].header.first {
		v, err := r.next(s, w, off)
		if err != nil {
			return damaged(off, "cannot be read", err)
		}
		if v.serial == 0 {
			break
		}
		off = v.offset + v.size
		if err := r.take(s, &v); err != nil {
			return damaged(v.offset, err.Error(), nil)
		}
	}
	if last {
		if err := r.findMarks(s, w, pad(off, sector)); err != nil {
			return damaged(off, "cannot be read", err)
		}
	}
	if need := r.needed(i); r.serial < need {
		return damaged(off, fmt.Sprintf("save %d does not check, and saves up to %d were synced", r.serial+1, need), nil)
	}
	return r.applyHeld(s)
}

// needed returns the serial that segment i must reach.
func (r *recovery) needed(i int) uint64 {
	if i+1 < len(r.segments) {
		return r.segments[i+1].header.first - 1
	}
	return r.mark
}

// next returns the save that follows on, one of serial 0 if there is none: at off, or, when a batch
// has ended there, in the next sector.
func (r *recovery) next(s *segment, w *window, off int64) (save, error) {
	v, err := r.parse(s, w, off)
	if v.serial == 0 && err == nil && off%sector != 0 {
		return r.parse(s, w, pad(off, sector))
	}
	return v, err
}

// parse returns the save at off if all of it checks, is in its place and follows the last one.
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

// take notes a save that checks, and applies what is now known to have been synced.
func (r *recovery) take(s *segment, v *save) error {
	if !r.begun {
		r.begun, r.state.base = true, v.prev // what the first save follows has been compacted
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

// findMarks looks behind the last save that follows on for others that were written here: a torn
// batch's marks lie below it, while rot leaves later batches, whose marks tell.
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

// tail returns the saves above the mark, to be written again.
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

// window reads a file front to back, in large pieces.
type window struct {
	file vfs.File
	size int64
	buf  []byte
	off  int64 // of buf
}

const windowSize = 256 << 10

// at returns n bytes at off, fewer at the end of the file, valid until the next call.
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
