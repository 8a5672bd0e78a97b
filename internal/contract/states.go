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

// differ reports whether two states differ by their snapshots, as far as these can be compared.
func (c *Careful) differ(a, b []byte) bool {
	if bytes.Equal(a, b) || c.order == loose || c.order == shuffled && Shuffled(a, b) {
		return false
	}
	looks := 16
	if Shuffled(a, b) {
		looks = 100 // the order of a map with two keys changes in one of eight snapshots
	}
	c.order = max(c.order, c.machine.order(looks))
	return c.order == fixed || c.order == shuffled && !Shuffled(a, b)
}

// order compares that many snapshots of the state.
func (m *Machine) order(looks int) order {
	first, err := m.Encode()
	if err != nil {
		return loose
	}
	found := fixed
	for range looks {
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
func (m *Machine) Stable() bool { return m.order(16) == fixed }

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
	return fmt.Sprintf("their snapshots, of %d and %d bytes, part at byte %d: %s and %s", len(a), len(b), at, excerpt.Of(a[from:]), excerpt.Of(b[from:]))
}

// parting is Difference as the end of a sentence.
func parting(a, b []byte) string { return ": " + Difference(a, b) }
