package sim

import "slices"

// Sorts is a set of sorts of faults, as users tell them apart.
type Sorts uint

// The sorts.
const (
	CrashFaults     Sorts = 1 << iota // processes that end at any point, power cuts, restarts
	PartitionFaults                   // links that are cut, in both directions or one
	NetworkFaults                     // messages lost, doubled, late, out of order, corrupted
	DiskFaults                        // slow, full, failing, rotting and lying disks; directories that are taken for another's
	LostDiskFaults                    // a disk that is empty all at once; only where the others can do without it
	ClockFaults                       // clocks that drift, jump and are apart
	PauseFaults                       // processes and machines that stand still, or are slow
	HandoverFaults                    // an operator who asks the primary to hand over
)

// Only takes out of a run what is of other sorts.
func (x Sorts) Only(p *Setup, t *Troubles) {
	if x&CrashFaults == 0 {
		t.Crash, t.CrashAll, t.CrashIn, t.StopInOrder, t.Rereads = 0, 0, 0, 0, false
	}
	if x&PartitionFaults == 0 {
		t.Partition, t.Cut, t.Rotate = 0, 0, 0
	}
	if x&NetworkFaults == 0 {
		t.BadLink = 0
		p.Network = Network{Delay: p.Network.Delay, Jitter: min(p.Network.Jitter, p.Network.Delay/4)}
	}
	if x&DiskFaults == 0 {
		t.SlowDisk, t.FullDisk, t.FailSync, t.FailIO, t.Rot, t.Misdirect, t.Mistaken = 0, 0, 0, 0, 0, 0, 0
	}
	t.MemoryLoss = t.MemoryLoss && x&LostDiskFaults != 0
	if x&ClockFaults == 0 {
		t.Clock, p.Drift, p.ClockGap = 0, 0, 0
	}
	if x&PauseFaults == 0 {
		t.Pause, t.SlowTurns, p.Turn = 0, 0, 0
	}
	if x&HandoverFaults == 0 {
		t.HandOver = 0
	}
	p.Staying = p.Staying.only(x)
	t.Aims = slices.DeleteFunc(t.Aims, func(a aim) bool { return x&a.sort() == 0 })
}

// sort returns what sort of fault is aimed.
func (a *aim) sort() Sorts {
	switch a.what {
	case isolates:
		return PartitionFaults
	case pauses:
		return PauseFaults
	}
	return CrashFaults
}
