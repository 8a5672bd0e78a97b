package smrtest

import (
	"bytes"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/smr-go/smr/internal/contract"
)

// frozen is a snapshot that is not yet written.
type frozen struct {
	contract.Snapshot
	at   int    // how many operations are in it
	name string // "the snapshot after op 7 (...)"
}

// freeze calls Snapshot.
func (r *run) freeze() (f frozen, err error) {
	f.at, f.name = r.next, "the snapshot after "+r.after(r.next)
	f.Snapshot, err = r.machine.Snapshot()
	return f, f.failed(err)
}

// failed adds the snapshot's name to an error.
func (f frozen) failed(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", f.name, err)
}

// bytes returns what WriteTo writes.
func (f frozen) bytes() ([]byte, error) {
	b, err := f.Bytes()
	return b, f.failed(err)
}

// snapshot takes a snapshot and writes it at once.
func (r *run) snapshot() ([]byte, error) {
	f, err := r.freeze()
	if err != nil {
		return nil, err
	}
	return f.bytes()
}

// snapshotAt returns the snapshot after that many operations, and its bytes, written at once.
func (m machines) snapshotAt(at int) (frozen, []byte, error) {
	r, err := m.runTo(at)
	if err != nil {
		return frozen{}, nil, err
	}
	f, err := r.freeze()
	if err != nil {
		return f, nil, err
	}
	b, err := f.bytes()
	return f, b, err
}

// last returns a snapshot of the state after all operations.
func (m machines) last() (frozen, []byte, error) { return m.snapshotAt(len(m.ops)) }

func snapshotsRunAlongside(t *testing.T, m machines) error {
	if err := exactly(contract.Frozen)(t, m); err != nil {
		return fmt.Errorf("not tried, as it could crash the test: %w", err)
	}
	whole, err := m.run()
	if err != nil {
		return err
	}
	for quarter := range 4 {
		if err := m.writeDuring(whole, quarter*len(m.ops)/4); err != nil {
			return err
		}
	}
	return nil
}

// writeDuring takes a snapshot after at operations, and writes it while the others are applied. Neither may affect the other.
func (m machines) writeDuring(whole *run, at int) error {
	r, err := m.runTo(at)
	if err != nil {
		return err
	}
	f, err := r.freeze()
	if err != nil {
		return err
	}
	written, err := r.writeAlongside(f)
	if err != nil {
		return err
	}
	if err := m.resume(whole, f, bytes.NewReader(written), "one restored from"); err != nil {
		return contract.Frozen.Broken("%v", err)
	}
	if err := whole.same(r, "a run without a snapshot and one with "+f.name); err != nil {
		return fmt.Errorf("%w\nit was being written while operations were applied", err)
	}
	return nil
}

// writeAlongside applies the rest of the operations while f is written.
func (r *run) writeAlongside(f frozen) ([]byte, error) {
	b := &alongside{began: make(chan struct{})}
	wrote := make(chan error, 1)
	go func() {
		err := f.Write(b)
		b.begin() // if there was nothing to write
		wrote <- err
	}()
	<-b.began
	var err error
	for err == nil && r.next < len(r.ops) {
		err = r.apply(r.next + 1)
		b.applied.Add(1)
	}
	err = errors.Join(err, <-wrote)
	return b.buf.Bytes(), err
}

// alongside is a writer that waits for operations to be applied between two calls of Write.
type alongside struct {
	buf     bytes.Buffer
	began   chan struct{} // closed by the first Write
	once    sync.Once
	applied atomic.Int64
}

func (b *alongside) begin() { b.once.Do(func() { close(b.began) }) }

func (b *alongside) Write(p []byte) (int, error) {
	b.begin()
	was := b.applied.Load()
	for range 10_000 { // bounded: all may be applied, or Apply may wait for a lock of WriteTo
		if b.applied.Load() != was {
			break
		}
		runtime.Gosched()
	}
	return b.buf.Write(p)
}

// errDevice is the error of a reader or a writer that fails.
var errDevice = errors.New("smrtest: the device failed, as this check wants it")

func writeToFails(_ *testing.T, m machines) error {
	_, written, err := m.last()
	if err != nil {
		return err
	}
	for _, room := range []int{0, len(written) / 4, len(written) / 2, len(written) - 1} {
		if room < 0 || room == len(written) {
			return nil // nothing to write
		}
		r, err := m.run()
		if err != nil {
			return err
		}
		f, err := r.freeze()
		if err != nil {
			return err
		}
		if err = f.Write(&full{room}); err == nil {
			return fmt.Errorf("%s: WriteTo returned no error though the disk was full after %d of %d bytes, so half a snapshot would be taken for a whole one", f.name, room, len(written))
		}
		if contract.NoPanic.Breaks(err) {
			return err
		}
	}
	return nil
}

// full is a writer with room for some bytes.
type full struct{ room int }

func (w *full) Write(p []byte) (int, error) {
	n := min(w.room, len(p))
	w.room -= n
	if n < len(p) {
		return n, errDevice
	}
	return n, nil
}
