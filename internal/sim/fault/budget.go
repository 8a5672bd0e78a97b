package fault

import "math/bits"

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
