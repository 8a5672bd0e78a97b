package smrtest

import (
	"bytes"
	"fmt"
	"io"
	"testing"
	"testing/iotest"

	"github.com/smr-go/smr/internal/contract"
)

// restore restores f into r's machine. from reads the bytes of f.
func (r *run) restore(f frozen, from io.Reader) error {
	if err := r.machine.Restore(from); err != nil {
		return f.failed(err)
	}
	r.first, r.next, r.results, r.states = f.at, f.at, nil, nil
	return r.watched()
}

// resume restores f into a new machine, compares its state with that of a machine that applied the operations instead, applies
// the rest, and compares all with whole, a run of all operations. from reads the bytes of f.
func (m machines) resume(whole *run, f frozen, from io.Reader, why string) error {
	why = fmt.Sprintf("a machine that applied every operation and %s %s", why, f.name)
	r, err := m.start()
	if err != nil {
		return err
	}
	if err := r.restore(f, from); err != nil {
		return fmt.Errorf("of %s: %w", why, err)
	}
	twin, err := m.runTo(f.at)
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
		err := m.resume(whole, f, p.reader(bytes.NewReader(written)), "one that read, "+p.how+",")
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
		if err = r.machine.Restore(broken); err == nil {
			return fmt.Errorf("%s: Restore returned no error though Read failed after %d of %d bytes, so a replica would go on with half a state", f.name, cut, len(written))
		}
		if contract.NoPanic.Breaks(err) {
			return fmt.Errorf("from a reader that fails: %w", err)
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
		if err := r.machine.Restore(bytes.NewReader(written[:cut])); contract.NoPanic.Breaks(err) {
			return fmt.Errorf("from the first %d of %d bytes of %s: %w", cut, len(written), f.name, err)
		}
	}
	return nil
}
