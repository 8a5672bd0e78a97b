package wal

import (
	"errors"
	"fmt"
	"os"
	"path"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/smr-go/smr/internal/vfs"
)

const (
	segmentSuffix = ".log"
	newSuffix     = ".new" // suffix of a file being created, which Open ignores and removes
)

// segment is one file of the log.
type segment struct {
	number uint64
	name   string
	file   vfs.File
	header segmentHeader
	seed   uint32
	end    int64        // offset of the next batch; only the writer changes it
	size   int64        // allocated bytes
	users  atomic.Int32 // references to file, which is closed when none is left
}

func segmentName(number uint64) string { return fmt.Sprintf("%016x%s", number, segmentSuffix) }

// segmentNumber is the inverse of segmentName.
func segmentNumber(name string) (number uint64, ok bool) {
	number, err := strconv.ParseUint(strings.TrimSuffix(name, segmentSuffix), 16, 64)
	return number, err == nil && name == segmentName(number)
}

// newSegment creates a segment that begins with a batch. The file is renamed to its final name
// after all of its content is synced: a crash before that leaves a file that Open ignores and
// removes. An error for which vfs.Refused is true reports that the file has no name: the disk is full,
// or the system short of something, before anything is written, or before the file is renamed. Once it
// has its name, nothing more needs a descriptor.
//
// The header and the batch need that many bytes. If reserve is set, and the disk is full, newSegment uses the segment in
// reserve.
func (l *Log) newSegment(h segmentHeader, need int64, reserve bool, batch func(seed uint32) []byte) (*segment, error) {
	fs, size := l.fs, max(l.opt.SegmentSize, need)
	s := &segment{number: h.segment, name: path.Join(l.dir, segmentName(h.segment)), header: h, size: size}
	making := s.name + newSuffix
	f, err := fs.OpenFile(making, os.O_CREATE|os.O_TRUNC)
	if err != nil {
		return nil, err
	}
	if err = f.Allocate(size); err != nil {
		err = errors.Join(err, f.Close(), fs.Remove(making))
	}
	if vfs.IsFull(err) && reserve && need <= l.reserved.Load() {
		f, s.size, err = l.takeReserve(making)
	}
	if err != nil {
		return nil, err
	}
	head := h.encode()
	s.seed = seed(head)
	b := batch(s.seed)
	copy(b, head)
	s.end = int64(len(b))
	if err := fill(f, b); err != nil {
		return nil, &deadError{err}
	}
	if err := f.Rename(s.name); err != nil {
		err = errors.Join(err, f.Close())
		if !vfs.IsShort(err) {
			err = &deadError{err}
		}
		return nil, err
	}
	if err := l.folder.Sync(); err != nil {
		return nil, &deadError{errors.Join(err, f.Close())}
	}
	s.file = f
	s.users.Store(1)
	return s, nil
}

// fill writes b to a new file and syncs it. After an error the file is closed.
func fill(f vfs.File, b []byte) error {
	_, err := f.WriteAt(b, 0)
	if err == nil {
		err = f.Sync()
	}
	if err != nil {
		return errors.Join(err, f.Close())
	}
	return nil
}

// room reports whether s is a segment with room for a batch of n bytes.
func (s *segment) room(n int64) bool { return s != nil && s.end+n <= s.size }

// append writes a batch at the end of the segment and syncs it.
func (s *segment) append(b []byte) error {
	if _, err := s.file.WriteAt(b, s.end); err != nil {
		return err
	}
	if err := s.file.Sync(); err != nil {
		return err
	}
	s.end += int64(len(b))
	return nil
}

// trim releases the preallocated space after the last batch. If the system is short of something, the space stays: a
// crash may leave it too.
func (s *segment) trim() error {
	if s.size <= s.end {
		return nil
	}
	err := s.file.Truncate(s.end)
	if vfs.IsShort(err) {
		return nil
	}
	s.size = s.end
	return err
}

// use keeps the file open until the matching release.
func (s *segment) use() { s.users.Add(1) }

func (s *segment) release() error {
	if s.users.Add(-1) == 0 {
		return s.file.Close()
	}
	return nil
}
