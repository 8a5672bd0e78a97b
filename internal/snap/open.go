package snap

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"github.com/smr-go/smr/internal/vfs"
)

// Open opens the snapshots in dir, which it creates if necessary and which the caller has locked.
// It removes the file of an unfinished Create, and keeps that of an unfinished Receive if Receive
// can resume it. Of each complete snapshot it reads the beginning, including the caller's header;
// damage found there is reported by Damaged and does not make Open fail. Open returns ErrForeign if
// dir holds snapshots of another group or format version.
func Open(fsys vfs.FS, dir string, opt Options) (*Store, error) {
	if opt.ChunkSize == 0 {
		opt.ChunkSize = DefaultChunkSize
	}
	if n := len(opt.Identity); n == 0 || n > maxGroup {
		return nil, fmt.Errorf("the group's name has %d bytes, but must have 1 to %d", n, maxGroup)
	}
	if n := opt.ChunkSize; n < MinChunkSize || n > MaxChunkSize || n&(n-1) != 0 {
		return nil, fmt.Errorf("chunk size %d is not a power of two from %d to %d", n, MinChunkSize, MaxChunkSize)
	}
	s := &Store{fs: fsys, dir: dir, group: opt.Identity, chunkSize: int64(opt.ChunkSize)}
	if err := fsys.MkdirAll(dir); err != nil {
		return nil, err
	}
	var err error
	if s.folder, err = fsys.OpenDir(dir); err != nil {
		return nil, err
	}
	if err := s.open(); err != nil {
		return nil, errors.Join(err, s.folder.Close())
	}
	return s, nil
}

// Close releases what the store has open. It may be called while the store is used, whose later syncs of the directory
// then fail.
func (s *Store) Close() error { return s.folder.Close() }

// Any reports whether dir holds a snapshot, complete or partly received, sound or not.
func Any(fsys vfs.FS, dir string) (bool, error) {
	names, err := fsys.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return slices.ContainsFunc(names, func(name string) bool {
		_, kind, ok := parseName(name)
		return ok && kind != local
	}), err
}

func (s *Store) open() error {
	// If the process was killed between a rename and the sync after it, the name is visible but not
	// durable yet.
	if err := s.folder.Sync(); err != nil {
		return err
	}
	names, err := s.fs.ReadDir(s.dir)
	if err != nil {
		return err
	}
	for _, take := range []func(ID, string) error{s.takeComplete, s.takePartial, s.removeLocal} {
		for _, name := range names {
			if id, kind, ok := parseName(name); ok {
				if err := take(id, kind); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// takeComplete lists a complete snapshot, damaged or not.
func (s *Store) takeComplete(id ID, kind string) error {
	if kind != complete {
		return nil
	}
	e := &entry{layout: layout{id: id}}
	file, err := s.fs.OpenFile(s.path(id, complete), os.O_RDONLY)
	if err != nil {
		return err
	}
	defer file.Close()
	if err := s.examined(e, s.load(file, e)); err != nil && e.damage == nil {
		return err
	}
	s.held = append(s.held, e) // names and therefore entries are in the order of viewstamps
	return nil
}

// load reads the file header and the caller's header.
func (s *Store) load(file vfs.File, e *entry) error {
	l, err := s.readFileHeader(file)
	if err != nil {
		return err
	}
	size, err := file.Size()
	if vfs.IsShort(err) {
		return err
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	if !l.id.sameName(e.id) {
		return fmt.Errorf("%w: the file contains snapshot %v, not %v", ErrCorrupt, l.id, e.id)
	}
	if size != l.fileSize() {
		return fmt.Errorf("%w: the file has %d bytes, not %d", ErrCorrupt, size, l.fileSize())
	}
	e.layout = l
	e.header, _, err = l.scan(file).header()
	return err
}

func (s *Store) readFileHeader(file vfs.File) (layout, error) {
	h := make([]byte, fileHeaderSize)
	if err := readFull(file, h, 0); err != nil {
		return layout{}, fmt.Errorf("file header: %w", err)
	}
	l, err := decode(h)
	if err == nil && l.group != s.group {
		err = fmt.Errorf("%w: it belongs to group %q, this replica to group %q; give each group its own directory",
			ErrForeign, l.group, s.group)
	}
	return l, err
}

// takePartial keeps the newest file of an unfinished Receive if it can still be resumed.
func (s *Store) takePartial(id ID, kind string) error {
	if kind != partial {
		return nil
	}
	l, err := s.examinePartial(id)
	if errors.Is(err, ErrCorrupt) || err == nil && s.superseded(id) != nil {
		// The process crashed before the file header was synced, or after a newer snapshot was
		// complete.
		return s.fs.Remove(s.path(id, partial))
	}
	if err != nil {
		return fmt.Errorf("%s: %w", s.path(id, partial), err)
	}
	if s.unfinished != nil { // the process crashed before the removal of the other file was durable
		if err := s.fs.Remove(s.path(s.unfinished.id, partial)); err != nil {
			return err
		}
	}
	s.unfinished = &l
	return nil
}

func (s *Store) examinePartial(id ID) (layout, error) {
	file, err := s.fs.OpenFile(s.path(id, partial), os.O_RDONLY)
	if err != nil {
		return layout{}, err
	}
	defer file.Close()
	l, err := s.readFileHeader(file)
	if err == nil && !l.id.sameName(id) {
		err = fmt.Errorf("%w: the file contains snapshot %v, not %v", ErrCorrupt, l.id, id)
	}
	return l, err
}

// removeLocal removes the file of a Create that a crash interrupted.
func (s *Store) removeLocal(id ID, kind string) error {
	if kind != local {
		return nil
	}
	return s.fs.Remove(s.path(id, local))
}
