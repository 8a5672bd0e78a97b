package sim

import (
	"time"

	"github.com/smr-go/smr/internal/sim/fault"
	"github.com/smr-go/smr/internal/sim/world"
)

func (c *chance) slowDisk(r world.Stream) {
	c.strike(fault.Fault{Kind: fault.SlowDisk, Host: c.running(r).i,
		N: int64(r.Scale(time.Millisecond, 30*time.Second)), For: r.Scale(100*time.Millisecond, 10*time.Second)})
}

func (c *chance) fillDisk(r world.Stream) {
	c.strike(fault.Fault{Kind: fault.FullDisk, Host: c.running(r).i,
		N: r.Int64N(8<<10) + 1, For: r.Scale(200*time.Millisecond, 20*time.Second)})
}

func (c *chance) failSync(r world.Stream) {
	c.strike(fault.Fault{Kind: fault.FailSync, Host: c.running(r).i, N: 1 + r.Int64N(8)})
}

// failIO makes reads or writes fail. Because a replica reads rarely, it is then often restarted.
func (c *chance) failIO(r world.Stream) {
	h := c.running(r)
	f := fault.Fault{Kind: world.OneOf(r, fault.FailReads, fault.FailWrites), Host: h.i, For: r.Scale(10*time.Millisecond, 5*time.Second)}
	if c.strike(f) == nil && f.Kind == fault.FailReads && r.Chance(0.8) {
		c.reread(r, h, r.Between(0, f.For/4), f.For/4)
	}
}

// reread crashes a member after a delay, for a short time, so that it reads its disk.
func (c *chance) reread(r world.Stream, h *host, in, down time.Duration) {
	f := fault.Fault{Kind: fault.Crash, Host: h.i, For: r.Scale(time.Millisecond, max(down, time.Millisecond)), Seed: r.Uint64()}
	if r.Chance(c.PowerCut) {
		f.Kind = fault.PowerCut
	}
	if !c.Rereads {
		return
	}
	c.FaultAt(c.Now()+in, func() {
		if c.active() && h.proc != nil {
			c.strike(f)
		}
	})
}

// rot flips a bit on a disk that the budget allows to be lost.
func (c *chance) rot(r world.Stream) {
	f := fault.Fault{Kind: world.OneOf(r, fault.RotLog, fault.RotLog, fault.RotHead, fault.RotSnapshot), N: r.Int64N(2), Seed: r.Uint64()}
	if c.SparesLog {
		f.Kind = fault.RotSnapshot
	}
	h := c.forgetful(r, f.Kind)
	if h == nil {
		return
	}
	f.Host = h.i
	if f.Kind.NamesOp() {
		f.N = h.anyCovered(r)
	} else if older, late := olderOf(h.headCopies()); f.Kind == fault.RotHead && late {
		f.N = int64(older)
	}
	if c.strike(f) == nil && r.Chance(0.5) {
		c.reread(r, h, r.Scale(time.Millisecond, time.Second), c.Down)
	}
}

// forgetful chooses a member that still has its memory, and may lose it by a fault of that kind; nil if no member may.
func (c *chance) forgetful(r world.Stream, by fault.Kind) *host {
	will := func(h *host) bool { return !h.lost && c.mayForget(h) && h.damageable(by) }
	if h := c.pick(r, will); will(h) {
		return h
	}
	return nil
}

// damageable reports whether the disk has something that a fault of the kind can damage.
func (h *host) damageable(kind fault.Kind) bool {
	if kind != fault.RotSnapshot && kind != fault.LostInSnapshot && kind != fault.MisplacedInSnapshot {
		return true
	}
	_, b, err := h.snapshotFile()
	return err == nil && (kind != fault.MisplacedInSnapshot || len(fullChunks(b)) > 1)
}

// anyCovered chooses an op of the log that a later mark covers, often the last.
func (h *host) anyCovered(r world.Stream) int64 {
	first, last := h.s.Covered(h.i)
	if r.Chance(0.4) {
		return int64(last)
	}
	return int64(first) + r.Int64N(max(1, int64(last+1)-int64(first)))
}

// loseMemory wipes a member's disk once the group is confirmed. The member stays out of the group
// until S3 is built.
func (c *chance) loseMemory(r world.Stream) {
	h := c.victim(r)
	if c.active() && c.mayForget(h) {
		c.strike(fault.Fault{Kind: fault.Wipe, Host: h.i, For: c.downTime(r), Seed: r.Uint64()})
	}
}

// misdirect undoes a write or misplaces one, on a disk that the budget allows to be lost or in a
// place that the replica can do without. It often crashes the replica at once, before the next write
// covers the damage.
func (c *chance) misdirect(r world.Stream) {
	f := fault.Fault{Seed: r.Uint64()}
	f.Kind = world.OneOf(r, fault.LostInLog, fault.LostInSnapshot, fault.MisplacedInLog, fault.MisplacedInSnapshot, fault.LostInHead, fault.StrayWrite, fault.StrayWrite)
	switch {
	case !c.SparesLog:
	case f.Kind == fault.LostInLog:
		f.Kind = fault.LostInSnapshot
	case f.Kind == fault.MisplacedInLog:
		f.Kind = fault.MisplacedInSnapshot
	}
	h := c.running(r)
	if f.Kind.LosesMemory() {
		h = c.forgetful(r, f.Kind)
	}
	if h == nil {
		return
	}
	f.Host = h.i
	if f.Kind.NamesOp() {
		f.N = h.anyCovered(r)
		if r.Chance(0.4) { // one of the latest
			f.N = max(1, int64(h.covered)-r.Int64N(6))
		}
	}
	if (f.Kind == fault.LostInSnapshot || f.Kind == fault.MisplacedInSnapshot) && r.Chance(0.7) { // while another member fetches it
		c.offers[h] = f
		return
	}
	if c.strike(f) == nil && r.Chance(0.5) {
		c.reread(r, h, 0, c.Down)
	}
}
