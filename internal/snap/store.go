package snap

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"sync"

	"github.com/smr-go/smr/internal/vfs"
)

// Options of Open.
type Options struct {
	// Identity is the group's name, 1 to 255 bytes. Snapshots of any of its members are welcome.
	Identity string
	// ChunkSize is that of snapshots made here, in bytes: a power of two from MinChunkSize to
	// MaxChunkSize. Zero: DefaultChunkSize. Received ones keep their maker's.
	ChunkSize int
}

// Store is a directory of snapshots. All its methods may be called concurrently, but one snapshot
// at a time can be written by Create, and one at a time received. It locks no second process out.
//
// It holds one complete snapshot but for moments: when a newer one is durable, older ones are
// removed as soon as nobody holds or reads them. It never holds one in memory.
type Store struct {
	fs        vfs.FS
	dir       string
	group     string
	chunkSize int64

	names sync.Mutex // held while a file gets its final name or is removed; taken before mu

	mu         sync.Mutex
	held       []*entry // by viewstamp, rising
	creating   bool
	receiving  bool
	unfinished *layout // of the one partial file, if there is any
}

// entry is a complete snapshot. Store.mu guards what can change.
type entry struct {
	layout
	header []byte
	damage error // why it must not be used; nil while nothing is known against it
	uses   int
	old    bool // a newer one is durable: to be removed once uses is 0, and not used anew
}

// Latest returns the newest complete snapshot that is not known to be damaged.
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

// Damaged returns what is wrong with snapshots that were found damaged, since Open or by it: for
// each an ErrCorrupt that names the file. They are removed when a newer one is complete.
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

// Hold keeps a snapshot from being removed, while it is being sent, until release is called.
// fs.ErrNotExist: it is not held; ErrCorrupt: it is known to be damaged. release may be called
// more than once, and may wait for the disk.
func (s *Store) Hold(id ID) (release func(), err error) {
	e, err := s.use(id)
	if err != nil {
		return nil, err
	}
	return sync.OnceFunc(func() { s.release(e) }), nil
}

// use returns the snapshot, not to be removed before its release.
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

// examined names the snapshot in an error met in using it, and passes it over from now on if it is
// corrupt.
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

// superseded returns an ErrSuperseded if the store has no need of this snapshot. mu is held.
func (s *Store) superseded(id ID) error {
	if e := s.latest(); e != nil && id.compare(e.id) <= 0 {
		return fmt.Errorf("%w: %v, and this is %v", ErrSuperseded, e.id, id)
	}
	return nil
}

// publish gives a file that is complete and synced its final name, makes that durable, and only
// then lets go of what is older (section 2: the snapshot, synced and read back).
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
	if err := s.fs.SyncDir(s.dir); err != nil {
		return err
	}
	s.list(e)
	s.sweep()
	return nil
}

// list takes in a new entry; one of the same name was damaged, and its file is no more.
func (s *Store) list(e *entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held = slices.DeleteFunc(s.held, func(o *entry) bool { return o.id == e.id })
	for _, o := range s.held {
		o.old = o.old || o.id.compare(e.id) <= 0
	}
	s.held = append(s.held, e)
	slices.SortStableFunc(s.held, func(a, b *entry) int { return a.id.compare(b.id) })
}

// sweep removes old snapshots that nobody uses. What cannot be removed stays listed and is tried
// again; it costs nothing but space. names is held.
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
