package smrtest

import (
	"time"

	"github.com/smr-go/smr"
	"github.com/smr-go/smr/internal/sim"
)

// Disk is what a replica keeps its log and snapshots on.
type Disk struct {
	g    *stage
	id   smr.ID
	host int
}

// Disk returns a replica's disk.
func (g *stage) Disk(id smr.ID) *Disk {
	g.t.Helper()
	return &Disk{g, id, g.host(id)}
}

// Fill leaves no space on the disk, until Free.
func (d *Disk) Fill() {
	d.g.t.Helper()
	d.fault(sim.Fault{Kind: sim.FullDisk}, "fill the disk of %s")
}

// Free ends Fill.
func (d *Disk) Free() {
	d.g.t.Helper()
	d.fault(sim.Fault{Kind: sim.Space}, "free the disk of %s")
}

// Slow has every save take up to d more. Zero: it is quick again.
func (d *Disk) Slow(by time.Duration) {
	d.g.t.Helper()
	d.g.notNegative("Disk.Slow", by)
	d.fault(sim.Fault{Kind: sim.SlowDisk, N: int64(by), For: long(by)}, "slow the disk of %s by up to "+by.String())
}

// FailSync has the nth sync from now on fail: 1 is the next one. The replica stops, and starts again
// within a second.
func (d *Disk) FailSync(n int) {
	d.g.t.Helper()
	if n < 1 {
		d.g.t.Fatalf("smrtest: FailSync: 1 is the next sync; %d has been, or never comes", n)
	}
	d.fault(sim.Fault{Kind: sim.FailSync, N: int64(n)}, "fail a sync of %s")
}

// FailReads has reads fail for a while. The replica stops at one, and starts again when it can.
func (d *Disk) FailReads(lasting time.Duration) {
	d.g.t.Helper()
	d.g.lasting("FailReads", lasting)
	d.fault(sim.Fault{Kind: sim.FailReads, For: lasting}, "fail the reads of %s for "+lasting.String())
}

// FailWrites has everything that changes the disk fail for a while. The replica stops at that, and
// starts again when it can.
func (d *Disk) FailWrites(lasting time.Duration) {
	d.g.t.Helper()
	d.g.lasting("FailWrites", lasting)
	d.fault(sim.Fault{Kind: sim.FailWrites, For: lasting}, "fail the writes of %s for "+lasting.String())
}

// FlipBit flips a bit of an operation in the log: rot. That is noticed when it is read, at the next
// Restart at the latest; the replica has then lost its memory, and stays out of the group. The
// operation must lie in the log, above the latest snapshot, and have been there for a moment:
// [Call.Op] is its number.
func (d *Disk) FlipBit(op uint64) {
	d.g.t.Helper()
	d.covered("FlipBit", op)
	d.damage(sim.Fault{Kind: sim.RotLog, N: int64(op)}, "flip a bit of an operation on the disk of %s")
}

// LoseWrite has the write that brought an operation to the log not be there, though the disk had said
// that it was. It is noticed as after FlipBit, and may be of the same operations.
func (d *Disk) LoseWrite(op uint64) {
	d.g.t.Helper()
	d.covered("LoseWrite", op)
	d.damage(sim.Fault{Kind: sim.LostInLog, N: int64(op)}, "lose the write of an operation on the disk of %s")
}

// MisplaceWrite has another write of the log lie in the place of the one that brought an operation to
// it. It is noticed as after FlipBit, and may be of the same operations.
func (d *Disk) MisplaceWrite(op uint64) {
	d.g.t.Helper()
	d.covered("MisplaceWrite", op)
	d.damage(sim.Fault{Kind: sim.MisplacedInLog, N: int64(op)}, "misplace a write over that of an operation on the disk of %s")
}

// covered fails the test if the operation does not lie in the log for certain.
func (d *Disk) covered(what string, op uint64) {
	d.g.t.Helper()
	if first, last := d.g.s.Covered(d.host); op < first || op > last {
		d.g.t.Fatalf("smrtest: %s: the log of %s holds operations %d to %d for certain, and not %d: earlier ones are in its snapshot; later ones are there once the replica has nothing to do for a moment: Run(time.Second)",
			what, d.id, first, last, op)
	}
}

// FlipSnapshotBit flips a bit of the latest snapshot. That is noticed when it is read, and the
// snapshot is then not used; a replica that cannot do without it has lost its memory.
func (d *Disk) FlipSnapshotBit() {
	d.g.t.Helper()
	d.damage(sim.Fault{Kind: sim.RotSnapshot}, "flip a bit of the latest snapshot of %s")
}

// FlipHeadBit flips a bit of one of the two copies, 0 and 1, of what a replica must know of itself.
// One is enough; without both it has lost its memory.
func (d *Disk) FlipHeadBit(copy int) {
	d.g.t.Helper()
	if copy != 0 && copy != 1 {
		d.g.t.Fatalf("smrtest: FlipHeadBit: the copies are 0 and 1, not %d", copy)
	}
	d.damage(sim.Fault{Kind: sim.RotHead, N: int64(copy)}, "flip a bit of the head of %s")
}

// Wipe takes the replica down, and everything from its disk. It has lost its memory, and stays out
// of the group.
func (d *Disk) Wipe() {
	g := d.g
	g.t.Helper()
	if g.s.Status(d.host).Paused {
		g.Resume(d.id)
	}
	d.damage(sim.Fault{Kind: sim.Wipe}, "wipe the disk of %s")
}

// damage is a fault for which the replica may have lost its memory.
func (d *Disk) damage(f sim.Fault, words string) {
	d.g.t.Helper()
	f.Seed = d.g.chance.Uint64()
	d.g.doomed[d.host] = true
	d.fault(f, words)
}

func (d *Disk) fault(f sim.Fault, words string) {
	d.g.t.Helper()
	f.Host = d.host
	d.g.fault(f, words, d.id)
}

// Clock is a replica's clocks: the wall clock, which shows the date, and the monotonic one.
type Clock struct {
	g  *stage
	id smr.ID
}

// Clock returns a replica's clocks.
func (g *stage) Clock(id smr.ID) *Clock {
	g.t.Helper()
	g.host(id)
	return &Clock{g, id}
}

// Jump moves the wall clock forward, or back if d is negative.
func (c *Clock) Jump(d time.Duration) {
	c.g.t.Helper()
	c.g.fault(sim.Fault{Kind: sim.ClockJump, Host: c.g.host(c.id), N: int64(d)}, "move the clock of %s by %v", c.id, d)
}
