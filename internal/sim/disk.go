package sim

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"path"
	"slices"
	"syscall"
	"time"

	"github.com/smr-go/smr/internal/shell"
	"github.com/smr-go/smr/internal/sim/fault"
	"github.com/smr-go/smr/internal/snap"
	"github.com/smr-go/smr/internal/store"
	"github.com/smr-go/smr/internal/vfs"
	"github.com/smr-go/smr/internal/vsr"
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
	untilCrash int          // changes of the disk until the host goes down; 0: it does not
	crash      *fault.Fault // the fault that makes it go down then
	crashing   bool         // it goes down now, in a change of the disk
	syncs      int          // syncs until one fails; 0: none
	noReads    fault.Timed
	noWrites   fault.Timed
	noFiles    fault.Timed // can be opened
	rotten     bool        // some of its content is damaged
	tailLost   bool        // its log has lost its end, which S6 may show
	mixed      bool        // a folder of its directory was removed or replaced, and no process has opened it since
	refused    string      // why the next process must not start; "": it may
}

// explains reports whether the disk's faults must lead to an error. Any other error is a violation, whatever else has
// failed before.
func (a *diskFaults) explains(err error) bool {
	return errors.Is(err, errFaulty) || a.showsLoss(err) ||
		a.rotten && (errors.Is(err, wal.ErrCorrupt) || errors.Is(err, snap.ErrCorrupt)) ||
		a.mixed && (errors.Is(err, store.ErrCorrupt) || errors.Is(err, wal.ErrForeign))
}

// showsLoss reports whether err shows that the log has lost its end.
func (a *diskFaults) showsLoss(err error) bool {
	_, lost := errors.AsType[*vsr.LostMemoryError](err)
	_, older := errors.AsType[*vsr.OutdatedError](err)
	return a.tailLost && (lost || older || errors.Is(err, store.ErrCorrupt))
}

func (h *host) newDisk() {
	h.fs, h.covered, h.writes = vfs.NewCrashable(), 0, writes{}
	h.faults.mixed, h.faults.refused = false, ""
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
	case a.crashing:
		return errCut
	case a.untilCrash > 0 && changes:
		if a.untilCrash--; a.untilCrash == 0 {
			a.crashing = true
			delete(h.pending, fault.CrashIn)
			h.s.note(h.i, noteGoesDown, uint64(op.Length), op.Kind, op.Name)
			return errCut
		}
	case op.Kind == vfs.OpRead && a.noReads.Active(h.s.Now()), changes && a.noWrites.Active(h.s.Now()):
		h.s.note(h.i, "fails: %v", uint64(op.Length), op)
		return fmt.Errorf("%w: %v", errFaulty, op)
	case a.noFiles.Active(h.s.Now()) && (op.Kind == vfs.OpOpen || op.Kind == vfs.OpLock):
		h.s.note(h.i, "fails: %v", uint64(op.Length), op)
		return syscall.EMFILE
	case a.syncs > 0 && op.Kind == vfs.OpSync:
		if a.syncs--; a.syncs == 0 {
			delete(h.pending, fault.FailSync)
			h.s.note(h.i, "fails a sync", 0)
			return fmt.Errorf("%w: %v", errFaulty, op)
		}
	}
	if op.Kind == vfs.OpWrite {
		h.wrote(op)
	}
	return nil
}

// endCrash ends the process that goes down in a change of the disk: by a power cut, or in a third of the cases by a
// kill, which leaves unsynced writes to a later power cut.
func (h *host) endCrash() {
	f := h.faults.crash
	rng := rand.New(rand.NewPCG(f.Seed, 0))
	h.endProcess(rng.IntN(3) > 0, rng)
	h.restartIn(f.For, 0)
}

// latency returns the time that the next operation of the disk takes.
func (h *host) latency() time.Duration {
	if h.outage == outageHung && !h.s.p.Volatile { // without a directory there is no disk
		return hangTime
	}
	d := h.s.p.Save/2 + h.disk.About(h.s.p.Save/2)
	if slow := h.slowSaves.Amount(h.s.Now()); slow > 0 {
		d += h.disk.Between(0, time.Duration(slow))
		h.slowUntil = max(h.slowUntil, h.s.Now()+d)
	}
	return d
}

// fill sets the space that the disk has now.
func (h *host) fill() { h.fs.SetCapacity(h.space.Amount(h.s.Now())) }

// The limits of a replica's disk (11.10), which are checked right after a compaction or a snapshot. The core checks the
// limits of its memory itself.

// checkLog checks after a compaction that segments without an op above the snapshot have at most KeepLog bytes.
func (h *host) checkLog(snapshot vsr.OpNumber, keep int64) error {
	names, err := h.fs.ReadDir(logDir)
	if err != nil || h.faults.rotten {
		return err
	}
	below, before := int64(0), int64(0)
	for _, name := range names {
		if segment, ok := wal.SegmentOf(name); !ok || segment != name {
			continue
		}
		start, size, err := h.fs.ReadPart(path.Join(logDir, name), 0, wal.FirstSave)
		if err != nil {
			return err
		}
		parts := wal.Extents(name, start)
		first := slices.IndexFunc(parts, func(x wal.Extent) bool { return x.Part == wal.SaveHeader })
		if first < 0 {
			return fmt.Errorf("11.10: %s does not begin with a save", name)
		}
		if parts[first].Stamp.Op <= uint64(snapshot) {
			below += before
		}
		before = size
	}
	if below > keep {
		return fmt.Errorf("11.10: the log has %d bytes below the snapshot at op %d, not %d at most", below, snapshot, keep)
	}
	return nil
}

// checkSnapshots checks after a snapshot is complete that the disk holds no other, except for those that are kept for
// other members and for the one that is being received. A damaged snapshot stays where it is (F9).
func (p *process) checkSnapshots() error {
	h := p.h
	names, err := h.fs.ReadDir(snapDir)
	if err != nil || h.faults.rotten {
		return err
	}
	kept, most := p.shell.Loop.Kept(), 1+p.shell.Loop.Kept()+p.releasing
	if whole, received, written := snap.Count(names); whole < 1 || whole > most || written > 0 || received > 1 {
		return fmt.Errorf("11.10: there are other snapshots than the latest, the %d that are kept and the %d that are "+
			"being removed: %v", kept, p.releasing, names)
	}
	if kept > vsr.MaxVoters {
		return fmt.Errorf("11.10: %d snapshots are kept", kept)
	}
	return nil
}
