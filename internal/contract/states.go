package contract

import (
	"bytes"
	"fmt"

	"github.com/smr-go/smr/internal/excerpt"
)

// order is what snapshots of one state are like.
type order uint8

const (
	fixed    order = iota // they have the same bytes
	shuffled              // the same bytes in one order or another, as of a map
	loose                 // other bytes
)

// differ reports whether two states differ by their snapshots, as far as these can be compared.
func (c *Careful) differ(a, b []byte) bool {
	if bytes.Equal(a, b) || c.order == loose || c.order == shuffled && Shuffled(a, b) {
		return false
	}
	looks := 16
	if Shuffled(a, b) {
		looks = 100 // two keys of a map change places in one of eight looks
	}
	c.order = max(c.order, c.machine.order(looks))
	return c.order == fixed || c.order == shuffled && !Shuffled(a, b)
}

// order looks at the state so many times.
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

// Stable reports whether snapshots of the state have the same bytes each time. One that is written in the order of a map
// cannot be compared with another.
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

// Difference tells where two snapshots part; "" if they are equal.
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
