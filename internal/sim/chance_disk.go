package sim

import (
	"errors"
	"fmt"
	"time"

	"github.com/smr-go/smr/internal/sim/fault"
	"github.com/smr-go/smr/internal/sim/world"
	"github.com/smr-go/smr/internal/vsr"
)

func (c *chance) slowDisk(r world.Stream) {
	c.strike(fault.Fault{Kind: fault.SlowDisk, Host: c.running(r).i,
		N: int64(r.Scale(time.Millisecond, 30*time.Second)), For: r.Scale(100*time.Millisecond, 10*time.Second)})
}

// fillDisk fills a disk, or takes the descriptors away.
func (c *chance) fillDisk(r world.Stream) {
	f := fault.Fault{Kind: fault.FullDisk, Host: c.running(r).i,
		N: r.Int64N(8<<10) + 1, For: r.Scale(200*time.Millisecond, 20*time.Second)}
	if r.Chance(0.4) {
		f.Kind, f.N = fault.NoDescriptors, 0
	}
	c.strike(f)
}

func (c *chance) failSync(r world.Stream) {
	c.strike(fault.Fault{Kind: fault.FailSync, Host: c.running(r).i, N: 1 + r.Int64N(8)})
}

// failIO makes reads or writes fail. Because a replica reads rarely, it is then often restarted.
func (c *chance) failIO(r world.Stream) {
	h := c.running(r)
	f := fault.Fault{Kind: world.OneOf(r, fault.FailReads, fault.FailWrites), Host: h.i,
		For: r.Scale(10*time.Millisecond, 5*time.Second)}
	if c.strike(f) == nil && f.Kind == fault.FailReads && r.Chance(0.8) {
		c.reread(r, h, r.Between(0, f.For/4), f.For/4)
	}
}

// reread crashes a member after a delay, for a short time, so that it reads its disk.
func (c *chance) reread(r world.Stream, h *host, in, down time.Duration) {
	f := fault.Fault{Kind: fault.Crash, Host: h.i, For: r.Scale(time.Millisecond, max(down, time.Millisecond)),
		Seed: r.Uint64()}
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
	f := fault.Fault{Kind: world.OneOf(r, fault.RotLog, fault.RotLog, fault.RotHead, fault.RotSnapshot), N: r.Int64N(2),
		Seed: r.Uint64()}
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

// loseAllMemories wipes the disks of all members, one after the other: the next one when all that were wiped report
// that the group exists. That exceeds the budget, and no other group may be confirmed then (S2).
func (c *chance) loseAllMemories(r world.Stream) {
	if !c.active() {
		return
	}
	var left []*host
	ready := c.confirmed()
	for _, h := range c.hosts {
		p := h.proc
		switch {
		case h.lost && !h.blank:
			return // it never answers again
		case p == nil:
			ready = false
		case h.lost:
			ready = ready && p.seen.Phase == vsr.Outside
		default:
			left = append(left, h)
			ready = ready && p.seen.Commit > 0
		}
	}
	if len(left) == 0 {
		return
	}
	if ready {
		c.strike(fault.Fault{Kind: fault.Wipe, Host: world.OneOf(r, left...).i, For: c.downTime(r), Seed: r.Uint64()})
	}
	c.FaultAt(c.Now()+r.Between(10*time.Millisecond, time.Second), func() { c.loseAllMemories(r) })
}

// loseMemory wipes a member's disk once the group is confirmed. The member stays out of the group until S3 is built.
func (c *chance) loseMemory(r world.Stream) {
	h := c.victim(r)
	if c.active() && !h.lost && c.mayForget(h) {
		c.strike(fault.Fault{Kind: fault.Wipe, Host: h.i, For: c.downTime(r), Seed: r.Uint64()})
	}
}

// misdirect undoes a write or misplaces one, on a disk that the budget allows to be lost or in a place that the replica
// can do without. It often crashes the replica at once, before the next write covers the damage.
func (c *chance) misdirect(r world.Stream) {
	f := fault.Fault{Seed: r.Uint64()}
	f.Kind = world.OneOf(r, fault.LostInLog, fault.LostInSnapshot, fault.MisplacedInLog, fault.MisplacedInSnapshot,
		fault.LostInHead, fault.StrayWrite, fault.StrayWrite)
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
	if (f.Kind == fault.LostInSnapshot || f.Kind == fault.MisplacedInSnapshot) && r.Chance(0.7) {
		// While another member fetches it.
		c.delayed[sending{h, vsr.KindSnapshotOffer}] = f
		return
	}
	if c.strike(f) == nil && r.Chance(0.5) {
		c.reread(r, h, 0, c.Down)
	}
}

// errTailKept is the reason why a log cannot lose its end unnoticed.
var errTailKept = errors.New("a mark covers the end of the log")

// tail returns the last write of the log, if no mark covers it: without it, the log seems to end before.
func (h *host) tail() (extent, error) {
	if len(h.writes.log) == 0 || h.covered >= h.durable().Last.Op {
		return extent{}, errTailKept
	}
	return h.batch(h.writes.log[len(h.writes.log)-1]), nil
}

// loseTail ends the process, and makes the last write of its log undone.
func (h *host) loseTail(f *fault.Fault) error {
	x, err := h.tail()
	if err != nil {
		return err
	}
	h.endProcess(false, random(f))
	b, err := h.fs.ReadFile(x.name)
	if err != nil || int64(len(b)) <= x.off {
		return fmt.Errorf("%s is gone: %w", x.name, errTailKept)
	}
	if err := h.put(make([]byte, int64(len(b))-x.off), x.name, x.off); err != nil {
		return err
	}
	h.faults.tailLost = true
	h.s.judge.LostTail(h.i)
	h.restartIn(f.For, 0)
	return nil
}

// loseTail makes a member lose the end of its log: now, if no mark covers it, and otherwise after its next
// acknowledgement.
func (c *chance) loseTail(r world.Stream) {
	h := c.forgetful(r, fault.LostTail)
	if h == nil {
		return
	}
	f := fault.Fault{Kind: fault.LostTail, Host: h.i, For: c.downTime(r), Seed: r.Uint64()}
	if _, err := h.tail(); err != nil {
		c.delayed[sending{h, vsr.KindPrepareOK}] = f
		return
	}
	c.strike(f)
}

// reportedFor is the time for which a member goes on that another one reports to have lost its memory, if it does not
// stop by itself. Then an operator stops it.
const reportedFor = 2 * time.Second

// takeOut has an operator take out of the group the members that another one reports to have lost their memory.
func (s *Sim) takeOut(lost []bool) {
	for i, is := range lost {
		h := s.hosts[i]
		if !is || h.lost || h.reported {
			continue
		}
		h.reported = true
		s.stats.Noticed++
		s.After(reportedFor, func() {
			if !h.lost {
				h.endProcess(false, h.disk.Rand)
				h.loseMemory(errors.New("another member reports it"))
			}
		})
	}
}
