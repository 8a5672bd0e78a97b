package contract

import (
	"bytes"
	"fmt"

	"github.com/smr-go/smr/internal/excerpt"
)

// order describes the snapshots of one state.
type order uint8

const (
	fixed    order = iota // all have the same bytes
	shuffled              // all have the same bytes, in changing order, as those of a map
	loose                 // anything else
)

// looks is the number of snapshots of one state that are compared, usually.
const looks = 16

// differ reports whether two states differ by their snapshots, as far as these can be compared.
func (w *Witness) differ(a, b []byte) bool {
	if bytes.Equal(a, b) || w.order == loose || w.order == shuffled && Shuffled(a, b) {
		return false
	}
	n := looks
	if Shuffled(a, b) {
		n = 100 // the order of a map with two keys changes in one of eight snapshots
	}
	w.order = max(w.order, w.machine.order(n))
	return w.order == fixed || w.order == shuffled && !Shuffled(a, b)
}

// order compares that many snapshots of the state.
func (m *Machine) order(n int) order {
	first, err := m.Encode()
	if err != nil {
		return loose
	}
	found := fixed
	for range n {
		again, err := m.Encode()
		switch {
		case err != nil || !Shuffled(first, again):
			return loose
		case !bytes.Equal(first, again):
			found = shuffled
		}
	}
	return found
}

// Stable reports whether all snapshots of the state have the same bytes. They do not if a map is written in its own order.
func (m *Machine) Stable() bool { return m.order(looks) == fixed }

// Shuffled reports whether a and b are the same bytes in any order.
func Shuffled(a, b []byte) bool {
	var count [256]int
	for _, c := range a {
		count[c]++
	}
	for _, c := range b {
		count[c]--
	}
	return count == [256]int{}
}

// Difference describes where two snapshots differ; "" if they are equal.
func Difference(a, b []byte) string {
	if bytes.Equal(a, b) {
		return ""
	}
	at := 0
	for at < min(len(a), len(b)) && a[at] == b[at] {
		at++
	}
	from := max(0, at-10)
	return fmt.Sprintf("snapshots of %d and %d bytes, which differ from byte %d on: %s and %s", len(a), len(b), at, excerpt.Of(a[from:]), excerpt.Of(b[from:]))
}

// parting is Difference as the end of a sentence.
func parting(a, b []byte) string { return ": " + Difference(a, b) }
