package smrtest

import "github.com/smr-go/smr/internal/sim"

// Faults is a set of sorts of faults, joined by |. In each run of [Explore] chance turns kinds of
// them on and off, and chooses how often they happen and when: some runs are calm, some are storms,
// and some faults are aimed at the moments that matter. Never more memory is lost than a group
// survives. The package's comment says what each fault of a schedule does.
type Faults uint

// The sorts of faults.
const (
	Crashes    = Faults(sim.CrashFaults)     // processes end at any point, the power is cut; they start again
	Partitions = Faults(sim.PartitionFaults) // links are cut, in both directions or in one
	Network    = Faults(sim.NetworkFaults)   // messages are lost, repeated, late, out of order, corrupted
	Disks      = Faults(sim.DiskFaults)      // disks are slow or full, fail, change what they hold, or lose writes
	LostDisks  = Faults(sim.LostDiskFaults)  // a disk is empty all at once, and its replica out for good
	Clocks     = Faults(sim.ClockFaults)     // clocks jump, drift, and are apart
	Pauses     = Faults(sim.PauseFaults)     // processes stand still, or are slow
	Handovers  = Faults(sim.HandoverFaults)  // an operator has the primary hand over its role

	// All is every sort of them, and so is the zero value.
	All = Crashes | Partitions | Network | Disks | LostDisks | Clocks | Pauses | Handovers
	// None is none: what is found then is wrong in a calm world too.
	None = Faults(1) << 31
)

// sorts is the set for the simulator.
func (f Faults) sorts() sim.Sorts {
	if f == 0 {
		f = All
	}
	return sim.Sorts(f & All)
}
