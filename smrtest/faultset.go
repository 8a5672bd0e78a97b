package smrtest

import "github.com/smr-go/smr/internal/sim/fault"

// Faults is a set of kinds of faults. In each run of [Explore] chance turns some of them on, and chooses
// how often they happen and when: some runs are calm, some are storms, and some faults are aimed at the
// moments that matter. Never more replicas lose their memory than a group survives. The package
// documentation says what each fault of a schedule does.
//
// The zero value is all of them.
type Faults struct {
	Crashes    bool // processes end at any point, the power is cut; they start again
	Partitions bool // links are cut, in both directions or in one
	Network    bool // messages are lost, repeated, late, out of order, corrupted
	Disks      bool // disks are slow or full, fail, change what they hold, or lose writes
	LostDisks  bool // a disk is suddenly empty, and its replica stays out of the group
	Clocks     bool // clocks jump, drift, and differ
	Pauses     bool // processes stand still, or are slow
	Handovers  bool // an operator has the primary hand over its role

	// None is for a calm world. It excludes the others.
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

// sorts is the set for the simulator.
func (f *Faults) sorts() (set fault.Class) {
	for _, c := range f.classes() {
		if c.on || *f == (Faults{}) {
			set |= c.is
		}
	}
	return set
}
