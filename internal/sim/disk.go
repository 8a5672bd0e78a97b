package sim

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/smr-go/smr/internal/shell"
	"github.com/smr-go/smr/internal/sim/fault"
	"github.com/smr-go/smr/internal/snap"
	"github.com/smr-go/smr/internal/vfs"
	"github.com/smr-go/smr/internal/wal"
)

// Where a replica's files are.
const (
	dataDir  = "data"
	logDir   = dataDir + "/" + shell.LogDir
	snapDir  = dataDir + "/" + shell.SnapshotDir
	headFile = logDir + "/" + wal.HeadName
)

// diskFaults are the faults of a host's disk.
type diskFaults struct {
	fuse     int          // changes of the disk until the host goes down; 0: it does not
	fault    *fault.Fault // the fault that lit the fuse
	burnt    bool         // the fuse has burnt down
	syncs    int          // syncs until one fails; 0: none
	noReads  fault.Timed
	noWrites fault.Timed
	rotten   bool // some of its content is damaged
}

// excuses reports whether the disk's faults must lead to an error. Any other error is a violation, whatever else has
// failed before.
func (a *diskFaults) excuses(err error) bool {
	return errors.Is(err, errFaulty) || a.rotten && (errors.Is(err, wal.ErrCorrupt) || errors.Is(err, snap.ErrCorrupt))
}

func (h *host) newDisk() {
	h.fs, h.covered, h.writes = vfs.NewCrashable(), 0, writes{}
	h.fs.SetHook(h.hook)
}

var (
	errCut    = errors.New("the machine went down")
	errFaulty = errors.New("the disk fails")
)

// hook makes operations of the disk fail.
func (h *host) hook(op vfs.Op) error {
	a := &h.faults
	changes := op.Kind.Changes()
	switch {
	case a.burnt:
		return errCut
	case a.fuse > 0 && changes:
		if a.fuse--; a.fuse == 0 {
			a.burnt = true
			h.s.note(h.i, "goes down in", uint64(op.Length), op)
			return errCut
		}
	case op.Kind == vfs.OpRead && a.noReads.Active(h.s.Now()), changes && a.noWrites.Active(h.s.Now()):
		h.s.note(h.i, "fails", uint64(op.Length), op)
		return fmt.Errorf("%w: %v", errFaulty, op)
	case a.syncs > 0 && op.Kind == vfs.OpSync:
		if a.syncs--; a.syncs == 0 {
			h.s.note(h.i, "fails a sync", 0)
			return fmt.Errorf("%w: %v", errFaulty, op)
		}
	}
	if op.Kind == vfs.OpWrite {
		h.wrote(op)
	}
	return nil
}

// fuseUnburnt notes that a CrashIn ends without its crash.
func (h *host) fuseUnburnt(why string) {
	if a := &h.faults; a.fuse > 0 && !a.burnt && a.fault != nil && a.fault.Kind == fault.CrashIn {
		h.s.expired = append(h.s.expired, Ineffective{*a.fault, why, true})
	}
}

// syncUnfailed notes that a FailSync ends without its sync.
func (h *host) syncUnfailed() {
	if h.faults.syncs == 0 {
		return
	}
	for i := len(h.s.struck) - 1; i >= 0; i-- {
		if f := &h.s.struck[i]; f.Kind == fault.FailSync && f.Host == h.i {
			h.s.expired = append(h.s.expired, Ineffective{*f, "that sync never came", true})
			return
		}
	}
}

// burnDown ends the process when the fuse has burnt down: by a power cut, or in a third of the cases
// by a kill, which leaves unsynced writes to a later power cut.
func (h *host) burnDown() {
	f := h.faults.fault
	rng := rand.New(rand.NewPCG(f.Seed, 0))
	h.fall(rng.IntN(3) > 0, rng)
	h.later(f.For, 0)
}

// latency returns the time that the next operation of the disk takes.
func (h *host) latency() time.Duration {
	if h.absent == staysHung {
		return hangTime
	}
	d := h.s.p.Save/2 + h.disk.About(h.s.p.Save/2)
	if slow := h.slow.Amount(h.s.Now()); slow > 0 {
		d += h.disk.Between(0, time.Duration(slow))
	}
	return d
}

// fill sets the space that the disk has now.
func (h *host) fill() { h.fs.SetCapacity(h.full.Amount(h.s.Now())) }
