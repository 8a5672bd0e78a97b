package snap

import (
	"errors"
	"fmt"
	"os"

	"github.com/smr-go/smr/internal/vfs"
)

// Open opens the snapshots in dir, made if absent and locked by the caller. It removes what an
// unfinished Create left, and keeps what an unfinished Receive left if that can be resumed. It
// reads of each snapshot the part up to the caller's header; damage found there does not fail it:
// see Damaged. ErrForeign: dir is another group's, or another version's.
func Open(fsys vfs.FS, dir string, opt Options) (*Store, error) {
	if opt.ChunkSize == 0 {
		opt.ChunkSize = DefaultChunkSize
	}
	if n := len(opt.Identity); n == 0 || n > maxGroup {
		return nil, fmt.Errorf("the group's name has %d bytes, and must have 1 to %d", n, maxGroup)
	}
	if n := opt.ChunkSize; n < MinChunkSize || n > MaxChunkSize || n&(n-1) != 0 {
		return nil, fmt.Errorf("chunk size %d is no power of two from %d to %d", n, MinChunkSize, MaxChunkSize)
	}
	s := &Store{fs: fsys, dir: dir, group: opt.Identity, chunkSize: int64(opt.ChunkSize)}
	if err := s.open(); err != nil {
		return nil, err
	}
	return s, nil
}

func (s *Store) open() error {
	if err := s.fs.MkdirAll(s.dir); err != nil {
		return err
	}
	// Killed between a rename and its sync: the name reads well, and is not on disk yet.
	if err := s.fs.SyncDir(s.dir); err != nil {
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

// takeComplete lists a snapshot, damaged or not.
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
	s.held = append(s.held, e) // in the order of names, which is that of viewstamps
	return nil
}

// load reads the file header and the caller's.
func (s *Store) load(file vfs.File, e *entry) error {
	l, err := s.readFileHeader(file)
	if err != nil {
		return err
	}
	size, err := file.Size()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	if l.id != e.id {
		return fmt.Errorf("%w: it holds snapshot %v", ErrCorrupt, l.id)
	}
	if size != l.fileSize() {
		return fmt.Errorf("%w: it has %d bytes, not %d", ErrCorrupt, size, l.fileSize())
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
		err = fmt.Errorf("%w: it is of group %q, this replica of %q: give each group its own directory",
			ErrForeign, l.group, s.group)
	}
	return l, err
}

// takePartial keeps the newest file of an unfinished Receive, if it is still of use.
func (s *Store) takePartial(id ID, kind string) error {
	if kind != partial {
		return nil
	}
	l, err := s.examinePartial(id)
	if errors.Is(err, ErrCorrupt) || err == nil && s.superseded(id) != nil {
		// Crashed before the file header was synced, or after a newer snapshot was complete.
		return s.fs.Remove(s.path(id, partial))
	}
	if err != nil {
		return fmt.Errorf("%s: %w", s.path(id, partial), err)
	}
	if s.unfinished != nil { // crashed before the removal of the other was durable
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
	if err == nil && l.id != id {
		err = fmt.Errorf("%w: it holds snapshot %v", ErrCorrupt, l.id)
	}
	return l, err
}

// removeLocal removes what a crash during Create left.
func (s *Store) removeLocal(id ID, kind string) error {
	if kind != local {
		return nil
	}
	return s.fs.Remove(s.path(id, local))
}
