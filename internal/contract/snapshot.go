package contract

import (
	"bytes"
	"errors"
	"hash/maphash"
	"io"

	"github.com/smr-go/smr"
)

// Snapshot is a frozen state, to be written once. It may be written while operations are applied to its machine.
type Snapshot struct {
	to    io.WriterTo
	of    *Machine
	after smr.Op // that led to the state
}

// Snapshot freezes the state.
func (m *Machine) Snapshot() (s Snapshot, err error) {
	s.of, s.after = m, m.last()
	err = m.call("Snapshot", func() error {
		s.to, err = m.User.Snapshot()
		if err == nil && s.to == nil {
			err = errors.New("it returned neither an io.WriterTo nor an error")
		}
		return err
	})
	return s, failed("Snapshot", err)
}

// Write calls WriteTo, and Close where there is one.
func (s Snapshot) Write(to io.Writer) error {
	err := s.of.callAfter(s.after, "WriteTo", func() error {
		_, err := s.to.WriteTo(to)
		return err
	})
	return failed("WriteTo", errors.Join(err, s.Close()))
}

// Close calls Close, where there is one. A snapshot need not be written before it is closed.
func (s Snapshot) Close() error {
	if c, ok := s.to.(io.Closer); ok {
		return failed("Close", s.of.callAfter(s.after, "Close", c.Close))
	}
	return nil
}

// Bytes returns what Write writes.
func (s Snapshot) Bytes() ([]byte, error) {
	var b bytes.Buffer
	err := s.Write(&b)
	return b.Bytes(), err
}

// failed turns the error of a method that must not fail into a breach of NoFailure.
func failed(what string, err error) error {
	if _, ok := errors.AsType[*Broken](err); ok || err == nil {
		return err
	}
	return NoFailure.Broken("%s failed: %v", what, err)
}

// Encode returns the state as a snapshot has it.
func (m *Machine) Encode() ([]byte, error) {
	s, err := m.Snapshot()
	if err != nil {
		return nil, err
	}
	return s.Bytes()
}

// Sum returns the hash of what Encode returns.
func (m *Machine) Sum() (uint64, error) {
	s, err := m.Snapshot()
	if err != nil {
		return 0, err
	}
	var h maphash.Hash
	h.SetSeed(sums)
	err = s.Write(&h)
	return h.Sum64(), err
}

var sums = maphash.MakeSeed()

// SumOf returns the hash of b. Each process has its own hash function.
func SumOf(b []byte) uint64 { return maphash.Bytes(sums, b) }
