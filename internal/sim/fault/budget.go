package fault

import "math/bits"

// Budget keeps account of the members that may have lost their memory. Crashes and cuts need none:
// they all end. But a group that loses the memory of more than n - max(Qr, Qv) members, or of any
// before it is confirmed, may stand still although nothing is wrong, so that chance stays within
// that budget, and a run beyond it has no verdict on liveness.
type Budget struct {
	Spare     int    // members whose memory the group can do without
	Overdrawn bool   // more was lost than the budget allows
	lost      uint64 // a bit for each member
}

// Allows reports whether the host's memory may be lost; confirmed says whether the group is.
func (b *Budget) Allows(host int, confirmed bool) bool {
	return b.lost>>host&1 != 0 || confirmed && bits.OnesCount64(b.lost) < b.Spare
}

// Spend accounts for a fault that makes the host lose its memory, now or when it reads its disk.
func (b *Budget) Spend(host int, confirmed bool) {
	b.Overdrawn = b.Overdrawn || !b.Allows(host, confirmed)
	b.lost |= 1 << host
}
