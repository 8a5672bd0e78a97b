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
// removes. A full disk is reported, as an error for which vfs.IsFull is true, only before anything
// is written; the file is then removed again.
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

// fill writes b to a new file, syncs it, and renames it from making to name. It closes f because
// Windows does not rename open files.
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

// trim releases the preallocated space after the last batch.
func (s *segment) trim() error {
	if s.size <= s.end {
		return nil
	}
	s.size = s.end
	return s.file.Truncate(s.end)
}

// use keeps the file open until the matching release.
func (s *segment) use() { s.users.Add(1) }

func (s *segment) release() error {
	if s.users.Add(-1) == 0 {
		return s.file.Close()
	}
	return nil
}
