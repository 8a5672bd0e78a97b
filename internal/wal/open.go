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

// Open takes the directory, made if absent, and brings back the log that it holds. It refuses one
// that another process uses (vfs.ErrLocked, F18), that is another's (ErrForeign, F17), written by a
// later version (ErrVersion), or damaged (ErrCorrupt). Then, and whenever it fails before it has
// read everything, it has changed nothing, but for making the directory and its lock.
//
// What it returns is on disk whatever happened before: saves that are not known to be synced are
// written again to a new segment (S5). After a crash within Open, Open does the same again.
func Open(fsys vfs.FS, dir string, opt Options) (*Log, error) {
	if len(opt.Identity) > maxIdentity {
		return nil, fmt.Errorf("identity %.40q... has %d bytes; %d at most", opt.Identity, len(opt.Identity), maxIdentity)
	}
	if opt.SegmentSize == 0 {
		opt.SegmentSize = defaultSegmentSize
	}
	opt.SegmentSize = pad(max(opt.SegmentSize, minSegmentSize), sector)
	if err := fsys.MkdirAll(dir); err != nil {
		return nil, err
	}
	lock, err := fsys.Lock(path.Join(dir, "lock"))
	if err != nil {
		return nil, err
	}
	l := &Log{fs: fsys, dir: dir, opt: opt, lock: lock}
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
	h, fresh, err := openHeads(l.fs, l.dir, l.opt.Identity, len(files.segments) == 0)
	if err != nil {
		return err
	}
	l.heads = h
	tail, err := l.recover(files.segments)
	if err != nil {
		return err
	}
	if !fresh {
		if err := l.secure(tail); err != nil {
			return err
		}
	}
	return l.clean(files)
}

// files is what a directory holds.
type files struct {
	segments []uint64 // numbers, rising
	made     []string // names of what was being made in a crash
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
		case made != name && (isSegment || made == headName):
			f.made = append(f.made, name)
		}
	}
	slices.Sort(f.segments)
	return f, nil
}

// secure puts on disk what was read and is not known to be there: saves above the highest mark
// (they were being synced in a crash, or their sync failed), and the head. The names come first: a
// kill between a rename and its sync leaves a name that the next loss of power takes back.
func (l *Log) secure(tail []Save) error {
	if err := l.fs.SyncDir(l.dir); err != nil {
		return err
	}
	if len(tail) > 0 {
		size, err := l.prepare(tail)
		if err != nil {
			return err
		}
		if err := l.write(tail, size); err != nil {
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

// clean removes what crashes have left over: files in the making, and segments that a Compact had
// given up. A crash in between leaves the rest to the next Open.
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

// abandon closes what a failed Open has opened.
func (l *Log) abandon() error {
	var err error
	for _, s := range l.segments {
		err = errors.Join(err, s.release())
	}
	if l.heads.file != nil {
		err = errors.Join(err, l.heads.close())
	}
	return errors.Join(err, l.lock.Close())
}
