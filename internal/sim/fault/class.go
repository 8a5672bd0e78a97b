package fault

import (
	"fmt"
	"strings"
)

// Class is a set of classes of faults. A user turns the kinds of a class on and off together.
type Class uint

// The classes.
const (
	CrashClass     Class = 1 << iota // processes that end at any point, power cuts, restarts
	PauseClass                       // processes and machines that stand still or are slow
	PartitionClass                   // links that are cut, in both directions or one
	NetworkClass                     // messages lost, doubled, late, out of order, corrupted
	DiskClass                        // slow, full, failing, rotting and lying disks; processes on directories not theirs
	LostDiskClass                    // a disk that is suddenly empty; only while the group can do without it
	ClockClass                       // clocks that drift, jump and differ
	HandoverClass                    // requests of an operator that the primary hand over
	classes
)

// Counts is a number for each kind of fault.
type Counts [Kinds]int

// Plus returns the sums.
func (n Counts) Plus(m Counts) Counts {
	for kind := range n {
		n[kind] += m[kind]
	}
	return n
}

// Class returns the classes of all kinds with a count above zero.
func (n Counts) Class() (x Class) {
	for kind, count := range n {
		if count > 0 {
			x |= Kind(kind).Class()
		}
	}
	return x
}

func (n Counts) String() string {
	var all []string
	for kind, count := range n {
		if count > 0 {
			all = append(all, fmt.Sprintf("%v %d", Kind(kind), count))
		}
	}
	return strings.Join(all, ", ")
}
