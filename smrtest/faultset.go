package smrtest

import "github.com/smr-go/smr/internal/sim/fault"

// Faults is a set of kinds of faults. Each run of [Explore] turns some of them on at random and chooses
// how often they happen and when: some runs are calm, some are stormy, and some faults are aimed at
// critical moments. No more replicas lose their memory than the group survives. The package
// documentation describes the faults.
//
// The zero value is all of them.
type Faults struct {
	Crashes    bool // processes end at any point, or the power is cut; they start again
	Partitions bool // links are cut, in both directions or in one
	Network    bool // messages are lost, repeated, delayed, reordered or corrupted
	Disks      bool // disks are slow or full, fail, or lose, misplace or corrupt writes
	LostDisks  bool // a disk is suddenly empty, and its replica stays out of the group
	Clocks     bool // clocks jump, drift, and differ
	Pauses     bool // processes stop for a while, or are slow
	Handovers  bool // an operator asks the primary to hand over its role

	// None turns all faults off. The others must be false then.
	None bool
}

// faultClass is a field of Faults.
type faultClass struct {
	name string
	on   bool
	is   fault.Class
	runs int // the least number of runs in which such faults surely happen
}

func (f *Faults) classes() []faultClass {
	return []faultClass{
		{"Crashes", f.Crashes, fault.CrashClass, manyRuns},
		{"Partitions", f.Partitions, fault.PartitionClass, manyRuns},
		{"Network", f.Network, fault.NetworkClass, manyRuns},
		{"Disks", f.Disks, fault.DiskClass, manyRuns},
		{"LostDisks", f.LostDisks, fault.LostDiskClass, 5 * manyRuns},
		{"Clocks", f.Clocks, fault.ClockClass, manyRuns},
		{"Pauses", f.Pauses, fault.PauseClass, manyRuns},
		{"Handovers", f.Handovers, fault.HandoverClass, manyRuns},
	}
}

// class returns the set for the simulator.
func (f *Faults) class() (set fault.Class) {
	for _, c := range f.classes() {
		if c.on || *f == (Faults{}) {
			set |= c.is
		}
	}
	return set
}
