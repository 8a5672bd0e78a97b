package snap

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"sync"

	"github.com/smr-go/smr/internal/vfs"
)

// Options configures Open.
type Options struct {
	// Identity is the group's name in 1 to 255 bytes. Snapshots written by any member of the group
	// are accepted.
	Identity string
	// ChunkSize is the chunk size of the snapshots created here, in bytes: a power of two from
	// MinChunkSize to MaxChunkSize. Zero means DefaultChunkSize. A received snapshot keeps the
	// chunk size of its creator.
	ChunkSize int
}

// Store is a directory of snapshots. Its methods may be called concurrently, but only one snapshot
// can be written by Create and one received at a time. The caller must ensure that no other process
// uses the directory.
//
// A store usually holds one complete snapshot: once a newer one is durable, older ones are removed
// as soon as they are neither held nor read. No snapshot is kept in memory.
type Store struct {
	fs        vfs.FS
	dir       string
	folder    vfs.Dir // dir, opened before anything is written
	group     string
	chunkSize int64

	names sync.Mutex // held while a file is removed or renamed to its final name; acquired before mu

	mu         sync.Mutex
	held       []*entry // in ascending order of viewstamps
	creating   bool
	receiving  bool
	unfinished *layout // layout of the partly received snapshot; nil if there is none
}

// entry is a complete snapshot. Store.mu guards the fields below header.
type entry struct {
	layout
	header []byte
	damage error // why the snapshot must not be used; nil unless it was found damaged
	uses   int
	old    bool // whether a newer snapshot is durable; this one is then removed once uses is 0
}

// Complete returns the complete snapshots that are not known to be damaged, the newest last.
func (s *Store) Complete() (all []Info) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.held {
		if e.damage == nil {
			all = append(all, e.info(e.header))
		}
	}
	return all
}

// Latest returns the newest complete snapshot that is not known to be damaged. It reports false if
// there is none.
func (s *Store) Latest() (Info, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.latest(); e != nil {
		return e.info(e.header), true
	}
	return Info{}, false
}

func (s *Store) latest() *entry {
	for _, e := range slices.Backward(s.held) {
		if e.damage == nil && !e.old {
			return e
		}
	}
	return nil
}

// Damaged returns an error for every snapshot found damaged by Open or later. Each is an ErrCorrupt
// that names the file. Damaged snapshots are removed when a newer one is complete.
func (s *Store) Damaged() []error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []error
	for _, e := range s.held {
		if e.damage != nil {
			all = append(all, e.damage)
		}
	}
	return all
}

// Hold prevents the removal of a snapshot, for instance while it is sent, until release is called.
// It returns fs.ErrNotExist if the store does not have the snapshot, and ErrCorrupt if it is known
// to be damaged. release may be called more than once, and may wait for the disk.
func (s *Store) Hold(id ID) (release func(), err error) {
	e, err := s.use(id)
	if err != nil {
		return nil, err
	}
	return sync.OnceFunc(func() { s.release(e) }), nil
}

// use returns a snapshot that is not removed before the matching release.
func (s *Store) use(id ID) (*entry, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.held, func(e *entry) bool { return e.id == id })
	if i < 0 || s.held[i].old && s.held[i].uses == 0 {
		return nil, fmt.Errorf("snapshot %v: %w", id, fs.ErrNotExist)
	}
	e := s.held[i]
	if e.damage != nil {
		return nil, e.damage
	}
	e.uses++
	return e, nil
}

func (s *Store) release(e *entry) {
	s.mu.Lock()
	e.uses--
	removable := e.old && e.uses == 0
	s.mu.Unlock()
	if removable {
		s.names.Lock()
		defer s.names.Unlock()
		s.sweep()
	}
}

// examined adds the snapshot's file to an error met while using it. If the error is ErrCorrupt, the
// snapshot counts as damaged from now on.
func (s *Store) examined(e *entry, err error) error {
	if err == nil {
		return nil
	}
	err = fmt.Errorf("%s: %w", s.path(e.id, complete), err)
	if errors.Is(err, ErrCorrupt) {
		s.mu.Lock()
		defer s.mu.Unlock()
		e.damage = err
	}
	return err
}

// superseded returns ErrSuperseded if the store has a snapshot at least as new as id. The caller
// holds mu.
func (s *Store) superseded(id ID) error {
	if e := s.latest(); e != nil && id.compare(e.id) <= 0 {
		return fmt.Errorf("%w: the store has %v, which is at least as new as %v", ErrSuperseded, e.id, id)
	}
	return nil
}

// publish renames a file that is complete, synced and read back to its final name and syncs the
// directory. Only then does it remove older snapshots, because until then the new one is not
// durable.
func (s *Store) publish(file string, e *entry) error {
	s.names.Lock()
	defer s.names.Unlock()
	s.mu.Lock()
	err := s.superseded(e.id)
	s.mu.Unlock()
	if err != nil {
		return err
	}
	if err := s.fs.Rename(file, s.path(e.id, complete)); err != nil {
		return err
	}
	if err := s.folder.Sync(); err != nil {
		return err
	}
	s.list(e)
	s.sweep()
	return nil
}

// list adds a new entry. It replaces an entry with the same ID, which was damaged and whose file no
// longer exists.
func (s *Store) list(e *entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held = slices.DeleteFunc(s.held, func(o *entry) bool { return o.id.sameName(e.id) })
	for _, o := range s.held {
		o.old = o.old || o.id.compare(e.id) <= 0
	}
	s.held = append(s.held, e)
	slices.SortStableFunc(s.held, func(a, b *entry) int { return a.id.compare(b.id) })
}

// sweep removes old snapshots that are not in use. A snapshot that cannot be removed takes only
// space; it stays listed, and the next sweep tries again. The caller holds names.
func (s *Store) sweep() {
	s.mu.Lock()
	idle := slices.DeleteFunc(slices.Clone(s.held), func(e *entry) bool { return !e.old || e.uses > 0 })
	s.mu.Unlock()
	for _, e := range idle {
		err := s.fs.Remove(s.path(e.id, complete))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			continue
		}
		s.mu.Lock()
		s.held = slices.DeleteFunc(s.held, func(o *entry) bool { return o == e })
		s.mu.Unlock()
	}
}
