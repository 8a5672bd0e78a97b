package wal

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/smr-go/smr/internal/vfs"
)

// Open locks the directory, which it creates if necessary, and recovers the log in it. It refuses a
// directory that another process uses (vfs.ErrLocked, F18), that belongs to another replica or
// group (ErrForeign, F17), that a version with another format has written (ErrVersion), or that is damaged
// (ErrCorrupt). In these cases, and whenever Open fails before it has read the whole log, it
// changes nothing apart from creating the directory and the lock file.
//
// Everything in the returned log is durable: Open writes the saves that may not have been synced to
// a new segment (S5). A crash during Open is harmless; the next Open repeats the work.
func Open(fsys vfs.FS, dir string, opt Options) (*Log, error) {
	if len(opt.Identity) > maxIdentity {
		return nil, fmt.Errorf("identity %.40q... has %d bytes; the limit is %d", opt.Identity, len(opt.Identity), maxIdentity)
	}
	if opt.SegmentSize == 0 {
		opt.SegmentSize = defaultSegmentSize
	}
	opt.SegmentSize = pad(max(opt.SegmentSize, minSegmentSize), sector)
	if err := fsys.MkdirAll(dir); err != nil {
		return nil, err
	}
	lock, err := fsys.Lock(path.Join(dir, LockName))
	if err != nil {
		return nil, err
	}
	l := &Log{fs: fsys, dir: dir, opt: opt, lock: lock}
	if l.folder, err = fsys.OpenDir(dir); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	if err := l.open(); err != nil {
		return nil, errors.Join(err, l.abandon())
	}
	return l, nil
}

func (l *Log) open() error {
	files, err := l.list()
	if err != nil {
		return err
	}
	h, fresh, err := openHeads(l.fs, l.dir, l.folder, l.opt, len(files.segments) == 0)
	if err != nil {
		return err
	}
	l.heads = h
	tail, err := l.recover(files.segments)
	if err != nil {
		return err
	}
	if err := l.findReserve(); err != nil {
		return err
	}
	if !fresh {
		if err := l.secure(tail); err != nil {
			return err
		}
	}
	if err := l.clean(files); err != nil {
		return err
	}
	if err := l.reserve(); err != nil && !vfs.Refused(err) {
		return err
	}
	return nil
}

// files lists the contents of a directory.
type files struct {
	segments []uint64 // rising numbers
	made     []string // names of files whose creation a crash interrupted
}

func (l *Log) list() (f files, err error) {
	names, err := l.fs.ReadDir(l.dir)
	if err != nil {
		return f, err
	}
	for _, name := range names {
		number, ok := segmentNumber(name)
		made := strings.TrimSuffix(name, newSuffix)
		_, isSegment := segmentNumber(made)
		switch {
		case ok:
			f.segments = append(f.segments, number)
		case made != name && (isSegment || made == HeadName):
			f.made = append(f.made, name)
		}
	}
	slices.Sort(f.segments)
	return f, nil
}

// secure makes durable the part of the recovered log that may not be: the saves above the highest
// mark, whose sync failed or was interrupted by a crash, and the head. It syncs the directory
// first: if the process was killed between a rename and the sync of the directory, the next loss of
// power would undo the rename.
func (l *Log) secure(tail []Save) error {
	if err := l.folder.Sync(); err != nil {
		return err
	}
	if len(tail) > 0 {
		size, err := l.prepare(tail)
		if err != nil {
			return err
		}
		if err := l.write(tail, size, true); err != nil {
			return err
		}
	}
	if err := l.writeHead(l.state.head, true); err != nil {
		return err
	}
	if n := len(l.segments); n > 0 && l.active == nil {
		return l.segments[n-1].trim()
	}
	return nil
}

// clean removes the files that crashes have left: files whose creation was interrupted, and
// segments that Compact dropped without removing them. After a crash in clean, the next Open
// removes the rest.
func (l *Log) clean(f files) error {
	for _, number := range f.segments {
		if number < l.first() {
			f.made = append(f.made, segmentName(number))
		}
	}
	for _, name := range f.made {
		if err := l.fs.Remove(path.Join(l.dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// abandon closes the files that a failed Open has opened.
func (l *Log) abandon() error {
	var err error
	for _, s := range l.segments {
		err = errors.Join(err, s.release())
	}
	if l.heads.file != nil {
		err = errors.Join(err, l.heads.close())
	}
	return errors.Join(err, l.folder.Close(), l.lock.Close())
}
