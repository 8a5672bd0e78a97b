package snap

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
)

// Incoming is a snapshot being received. It must be used by one goroutine at a time, and ended by
// Complete or Close.
type Incoming struct {
	layout
	store   *Store
	out     *scratch
	have    []byte // one bit per chunk
	missing uint32
	err     error // the first failure, or fs.ErrClosed once the snapshot is ended
}

// Receive begins to receive a snapshot from another replica, and allocates its space. It ignores
// info.Header. If an earlier Receive of the same snapshot was unfinished, Receive resumes it: it
// checks every chunk in the file and writes it again, which takes a while. An unfinished file of
// another snapshot is removed. Receive returns ErrRefused if info does not describe a valid
// snapshot, ErrSuperseded if the store has one that is at least as new, and ErrBusy if one is being
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

// dropOther removes a partly received file of any snapshot but l, and reports whether one of l
// exists to be resumed.
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

// prepare allocates the space and makes durable what Open needs to find the file again.
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
	return r.store.folder.Sync()
}

// resume keeps the intact chunks of the file. It writes each again: after a kill or a failed sync a
// chunk may be readable without being durable (F12).
func (r *Incoming) resume() error {
	buf := make([]byte, r.length(0))
	for i := range r.chunks {
		data, err := r.read(r.out.file, i, buf)
		if err != nil {
			continue // not received, or torn by a crash
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

// Next returns the first missing chunk at or after from. It reports false if all are present.
func (r *Incoming) Next(from uint32) (chunk uint32, ok bool) {
	for i := from; i < r.chunks; i++ {
		if !r.has(i) {
			return i, true
		}
	}
	return 0, false
}

// Put stores chunk i, as returned by ReadChunk on another replica. It ignores a chunk that it
// already has. Put returns ErrRefused, and stores nothing, if data is not chunk i or was changed on
// the way. After any other error, which comes from the disk, the file is gone and every later call
// returns that error.
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

// Complete makes the snapshot complete, as Writer.Commit does; it reads all of it, which takes a
// while. If chunks are missing, it returns an error and they can still be put. It returns
// ErrCorrupt if the contents do not match the snapshot's ID; the snapshot must then be received
// again from the start. After any error other than missing chunks the file is gone, as after a
// failed Commit.
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

// Close keeps the partly received file for a later Receive.
func (r *Incoming) Close() error {
	if r.err != nil {
		return nil
	}
	err := r.out.close()
	r.end("closed")
	return err
}

// fail ends the snapshot with err and removes its file.
func (r *Incoming) fail(err error) {
	r.store.setUnfinished(nil)
	r.err = r.out.discard(err)
	r.store.end(&r.store.receiving)
}

func (r *Incoming) end(how string) {
	r.err = fmt.Errorf("snapshot %v is %s: %w", r.id, how, fs.ErrClosed)
	r.store.end(&r.store.receiving)
}
