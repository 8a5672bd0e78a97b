package vsr

import (
	"encoding/binary"
	"slices"
)

// Values that the exploration often compares have numbers, and are compared by number.

// identities numbers distinct texts from 0.
type identities map[string]uint32

func (ids identities) of(text string) (id uint32, isNew bool) {
	id, ok := ids[text]
	if !ok {
		id = uint32(len(ids))
		ids[text] = id
	}
	return id, !ok
}

// lists numbers distinct lists of numbers. The empty list is 0.
type lists struct {
	ids identities
	all [][]uint32
}

func newLists() *lists { return &lists{identities{"": 0}, [][]uint32{nil}} }

func (l *lists) of(list []uint32) uint32 {
	id, isNew := l.ids.of(numbersText(list...))
	if isNew {
		l.all = append(l.all, slices.Clone(list))
	}
	return id
}

// histories numbers lists of the viewstamps of committed ops.
type histories struct {
	ids identities
	all [][]Viewstamp
}

func (c *histories) of(stamps []Viewstamp) uint32 {
	id, isNew := c.ids.of(identity(stamps))
	if isNew {
		c.all = append(c.all, stamps)
	}
	return id
}

// numbersText returns a text that is different for every list.
func numbersText(list ...uint32) string {
	text := make([]byte, 0, 4*len(list))
	for _, n := range list {
		text = binary.LittleEndian.AppendUint32(text, n)
	}
	return string(text)
}

// bitsOf returns a set of numbers as bits.
func bitsOf(list []uint32) []uint64 {
	if len(list) == 0 {
		return nil
	}
	b := make([]uint64, list[len(list)-1]/64+1)
	for _, n := range list {
		b[n/64] |= 1 << (n % 64)
	}
	return b
}
