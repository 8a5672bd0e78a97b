package smr

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// recorder is a state machine whose state is the history of the operations that it has applied. The result
// of an operation is its place in the history.
type recorder struct {
	history []string // bodies, without line breaks
	numbers []uint64 // of the ops applied in this life
	before  func(Op) // called by Apply first
	fail    func(io.Writer) (io.Writer, error)
	refuse  func() error // called by Snapshot
	restore func() error // called by Restore
}

func newRecorder() *recorder {
	return &recorder{before: func(Op) {}, refuse: func() error { return nil }, restore: func() error { return nil },
		fail: func(w io.Writer) (io.Writer, error) { return w, nil }}
}

func (s *recorder) bodies() []string { return slices.Clone(s.history) }

func (s *recorder) Apply(op Op) []byte {
	s.before(op)
	s.history, s.numbers = append(s.history, string(op.Body)), append(s.numbers, op.Number)
	return fmt.Append(nil, len(s.history))
}

func (s *recorder) Snapshot() (io.WriterTo, error) {
	return &frozenHistory{s, s.history[:len(s.history):len(s.history)]}, s.refuse()
}

type frozenHistory struct {
	of      *recorder
	history []string
}

func (f *frozenHistory) WriteTo(w io.Writer) (n int64, err error) {
	if w, err = f.of.fail(w); err != nil {
		return 0, err
	}
	for _, body := range f.history {
		k, err := io.WriteString(w, body+"\n")
		if n += int64(k); err != nil {
			return n, err
		}
	}
	return n, nil
}

func (s *recorder) Restore(r io.Reader) error {
	if err := s.restore(); err != nil {
		return err
	}
	b, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	s.history = strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")
	if len(b) == 0 {
		s.history = nil
	}
	return nil
}

// last returns the last operation applied, or "" before the first.
func (s *recorder) last() string {
	if len(s.history) == 0 {
		return ""
	}
	return s.history[len(s.history)-1]
}
