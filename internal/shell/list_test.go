package shell

import (
	"fmt"
	"io"
	"strings"

	"github.com/smr-go/smr/internal/vsr"
)

// list is a state machine that is the list of the commands it has applied. The result of a command is its place. Tests
// make it misbehave.
type list struct {
	items []string

	apply    func(e *vsr.Entry) error // called first; an error is Apply's
	snapshot func() error             // likewise
	write    func() error             // called by WriteTo
	closed   func()                   // called by Close
	restore  func(r io.Reader) error
}

func (s *list) Apply(e *vsr.Entry) ([]byte, error) {
	if s.apply != nil {
		if err := s.apply(e); err != nil {
			return nil, err
		}
	}
	s.items = append(s.items, string(e.Body))
	return fmt.Append(nil, len(s.items)), nil
}

func (s *list) Snapshot() (io.WriterTo, error) {
	if s.snapshot != nil {
		if err := s.snapshot(); err != nil {
			return nil, err
		}
	}
	return &frozenList{s, strings.Join(s.items, "\n")}, nil
}

func (s *list) Restore(r io.Reader) error {
	if s.restore != nil {
		if err := s.restore(r); err != nil {
			return err
		}
	}
	b, err := io.ReadAll(r)
	s.items = strings.Split(string(b), "\n")
	return err
}

type frozenList struct {
	of   *list
	text string
}

func (f *frozenList) WriteTo(w io.Writer) (int64, error) {
	if f.of.write != nil {
		if err := f.of.write(); err != nil {
			return 0, err
		}
	}
	n, err := io.WriteString(w, f.text)
	return int64(n), err
}

func (f *frozenList) Close() error {
	if f.of.closed != nil {
		f.of.closed()
	}
	return nil
}
