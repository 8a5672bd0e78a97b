package smrtest

import (
	"bytes"
	"fmt"
	"io"
	"testing"
	"testing/iotest"
)

// restore restores f into r's machine. from reads what f wrote.
func (r *run) restore(f frozen, from io.Reader) error {
	if err := guard("Restore of "+f.name, func() error { return r.machine.Restore(from) }); err != nil {
		return fmt.Errorf("%s: Restore failed: %w", f.name, err)
	}
	r.first, r.next, r.results, r.returned = f.at, f.at, nil, nil
	return nil
}

// resume restores f into r, compares r's state with that of a machine that applied the operations
// instead, applies the rest, and compares all with whole, a run of all operations.
func (r *run) resume(whole *run, f frozen, from io.Reader, why string) error {
	why = fmt.Sprintf("a machine that applied every operation and %s %s", why, f.name)
	if err := r.restore(f, from); err != nil {
		return fmt.Errorf("of %s: %w", why, err)
	}
	twin, err := r.runTo(f.at)
	if err != nil {
		return err
	}
	if err := twin.sameState(r, why); err != nil {
		return err
	}
	if err := r.apply(len(r.ops)); err != nil {
		return err
	}
	return whole.same(r, why)
}

// resumeFresh is resume with a new machine.
func (m machines) resumeFresh(whole *run, f frozen, from io.Reader, why string) error {
	r, err := m.start()
	if err != nil {
		return err
	}
	return r.resume(whole, f, from, why)
}

// each takes a snapshot at every point of a run, and calls visit with it, what it wrote, and a run
// of all operations to compare with.
func (m machines) each(visit func(whole *run, f frozen, written []byte) error) error {
	whole, err := m.run()
	if err != nil {
		return err
	}
	for _, at := range m.points() {
		r, err := m.runTo(at)
		if err != nil {
			return err
		}
		f, err := r.freeze()
		if err != nil {
			return err
		}
		written, err := f.bytes()
		if err != nil {
			return err
		}
		if err := visit(whole, f, written); err != nil {
			return err
		}
	}
	return nil
}

func restoresAll(_ *testing.T, m machines) error {
	return m.each(func(whole *run, f frozen, written []byte) error {
		err := m.resumeFresh(whole, f, bytes.NewReader(written), "one restored from")
		if err != nil {
			return fmt.Errorf("%w\nWriteTo must write, and Restore bring back, whatever state or result depends on; every other field must stay as in a new machine", err)
		}
		return nil
	})
}

func restoresOverOld(_ *testing.T, m machines) error {
	used, err := m.run()
	if err != nil {
		return err
	}
	return m.each(func(whole *run, f frozen, written []byte) error {
		err := used.resume(whole, f, bytes.NewReader(written), "one that had applied them all, and then restored")
		if err != nil {
			return fmt.Errorf("%w\nRestore must replace the whole state, and keep nothing of the old one", err)
		}
		return nil
	})
}

func restoresByPieces(_ *testing.T, m machines) error {
	pieces := []struct {
		how    string
		reader func(io.Reader) io.Reader
	}{
		{"byte by byte", iotest.OneByteReader},
		{"in halves", iotest.HalfReader},
		{"with the end in the last Read", iotest.DataErrReader},
	}
	whole, err := m.run()
	if err != nil {
		return err
	}
	f, written, err := m.last()
	if err != nil {
		return err
	}
	for _, p := range pieces {
		err := m.resumeFresh(whole, f, p.reader(bytes.NewReader(written)), "one that read, "+p.how+",")
		if err != nil {
			return fmt.Errorf("%w\nRead may return less than it is asked for: io.ReadFull and io.ReadAll go on", err)
		}
	}
	return nil
}

func restoreFails(_ *testing.T, m machines) error {
	f, written, err := m.last()
	if err != nil {
		return err
	}
	for _, cut := range []int{0, len(written) / 4, len(written) / 2} {
		if cut == len(written) {
			return nil // nothing to read
		}
		r, err := m.start()
		if err != nil {
			return err
		}
		broken := io.MultiReader(bytes.NewReader(written[:cut]), iotest.ErrReader(errDevice))
		err = guard("Restore from a reader that fails", func() error { return r.machine.Restore(broken) })
		if err == nil {
			return fmt.Errorf("%s: Restore returned no error though Read failed after %d of %d bytes, so a replica would go on with half a state", f.name, cut, len(written))
		}
		if panicked(err) {
			return err
		}
	}
	return nil
}

func restoresPart(_ *testing.T, m machines) error {
	f, written, err := m.last()
	if err != nil {
		return err
	}
	const most = 100
	for i := range most {
		cut := i * len(written) / most
		r, err := m.start()
		if err != nil {
			return err
		}
		err = guard(fmt.Sprintf("Restore of the first %d of %d bytes of %s", cut, len(written), f.name),
			func() error { return r.machine.Restore(bytes.NewReader(written[:cut])) })
		if panicked(err) {
			return err
		}
	}
	return nil
}
