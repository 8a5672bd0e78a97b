package wal

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"syscall"

	"github.com/smr-go/smr/internal/vfs"
)

// reserveName is the name of the segment in reserve: a preallocated file without contents. Saves that a replica needs to
// take part in view changes use it when the disk is full (F13). Other saves are written only while all of it is there.
const reserveName = "reserve"

// leastReserve is the size of the smallest useful reserve.
const leastReserve = 4 * sector

func (l *Log) reserveFile() string { return path.Join(l.dir, reserveName) }

// Reserve preallocates the segment in reserve, unless it is there. If there is no space for it, or a save is under way that
// may make or take it, Reserve returns an error for which vfs.Refused is true. It waits for no save.
func (l *Log) Reserve() error {
	if l.reserved.Load() >= l.opt.SegmentSize {
		return l.err()
	}
	if !l.writing.TryLock() {
		return &fs.PathError{Op: "preallocate", Path: l.reserveFile(), Err: syscall.EAGAIN}
	}
	defer l.writing.Unlock()
	if err := l.err(); err != nil {
		return err
	}
	return l.reserve()
}

// Space returns an error for which vfs.Refused is true unless a segment can be made besides the one in reserve.
func (l *Log) Space() error {
	l.writing.Lock()
	defer l.writing.Unlock()
	if err := l.err(); err != nil {
		return err
	}
	if err := l.reserve(); err != nil {
		return err
	}
	name := path.Join(l.dir, segmentName(l.next)) + newSuffix
	f, err := l.fs.OpenFile(name, os.O_CREATE|os.O_TRUNC)
	if err != nil {
		return err
	}
	return errors.Join(f.Allocate(l.opt.SegmentSize), f.Close(), l.fs.Remove(name))
}

// reserve is Reserve. If a whole segment does not fit on the disk and nothing is in reserve, it preallocates less.
func (l *Log) reserve() error {
	if l.reserved.Load() >= l.opt.SegmentSize {
		return nil
	}
	f, err := l.fs.OpenFile(l.reserveFile(), os.O_CREATE)
	if err != nil {
		return err
	}
	err = f.Allocate(l.opt.SegmentSize)
	if err == nil {
		l.reserved.Store(l.opt.SegmentSize)
	}
	for size := l.opt.SegmentSize / 2; vfs.IsFull(err) && l.reserved.Load() == 0 && size >= leastReserve; size /= 2 {
		if less := f.Allocate(pad(size, sector)); less == nil {
			l.reserved.Store(pad(size, sector))
		}
	}
	if closed := f.Close(); closed != nil {
		return closed
	}
	return err
}

// findReserve looks for the file that an earlier process has put in reserve.
func (l *Log) findReserve() error {
	f, err := l.fs.OpenFile(l.reserveFile(), 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	size, err := f.Size()
	l.reserved.Store(size)
	return errors.Join(err, f.Close())
}

// takeReserve opens the segment in reserve under the name of a file that is being created, and returns its size. The new
// name is durable before anything is written, so that the file in reserve never has contents. After an error nothing has
// changed.
func (l *Log) takeReserve(making string) (f vfs.File, size int64, err error) {
	if err := l.fs.Rename(l.reserveFile(), making); err != nil {
		return nil, 0, err
	}
	if err = l.folder.Sync(); err == nil {
		if f, err = l.fs.OpenFile(making, 0); err == nil {
			return f, l.reserved.Swap(0), nil
		}
	}
	back := l.fs.Rename(making, l.reserveFile())
	if back != nil {
		l.reserved.Store(0)
	}
	return nil, 0, errors.Join(err, back)
}
