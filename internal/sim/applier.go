package sim

import (
	"errors"
	"io/fs"
	"slices"
	"time"

	"github.com/smr-go/smr/internal/snap"
	"github.com/smr-go/smr/internal/vfs"
	"github.com/smr-go/smr/internal/vsr"
)

// applier owns the state machine: it applies and restores in the order in which the core said so.
type applier struct {
	restored
	busy bool
	jobs []job

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
		p.applier.jobs = append(p.applier.jobs, job{entries: slices.Clone(entries)})
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
	a.busy = true
	next := a.jobs[0]
	a.jobs = a.jobs[1:]
	p.after(p.h.core.about(p.s.p.Apply), func() {
		if next.snapshot != nil {
			p.restoreNow(next.snapshot)
		}
		if p.dead {
			return
		}
		for i := range next.entries {
			p.applyNow(&next.entries[i])
		}
		if next.take {
			p.takeSnapshot()
		}
		a.busy = false
		p.applied()
		p.nextJob()
	})
}

func (p *process) applyNow(e *vsr.Entry) {
	a := &p.applier
	if e.Op != a.last.Op+1 {
		p.s.fail("N7", "%s: op %d is applied after op %d", Name(p.h.i), e.Op, a.last.Op)
		return
	}
	out := outcome{executed: a.sessions.Begin(e)}
	if out.executed {
		var err error
		if out.result, err = a.machine.apply(e); err != nil {
			p.s.broke(Name(p.h.i), p.s.work.named(err, e))
			return
		}
		a.sessions.Finish(e, out.result)
		out.digest = a.machine.digest()
	}
	p.s.sum.mixBytes(out.result)
	p.s.sum.mix(out.digest)
	a.last, a.clock, out.kept = e.Stamp(), e.Time, a.sessions.Kept()
	if err := p.s.witness.applied(e, out, a.machine); err != nil {
		p.s.broke(Name(p.h.i), err)
		return
	}
	if e.Kind == vsr.Command && e.Session == a.session {
		p.callers.look(p, e.Request)
	}
	if a.last.Op-a.snapshot >= vsr.OpNumber(p.s.p.SnapshotEvery) {
		p.takeSnapshot()
	}
}

// restoreNow replaces the state by that of a snapshot, unless a newer one is there already, which
// is to be restored next.
func (p *process) restoreNow(s *vsr.Snapshot) {
	a := &p.applier
	var got restored
	err := p.io(func() (err error) {
		got, err = p.store.restore(s, a.machine)
		return err
	})
	if p.dead || errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err != nil {
		p.broken("restore", err)
		return
	}
	if err := p.s.witness.restored(s.Last.Op, a.machine); err != nil {
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
	if head := p.core.State().Head; a.session == 0 {
		if a.session = a.sessions.Opened(Name(p.h.i), head.Incarnation, head.Start); a.session != 0 {
			session := a.session
			p.input(func(time.Time) { p.core.SessionOpened(session) })
		}
	}
	at := a.last.Op
	p.input(func(time.Time) { p.core.Applied(at) })
	p.callers.readable(p)
	p.s.happened(p.h, Applied, 0)
}

// takeSnapshot freezes the state and has it written (C4), unless one is being written, which will do
// as well.
func (p *process) takeSnapshot() {
	a := &p.applier
	if a.taking {
		return
	}
	frozen, err := freeze(a, p.core.State().Members)
	if err != nil {
		p.s.broke(Name(p.h.i), p.s.work.named(err, &p.s.ledger.find(a.last).entry))
		return
	}
	a.taking, a.snapshot = true, a.last.Op
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
			err = errors.Join(err, p.s.witness.sameFrozen(frozen, a.last.Op))
		}
		if err == nil {
			err = p.h.checkSnapshots()
		}
		_, isBroken := errors.AsType[*broken](err)
		switch {
		case err == nil:
			p.s.stats.Snapshots++
			p.s.note(p.h.i, "has a snapshot at", uint64(frozen.last.Op), frozen.last)
			p.input(func(time.Time) { p.core.TookSnapshot(s) })
		case isBroken || !errors.Is(err, snap.ErrSuperseded) && !vfs.IsFull(err) && !p.h.ailing.excuses(err):
			p.s.broke(Name(p.h.i)+": snapshot", err)
		}
	})
}
