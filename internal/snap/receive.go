package snap

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
)

// Incoming is a snapshot being received. It is used by one goroutine at a time, and must be ended
// by Complete, Abandon or Close.
type Incoming struct {
	layout
	store   *Store
	out     *scratch
	have    []byte // a bit a chunk
	missing uint32
	err     error // the first failure, or that it is ended
}

// Unfinished describes the snapshot that was partly received, in this run or an earlier one, and
// can be resumed by Receive.
func (s *Store) Unfinished() (Info, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.unfinished == nil || s.superseded(s.unfinished.id) != nil {
		return Info{}, false
	}
	return s.unfinished.info(nil), true
}

// Receive begins a snapshot that another replica holds, and reserves its space; info.Header is not
// used. What an earlier Receive of the same snapshot left is resumed: every chunk there is checked
// and written again, which takes its time. What one of another snapshot left is removed.
// ErrRefused: info is of no snapshot; ErrSuperseded: one as new is held; ErrBusy: one is being
// received.
func (s *Store) Receive(info Info) (*Incoming, error) {
	l, err := newLayout(s.group, info)
	if err != nil {
		return nil, fmt.Errorf("%w: snapshot %v: %w", ErrRefused, info.ID, err)
	}
	if err := s.begin(&s.receiving, l.id); err != nil {
		return nil, err
	}
	r := &Incoming{layout: l, store: s, missing: l.chunks, have: make([]byte, (l.chunks+7)/8)}
	resume, err := s.dropOther(&l)
	if err == nil {
		r.out, err = s.scratch(l.id, partial, resume)
	}
	if err != nil {
		s.end(&s.receiving)
		return nil, err
	}
	if err := r.prepare(resume); err != nil {
		r.fail(err)
		return nil, r.err
	}
	return r, nil
}

// dropOther removes what was received of another snapshot, and reports whether there is something
// of this one.
func (s *Store) dropOther(l *layout) (resume bool, err error) {
	s.mu.Lock()
	other := s.unfinished
	s.mu.Unlock()
	if other == nil || bytes.Equal(other.encode(), l.encode()) {
		return other != nil, nil
	}
	s.setUnfinished(nil)
	err = s.fs.Remove(s.path(other.id, partial))
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return false, err
}

func (s *Store) setUnfinished(l *layout) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unfinished = l
}

// prepare reserves the space and makes the file one that Open knows again.
func (r *Incoming) prepare(resume bool) error {
	if err := r.out.file.Allocate(r.fileSize()); err != nil {
		return err
	}
	if err := r.out.write(r.encode(), 0); err != nil {
		return err
	}
	if resume {
		if err := r.resume(); err != nil {
			return err
		}
	}
	if err := r.out.sync(); err != nil {
		return err
	}
	r.store.setUnfinished(&r.layout)
	return r.store.fs.SyncDir(r.store.dir)
}

// resume takes the chunks that are there and whole. Each is written again: after a failed sync, or
// a kill, it may read well and not be on disk (F12).
func (r *Incoming) resume() error {
	buf := make([]byte, r.length(0))
	for i := range r.chunks {
		data, err := r.read(r.out.file, i, buf)
		if err != nil {
			continue // never written, or torn by the crash
		}
		if err := r.keep(i, data); err != nil {
			return err
		}
	}
	return nil
}

func (r *Incoming) keep(i uint32, data []byte) error {
	if err := r.out.write(data, r.offset(i)); err != nil {
		return err
	}
	r.have[i/8] |= 1 << (i % 8)
	r.missing--
	return nil
}

func (r *Incoming) has(i uint32) bool { return r.have[i/8]&(1<<(i%8)) != 0 }

// Info describes the snapshot, without its header.
func (r *Incoming) Info() Info { return r.info(nil) }

// Missing returns how many chunks are lacking.
func (r *Incoming) Missing() uint32 { return r.missing }

// Next returns the first chunk at or after from that is lacking.
func (r *Incoming) Next(from uint32) (chunk uint32, ok bool) {
	for i := from; i < r.chunks; i++ {
		if !r.has(i) {
			return i, true
		}
	}
	return 0, false
}

// Put takes chunk i as ReadChunk gave it, on whatever replica; one that is there already is
// ignored. ErrRefused: it is not that chunk, or was changed on the way; nothing has happened. Any
// other error is the disk's: the file is gone, and every later call returns that error.
func (r *Incoming) Put(i uint32, data []byte) error {
	if r.err != nil {
		return r.err
	}
	if _, err := r.payload(i, data); err != nil {
		return fmt.Errorf("%w: snapshot %v: %w", ErrRefused, r.id, err)
	}
	if r.has(i) {
		return nil
	}
	if err := r.keep(i, data); err != nil {
		r.fail(err)
	}
	return r.err
}

// Complete makes the snapshot complete, as Commit does, once no chunk is missing; it reads the
// whole, which takes its time. ErrCorrupt: that is not what its identity says, so it must begin
// anew. After any error the file is gone, as Commit's is; but chunks that are missing can still be
// put.
func (r *Incoming) Complete() (Info, error) {
	if r.err != nil {
		return Info{}, r.err
	}
	if next, ok := r.Next(0); ok {
		return Info{}, fmt.Errorf("snapshot %v: %d of %d chunks are missing, the first is %d", r.id, r.missing, r.chunks, next)
	}
	e, err := r.finish()
	if err != nil {
		r.fail(err)
		return Info{}, r.err
	}
	r.store.setUnfinished(nil)
	r.end("complete")
	return e.info(e.header), nil
}

func (r *Incoming) finish() (*entry, error) {
	if err := r.out.sync(); err != nil {
		return nil, err
	}
	header, err := r.out.check(&r.layout)
	if err != nil {
		return nil, err
	}
	if err := r.out.close(); err != nil {
		return nil, err
	}
	e := &entry{layout: r.layout, header: header}
	return e, r.store.publish(r.out.name, e)
}

// Abandon removes what was received.
func (r *Incoming) Abandon() {
	if r.err == nil {
		r.fail(fmt.Errorf("snapshot %v was abandoned: %w", r.id, fs.ErrClosed))
	}
}

// Close keeps what was received, to be resumed by a later Receive.
func (r *Incoming) Close() error {
	if r.err != nil {
		return nil
	}
	err := r.out.close()
	r.end("closed")
	return err
}

// fail ends the receiving for err and gives back the space.
func (r *Incoming) fail(err error) {
	r.store.setUnfinished(nil)
	r.err = r.out.discard(err)
	r.store.end(&r.store.receiving)
}

func (r *Incoming) end(how string) {
	r.err = fmt.Errorf("snapshot %v is %s: %w", r.id, how, fs.ErrClosed)
	r.store.end(&r.store.receiving)
}
