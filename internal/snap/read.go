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

// Read returns the state of a snapshot, which is not removed before Close. Every chunk is checked
// before any of its bytes are returned, and the whole snapshot's hash before any byte of the last
// chunk; damage is reported as ErrCorrupt. Read returns fs.ErrNotExist if the store does not have
// the snapshot. The reader must be used by one goroutine.
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

// reader is the result of Store.Read.
type reader struct {
	store *Store
	entry *entry
	file  vfs.File
	scan  *scanner
	rest  []byte // bytes of the current chunk not returned yet
	err   error  // error to return after rest
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

// ReadChunk returns chunk i, checked, in the form that Incoming.Put expects: at most MaxChunkSize
// bytes, which the caller owns. It returns fs.ErrNotExist if the store has no such chunk, and
// ErrCorrupt if the chunk is damaged. Call Hold to keep the snapshot from one call to the next.
func (s *Store) ReadChunk(id ID, i uint32) ([]byte, error) {
	e, file, err := s.openHeld(id)
	if err != nil {
		return nil, err
	}
	defer s.release(e)
	defer file.Close()
	if i >= e.chunks {
		return nil, fmt.Errorf("snapshot %v has %d chunks and no chunk %d: %w", id, e.chunks, i, fs.ErrNotExist)
	}
	data, err := e.read(file, i, make([]byte, e.length(i)))
	return data, s.examined(e, err)
}

// openHeld calls use and opens the snapshot's file.
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
