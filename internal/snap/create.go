package snap

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"io/fs"
)

// Writer writes a snapshot chunk by chunk. It must be used by one goroutine, and ended by Commit or
// Abort.
type Writer struct {
	store  *Store
	out    *scratch
	id     ID // the hash is set by Commit
	header []byte
	seed   uint32
	hash   hash.Hash
	chunk  []byte // the chunk being filled, including its head
	chunks uint32 // number of chunks written
	size   int64  // their total size
	err    error  // the first failure, or fs.ErrClosed once the writer is ended
}

// Create begins a snapshot with the group and viewstamp of id, whose hash is ignored. header, at most MaxHeader bytes,
// is stored and sent with the snapshot; the state is then written to the Writer. Create returns
// ErrSuperseded if the store has a snapshot that is at least as new, and ErrBusy if another one is
// being written.
func (s *Store) Create(id ID, header []byte) (*Writer, error) {
	if len(header) > MaxHeader {
		return nil, fmt.Errorf("snapshot header has %d bytes; the limit is %d", len(header), MaxHeader)
	}
	id.Hash = [32]byte{}
	if err := s.begin(&s.creating, id); err != nil {
		return nil, err
	}
	out, err := s.scratch(id, local, false)
	if err != nil {
		s.end(&s.creating)
		return nil, err
	}
	l := layout{group: s.group, id: id}
	w := &Writer{store: s, out: out, id: id, seed: seed(l.encode()), hash: sha256.New()}
	w.chunk = make([]byte, chunkHeadSize, s.chunkSize)
	prefix := binary.LittleEndian.AppendUint32(make([]byte, 0, 4+len(header)), uint32(len(header)))
	prefix = append(prefix, header...)
	w.header = prefix[4:]
	if _, err := w.Write(prefix); err != nil {
		return nil, err
	}
	return w, nil
}

// begin sets *busy, which reports that a snapshot is being created or received.
func (s *Store) begin(busy *bool, id ID) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if *busy {
		return ErrBusy
	}
	if err := s.superseded(id); err != nil {
		return err
	}
	*busy = true
	return nil
}

func (s *Store) end(busy *bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	*busy = false
}

// Write appends to the state. After an error, including that of a full disk (vfs.IsFull), the file
// is gone and every later call returns that error.
func (w *Writer) Write(b []byte) (int, error) {
	n := 0
	for w.err == nil && n < len(b) {
		room := w.chunk[len(w.chunk):cap(w.chunk)]
		k := copy(room, b[n:])
		w.chunk = w.chunk[:len(w.chunk)+k]
		n += k
		if len(w.chunk) == cap(w.chunk) {
			w.flush()
		}
	}
	return n, w.err
}

// flush writes the current chunk if it is not empty.
func (w *Writer) flush() {
	if len(w.chunk) == chunkHeadSize || w.err != nil {
		return
	}
	if w.chunks == MaxChunks {
		w.fail(fmt.Errorf("snapshot %v exceeds %d chunks of %d bytes; use larger chunks", w.id, MaxChunks, cap(w.chunk)))
		return
	}
	seal(w.chunk, w.chunks, w.seed)
	w.hash.Write(w.chunk)
	if err := w.out.write(w.chunk, fileHeaderSize+w.size); err != nil {
		w.fail(err)
		return
	}
	w.chunks++
	w.size += int64(len(w.chunk))
	w.chunk = w.chunk[:chunkHeadSize]
}

// Commit makes the snapshot complete: it syncs the file, reads it back, renames it and syncs the
// directory, and only then removes older snapshots. After an error the snapshot is gone and the
// store is unchanged; but if the error came from the sync of the directory, a later Open may find
// the snapshot, complete.
func (w *Writer) Commit() (Info, error) {
	w.flush()
	if w.err != nil {
		return Info{}, w.err
	}
	e, err := w.finish()
	if err != nil {
		w.fail(err)
		return Info{}, w.err
	}
	w.err = fmt.Errorf("snapshot %v is complete: %w", w.id, fs.ErrClosed)
	w.store.end(&w.store.creating)
	return e.info(e.header), nil
}

func (w *Writer) finish() (*entry, error) {
	l, err := newLayout(w.store.group, Info{ID: w.id, Size: w.size, Chunks: w.chunks})
	if err != nil {
		return nil, err
	}
	l.id.Hash = l.identity(w.hash)
	if err := w.out.write(l.encode(), 0); err != nil {
		return nil, err
	}
	if err := w.out.sync(); err != nil {
		return nil, err
	}
	if _, err := w.out.check(&l); err != nil {
		return nil, err
	}
	if err := w.out.close(); err != nil {
		return nil, err
	}
	e := &entry{layout: l, header: w.header}
	return e, w.store.publish(w.out.name, e)
}

// Abort removes the snapshot unless Commit has completed it.
func (w *Writer) Abort() {
	if w.err == nil {
		w.fail(fmt.Errorf("snapshot %v was aborted: %w", w.id, fs.ErrClosed))
	}
}

// fail ends the writer with err and removes its file.
func (w *Writer) fail(err error) {
	w.err = w.out.discard(err)
	w.store.end(&w.store.creating)
}
