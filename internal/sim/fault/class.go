package fault

import "math/bits"

// Class is a set of classes of faults. A user turns the kinds of a class on and off together.
type Class uint

// The classes.
const (
	CrashClass     Class = 1 << iota // processes that end at any point, power cuts, restarts
	PauseClass                       // processes and machines that stand still or are slow
	PartitionClass                   // links that are cut, in both directions or one
	NetworkClass                     // messages lost, doubled, late, out of order, corrupted
	DiskClass                        // slow, full, failing, rotting, lying disks; processes on directories of others
	LostDiskClass                    // a disk that is suddenly empty; only while the group can do without it
	ClockClass                       // clocks that drift, jump and differ
	HandoverClass                    // requests of an operator that the primary hand over
	classes
)

// Counts is a number for each kind of fault.
type Counts [Kinds]int

// Class returns the classes of all kinds with a count above zero.
func (n Counts) Class() (x Class) {
	for kind, count := range n {
		if count > 0 {
			x |= Kind(kind).Class()
		}
	}
	return x
}

// Budget counts the members that may have lost their memory. Crashes and cuts need no budget, because
// they end. But a group that loses the memory of more than n - max(Qr, Qv) members, or of any member
// before it is confirmed, may stop serving although nothing is wrong. Chance therefore stays within
// the budget; a run beyond it has no verdict on liveness.
type Budget struct {
	Spare     int    // members whose memory the group can do without
	Overdrawn bool   // more members lost their memory than the budget allows
	lost      uint64 // a bit for each member
}

// Allows reports whether the host may lose its memory, given whether the group is confirmed.
func (b *Budget) Allows(host int, confirmed bool) bool {
	return b.lost>>host&1 != 0 || confirmed && bits.OnesCount64(b.lost) < b.Spare
}

// Spend counts a fault that makes the host lose its memory, now or when it reads its disk.
func (b *Budget) Spend(host int, confirmed bool) {
	b.Overdrawn = b.Overdrawn || !b.Allows(host, confirmed)
	b.lost |= 1 << host
}
