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
	newSuffix     = ".new" // of what does not count yet
)

// segment is a file of the log.
type segment struct {
	number uint64
	name   string
	file   vfs.File
	header segmentHeader
	seed   uint32
	end    int64 // the next batch's offset; changed by the writer only
	size   int64 // allocated
	users  atomic.Int32
}

func segmentName(number uint64) string { return fmt.Sprintf("%016x%s", number, segmentSuffix) }

// segmentNumber is the inverse of segmentName.
func segmentNumber(name string) (number uint64, ok bool) {
	number, err := strconv.ParseUint(strings.TrimSuffix(name, segmentSuffix), 16, 64)
	return number, err == nil && name == segmentName(number)
}

// newSegment makes a segment that begins with a batch. The file gets its name when all of it is
// synced: a crash before that leaves one that does not count, and Open removes it. Only while
// nothing is written does it fail with an error that IsFull knows; the space is then free again.
func newSegment(fs vfs.FS, dir string, h segmentHeader, size int64, batch func(seed uint32) []byte) (*segment, error) {
	s := &segment{number: h.segment, name: path.Join(dir, segmentName(h.segment)), header: h, size: size}
	making := s.name + newSuffix
	f, err := fs.OpenFile(making, os.O_CREATE|os.O_TRUNC)
	if err != nil {
		return nil, err
	}
	if err := f.Allocate(size); err != nil {
		return nil, errors.Join(err, f.Close(), fs.Remove(making))
	}
	head := h.encode()
	s.seed = seed(head)
	b := batch(s.seed)
	copy(b, head)
	s.end = int64(len(b))
	if err := fill(fs, f, making, s.name, b); err != nil {
		return nil, &deadError{err}
	}
	if s.file, err = fs.OpenFile(s.name, 0); err != nil {
		return nil, &deadError{err}
	}
	s.users.Store(1)
	return s, nil
}

// fill writes a file that is being made, and gives it its name. It is closed for that, which
// Windows asks for.
func fill(fs vfs.FS, f vfs.File, making, name string, b []byte) error {
	if _, err := f.WriteAt(b, 0); err != nil {
		return errors.Join(err, f.Close())
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := fs.Rename(making, name); err != nil {
		return err
	}
	return fs.SyncDir(path.Dir(name))
}

// room reports whether a batch of n bytes fits.
func (s *segment) room(n int64) bool { return s != nil && s.end+n <= s.size }

// append writes a batch and syncs it.
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

// trim gives back the space that no save will take.
func (s *segment) trim() error {
	if s.size <= s.end {
		return nil
	}
	s.size = s.end
	return s.file.Truncate(s.end)
}

// use keeps the file open until release.
func (s *segment) use() { s.users.Add(1) }

func (s *segment) release() error {
	if s.users.Add(-1) == 0 {
		return s.file.Close()
	}
	return nil
}
