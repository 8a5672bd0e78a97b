package sim

import (
	"errors"
	"io/fs"
	"slices"
	"time"

	"github.com/smr-go/smr/internal/contract"
	"github.com/smr-go/smr/internal/sim/fault"
	"github.com/smr-go/smr/internal/sim/judge"
	"github.com/smr-go/smr/internal/snap"
	"github.com/smr-go/smr/internal/store"
	"github.com/smr-go/smr/internal/vfs"
	"github.com/smr-go/smr/internal/vsr"
)

// applier owns the state machine: it applies and restores in the order in which the core said so.
type applier struct {
	restored
	busy    bool
	jobs    []job
	job     job         // under way
	done    func()      // jobDone, made once
	entries []vsr.Entry // memory for the next job

	session  uint64       // of this process, once it is open
	snapshot vsr.OpNumber // the last one taken or restored
	taking   bool
}

// job is entries to apply, a snapshot to restore, or one to take.
type job struct {
	entries  []vsr.Entry
	snapshot *vsr.Snapshot
	take     bool // due or not
}

func (p *process) apply(entries []vsr.Entry) {
	if len(entries) > 0 {
		a := &p.applier
		a.jobs = append(a.jobs, job{entries: append(a.entries, entries...)})
		a.entries = nil
		p.nextJob()
	}
}

func (p *process) restore(s vsr.Snapshot) {
	p.applier.jobs = append(p.applier.jobs, job{snapshot: &s})
	p.nextJob()
}

// retake has a snapshot taken in the place of one that cannot be read (F9).
func (p *process) retake() {
	p.applier.jobs = append(p.applier.jobs, job{take: true})
	p.nextJob()
}

func (p *process) nextJob() {
	a := &p.applier
	if a.busy || len(a.jobs) == 0 || p.dead {
		return
	}
	a.busy, a.job = true, a.jobs[0]
	a.jobs = slices.Delete(a.jobs, 0, 1)
	p.after(p.h.core.about(p.s.p.Apply), a.done)
}

func (p *process) jobDone() {
	a := &p.applier
	if a.job.snapshot != nil {
		p.restoreNow(a.job.snapshot)
	}
	if p.dead {
		return
	}
	for i := range a.job.entries {
		p.applyNow(&a.job.entries[i])
	}
	if a.job.take {
		p.takeSnapshot()
	}
	clear(a.job.entries)
	a.entries, a.job, a.busy = a.job.entries[:0], job{}, false
	p.applied()
	p.nextJob()
}

func (p *process) applyNow(e *vsr.Entry) {
	a := &p.applier
	out := judge.Outcome{Executed: a.Sessions.Begin(e)}
	if out.Executed {
		var err error
		if out.Result, err = a.machine.Apply(opOf(e)); err != nil {
			p.s.broke(Name(p.h.i), p.s.kit.At(opOf(e), err))
			return
		}
		a.Sessions.Finish(e, out.Result)
		out.Digest = a.machine.Digest()
	}
	p.s.sum.mixBytes(out.Result)
	p.s.sum.mix(out.Digest)
	if err := a.Advance(e); err != nil {
		p.s.broke(Name(p.h.i), err)
		return
	}
	out.Kept = a.Sessions.Kept()
	if err := p.s.judge.Applied(p.h.i, e, out); err != nil {
		p.s.broke("", ofMachine(contract.Deterministic, err))
		return
	}
	if err := p.s.witness.SameAfter(opOf(e), a.machine, "a replica"); err != nil {
		p.s.broke(Name(p.h.i), err)
		return
	}
	if e.Kind == vsr.Command && e.Session == a.session {
		p.callers.look(p, e.Request)
	}
	if a.Last.Op-a.snapshot >= vsr.OpNumber(p.s.p.SnapshotEvery) {
		p.takeSnapshot()
	}
}

// restoreNow replaces the state by that of a snapshot, unless a newer one is there already, which
// is to be restored next.
func (p *process) restoreNow(s *vsr.Snapshot) {
	a := &p.applier
	var got restored
	err := p.io(func() (err error) {
		got, err = p.store.restore(store.SnapID(s.SnapshotID), a.machine)
		return err
	})
	if p.dead || errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err != nil {
		p.broken("restore", err)
		return
	}
	if err := p.h.restored(s.Last.Op, a.machine); err != nil {
		p.s.broke(Name(p.h.i), err)
		return
	}
	p.s.stats.Restores++
	p.s.note(p.h.i, "has restored", uint64(s.Last.Op), s.Last)
	a.restored, a.snapshot = got, s.Last.Op
	p.callers.lookAll(p) // X3
}

// applied tells the loop and the callers how far the state is.
func (p *process) applied() {
	a := &p.applier
	if a.session == 0 {
		head := p.core.State().Head
		if a.session = a.Sessions.Opened(Name(p.h.i), head.Incarnation, head.Start); a.session != 0 {
			p.tell(func(core *vsr.Replica, now time.Time, op uint64) { core.Step(now, &vsr.SessionOpened{Session: op}) }, a.session)
		}
	}
	p.tell(func(core *vsr.Replica, now time.Time, op uint64) { core.Step(now, &vsr.Applied{Op: vsr.OpNumber(op)}) }, uint64(a.Last.Op))
	p.callers.readable(p)
	p.s.happened(p.h, fault.Applied, 0)
}

// takeSnapshot freezes the state and has it written (C4), unless one is being written, which will do
// as well.
func (p *process) takeSnapshot() {
	a := &p.applier
	if a.taking {
		return
	}
	frozen, err := freeze(a)
	if err != nil {
		p.s.broke(Name(p.h.i), p.s.kit.At(opOf(p.s.judge.Entry(a.Last.Op)), err))
		return
	}
	a.taking, a.snapshot = true, a.Last.Op
	p.after(10*p.h.latency(), func() {
		a.taking = false
		var s vsr.Snapshot
		err := p.io(func() (err error) {
			s, err = p.store.take(frozen)
			return err
		})
		if p.dead {
			return
		}
		if err == nil || frozen.written != 0 {
			err = errors.Join(err, p.s.witness.SameFrozen(frozen.at, frozen.written, uint64(frozen.Last.Op), uint64(a.Last.Op)))
		}
		if err == nil {
			err = p.h.checkSnapshots()
		}
		_, isBroken := errors.AsType[*contract.Broken](err)
		switch {
		case err == nil:
			p.s.stats.Snapshots++
			p.s.note(p.h.i, "has a snapshot at", uint64(frozen.Last.Op), frozen.Last)
			p.input(func(now time.Time) { p.core.Step(now, &vsr.SnapshotTaken{Snapshot: s}) })
		case !isBroken && errors.Is(err, snap.ErrSuperseded):
			if info, ok := p.store.snaps.Latest(); ok && info.ID.Op == uint64(frozen.Last.Op) {
				p.input(func(now time.Time) {
					p.core.Step(now, &vsr.SnapshotTaken{Snapshot: store.Describe(info, frozen.Members)})
				})
			}
		case isBroken || !vfs.IsFull(err) && !p.h.ailing.excuses(err):
			p.s.broke(Name(p.h.i)+": snapshot", err)
		}
	})
}
