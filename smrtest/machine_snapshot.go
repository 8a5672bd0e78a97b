package smrtest

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/iotest"

	"github.com/smr-go/smr"
	"github.com/smr-go/smr/internal/contract"
)

func snapshotsRunAlongside(t *testing.T, m machines) error {
	if err := exactly(contract.Frozen)(t, m); err != nil {
		return fmt.Errorf("not tried, as it could crash the test: %w", err)
	}
	for quarter := range 4 {
		if err := m.writeDuring(quarter * len(m.ops) / 4); err != nil {
			return err
		}
	}
	return nil
}

// writeDuring takes a snapshot after n operations, and writes it while the others are applied. Neither may affect the other.
func (m machines) writeDuring(n int) error {
	alone, err1 := m.applied(n)
	x, err2 := m.applied(n)
	if err := cmp.Or(err1, err2); err != nil {
		return err
	}
	s, err := x.Snapshot()
	if err != nil {
		return err
	}
	w := writeAlongside(x, s)
	_, err = m.same(m.twice[n:], plan{}, []side{{"without a snapshot", alone}, {"while one was written", w}})
	if err = cmp.Or(err, w.finish()); err != nil {
		return fmt.Errorf("a snapshot %s: %w", m.after(m.ops[:n]), err)
	}
	if err := m.resumes(n, &w.buf, "on one restored from a snapshot that was written meanwhile"); err != nil {
		return contract.Frozen.Broken("%v", err)
	}
	return nil
}

// alongside is a machine of which a snapshot is written while it applies operations. As a writer it waits for an operation to
// be applied between two calls of Write.
type alongside struct {
	local
	begun   atomic.Int64
	applied atomic.Int64
	over    atomic.Bool   // no more operations are applied
	began   chan struct{} // closed by the first Write
	begin   func()        // closes it
	finish  func() error  // waits for the snapshot

	buf bytes.Buffer
}

func writeAlongside(x local, s contract.Snapshot) *alongside {
	w := &alongside{local: x, began: make(chan struct{})}
	w.begin = sync.OnceFunc(func() { close(w.began) })
	wrote := make(chan error, 1)
	go func() {
		defer w.begin() // if there was nothing to write
		wrote <- s.Write(w)
	}()
	w.finish = sync.OnceValue(func() error { w.over.Store(true); return <-wrote })
	<-w.began
	return w
}

func (w *alongside) apply(ops []smr.Op) (results [][]byte, err error) {
	for i := range ops {
		w.begun.Add(1)
		result, err := w.local.apply(ops[i : i+1])
		if w.applied.Add(1); err != nil {
			return results, err
		}
		results = append(results, result...)
	}
	return results, nil
}

// Encode writes the snapshots of a machine one after the other, as smr does.
func (w *alongside) Encode() ([]byte, error) {
	if err := w.finish(); err != nil {
		return nil, err
	}
	return w.local.Encode()
}

func (w *alongside) Write(p []byte) (int, error) {
	w.begin()
	w.wait(&w.begun, 1_000_000) // on a busy machine the goroutine that applies may get no processor for long
	w.wait(&w.applied, 10_000)
	return w.buf.Write(p)
}

// wait waits until the counter rises or nothing is applied any more. It yields the processor at most that often: the goroutine
// that applies may itself wait for a lock of WriteTo.
func (w *alongside) wait(counter *atomic.Int64, most int) {
	was := counter.Load()
	for range most {
		if w.over.Load() || counter.Load() != was {
			return
		}
		runtime.Gosched()
	}
}

// errDevice is the error of a reader or a writer that fails.
var errDevice = errors.New("smrtest: the device failed, as this check wants it")

func writeToFails(_ machines, x local, written []byte) error {
	for _, room := range []int{0, len(written) / 4, len(written) / 2, len(written) - 1} {
		if room < 0 || room == len(written) {
			return nil // nothing to write
		}
		s, err := x.Snapshot()
		if err != nil {
			return err
		}
		if err = s.Write(&full{room}); err == nil {
			return fmt.Errorf("WriteTo returned no error though the disk was full after %d of %d bytes of the last snapshot, so half a snapshot would be taken for a whole one", room, len(written))
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

// resumes checks that a machine restored from a snapshot after the first n operations does the same as one that has applied
// them. how describes the restored one.
func (m machines) resumes(n int, snapshot io.Reader, how string) error {
	whole, err := m.applied(n)
	if err != nil {
		return err
	}
	restored, err := m.applied(0)
	if err != nil {
		return err
	}
	if err := restored.Restore(snapshot); err != nil {
		return fmt.Errorf("%s: %w", how, err)
	}
	all := len(m.twice)
	_, err = m.same(m.twice[n:], plan{every: all, closely: all}, []side{{"on a machine that applied every operation", whole}, {how, restored}})
	return err
}

func restoresByPieces(m machines, _ local, written []byte) error {
	pieces := []struct {
		how    string
		reader func(io.Reader) io.Reader
	}{
		{"byte by byte", iotest.OneByteReader},
		{"in halves", iotest.HalfReader},
		{"with the end in the last Read", iotest.DataErrReader},
	}
	for _, p := range pieces {
		if err := m.resumes(len(m.ops), p.reader(bytes.NewReader(written)), "on one that read a snapshot "+p.how); err != nil {
			return fmt.Errorf("%w\nRead may return less than it is asked for: io.ReadFull and io.ReadAll go on", err)
		}
	}
	return nil
}

func restoreFails(m machines, _ local, written []byte) error {
	for _, cut := range []int{0, len(written) / 4, len(written) / 2} {
		if cut == len(written) {
			return nil // nothing to read
		}
		err := m.restore(io.MultiReader(bytes.NewReader(written[:cut]), iotest.ErrReader(errDevice)))
		if err == nil {
			return fmt.Errorf("Restore returned no error though Read failed after %d of %d bytes of the last snapshot, so a replica would go on with half a state", cut, len(written))
		}
		if contract.NoPanic.Breaks(err) {
			return fmt.Errorf("from a reader that fails: %w", err)
		}
	}
	return nil
}

func restoresPart(m machines, _ local, written []byte) error {
	const most = 100
	for i := range most {
		cut := i * len(written) / most
		if err := m.restore(bytes.NewReader(written[:cut])); contract.NoPanic.Breaks(err) {
			return fmt.Errorf("from the first %d of %d bytes of the last snapshot: %w", cut, len(written), err)
		}
	}
	return nil
}

// restore restores a new machine.
func (m machines) restore(snapshot io.Reader) error {
	x, err := m.applied(0)
	if err != nil {
		return err
	}
	return x.Restore(snapshot)
}
