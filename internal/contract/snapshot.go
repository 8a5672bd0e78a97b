package contract

import (
	"bytes"
	"errors"
	"fmt"
	"hash/maphash"
	"io"

	"github.com/smr-go/smr"
	"github.com/smr-go/smr/internal/excerpt"
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
	b.Grow(s.of.size + s.of.size/8)
	err := s.Write(&b)
	s.wrote(b.Len())
	return b.Bytes(), err
}

// wrote notes how many bytes Write has written.
func (s Snapshot) wrote(n int) {
	s.of.size = n
	s.of.kit.costs(n / 64)
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

// Sum returns the hash of what Encode returns, without memory for the whole.
func (m *Machine) Sum() (uint64, error) {
	s, err := m.Snapshot()
	if err != nil {
		return 0, err
	}
	var x summed
	x.hash.SetSeed(sums)
	err = s.Write(&x)
	s.wrote(x.size)
	return x.hash.Sum64(), err
}

// summed is a hash that counts its bytes.
type summed struct {
	hash maphash.Hash
	size int
}

func (x *summed) Write(b []byte) (int, error) {
	x.size += len(b)
	return x.hash.Write(b)
}

var sums = maphash.MakeSeed()

// SumOf returns the hash of b. Each process has its own hash function.
func SumOf(b []byte) uint64 { return maphash.Bytes(sums, b) }

// Order describes the snapshots of one state.
type Order uint8

// The orders. Snapshots of one state have
const (
	Fixed    Order = iota // the same bytes
	Permuted              // the same bytes in changing order, as those of a map
	Loose                 // anything else
)

// Encoder writes snapshots of one state.
type Encoder interface{ Encode() ([]byte, error) }

// looks is the number of snapshots of one state that are compared, usually.
const looks = 16

// Differ reports whether two states differ by their snapshots, as far as these can be compared. If they seem to, it
// compares snapshots of the states of the machines, and raises o if those differ.
func (o *Order) Differ(a, b []byte, machines ...Encoder) bool {
	if !o.differ(a, b) {
		return false
	}
	n := looks
	if permuted(a, b) {
		n = 100 // the order of a map with two keys changes in one of eight snapshots
	}
	for _, m := range machines {
		*o = max(*o, order(m, n))
	}
	return o.differ(a, b)
}

func (o Order) differ(a, b []byte) bool {
	return !bytes.Equal(a, b) && o != Loose && (o != Permuted || !permuted(a, b))
}

// OrderOf returns the order of the snapshots of a machine's state.
func OrderOf(m Encoder) Order { return order(m, looks) }

// order is OrderOf with that many snapshots.
func order(m Encoder, n int) Order {
	first, err := m.Encode()
	if err != nil {
		return Loose
	}
	found := Fixed
	for range n {
		again, err := m.Encode()
		switch {
		case err != nil || !permuted(first, again):
			return Loose
		case !bytes.Equal(first, again):
			found = Permuted
		}
	}
	return found
}

// permuted reports whether a and b are the same bytes in any order.
func permuted(a, b []byte) bool {
	var count [256]int
	for _, c := range a {
		count[c]++
	}
	for _, c := range b {
		count[c]--
	}
	return count == [256]int{}
}

// Difference describes where two snapshots differ.
func Difference(a, b []byte) string {
	one, two := excerpt.Apart(a, b)
	return fmt.Sprintf("snapshots of %d and %d bytes: %s and %s", len(a), len(b), one, two)
}

// parting is Difference as the end of a sentence.
func parting(a, b []byte) string { return ": " + Difference(a, b) }
