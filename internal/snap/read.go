package snap

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"

	"github.com/smr-go/smr/internal/vfs"
)

// Read returns the state that was written, and keeps the snapshot until Close. No byte is given
// out before its chunk is checked, and none of the last chunk before the hash of the whole: an
// ErrCorrupt is returned instead. fs.ErrNotExist: it is not held.
func (s *Store) Read(id ID) (io.ReadCloser, Info, error) {
	e, file, err := s.openHeld(id)
	if err != nil {
		return nil, Info{}, err
	}
	r := &reader{store: s, entry: e, file: file, scan: e.scan(file)}
	if _, r.rest, err = r.scan.header(); err != nil {
		return nil, Info{}, errors.Join(s.examined(e, err), r.Close())
	}
	return r, e.info(e.header), nil
}

// reader is used by one goroutine.
type reader struct {
	store *Store
	entry *entry
	file  vfs.File
	scan  *scanner
	rest  []byte // of the last chunk
	err   error  // after rest
	once  sync.Once
}

func (r *reader) Read(b []byte) (int, error) {
	for len(r.rest) == 0 && r.err == nil {
		if r.rest, r.err = r.scan.chunk(); r.err != nil && r.err != io.EOF {
			r.err = r.store.examined(r.entry, r.err)
		}
	}
	if len(r.rest) == 0 {
		return 0, r.err
	}
	n := copy(b, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

func (r *reader) Close() (err error) {
	r.once.Do(func() {
		r.rest, r.err = nil, fs.ErrClosed
		err = r.file.Close()
		r.store.release(r.entry)
	})
	return err
}

// Verify reads the whole snapshot; ErrCorrupt if it is not what was written.
func (s *Store) Verify(id ID) error {
	e, file, err := s.openHeld(id)
	if err != nil {
		return err
	}
	defer s.release(e)
	defer file.Close()
	return s.examined(e, e.scan(file).verify())
}

// ReadChunk returns chunk i, checked, as Incoming.Put takes it: at most MaxChunkSize bytes, the
// caller's own. fs.ErrNotExist: this store has none such; ErrCorrupt: it is damaged. Hold keeps
// the snapshot from one call to the next.
func (s *Store) ReadChunk(id ID, i uint32) ([]byte, error) {
	e, file, err := s.openHeld(id)
	if err != nil {
		return nil, err
	}
	defer s.release(e)
	defer file.Close()
	if i >= e.chunks {
		return nil, fmt.Errorf("snapshot %v has %d chunks, no chunk %d: %w", id, e.chunks, i, fs.ErrNotExist)
	}
	data, err := e.read(file, i, make([]byte, e.length(i)))
	return data, s.examined(e, err)
}

// openHeld is use, with the file open.
func (s *Store) openHeld(id ID) (*entry, vfs.File, error) {
	e, err := s.use(id)
	if err != nil {
		return nil, nil, err
	}
	file, err := s.fs.OpenFile(s.path(id, complete), os.O_RDONLY)
	if err != nil {
		s.release(e)
		return nil, nil, err
	}
	return e, file, nil
}
