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
	restored              // the state, and the session table that belongs to it
	at       vsr.OpNumber // applied
	busy     bool
	work     []work

	session  uint64       // of this process, once it is open
	snapshot vsr.OpNumber // the last one taken or restored
	taking   bool
}

// work is entries to apply, or a snapshot to restore.
type work struct {
	entries  []vsr.Entry
	snapshot *vsr.Snapshot
}

func (p *process) apply(entries []vsr.Entry) {
	if len(entries) > 0 {
		p.applier.work = append(p.applier.work, work{entries: slices.Clone(entries)})
		p.nextWork()
	}
}

func (p *process) restore(s vsr.Snapshot) {
	p.applier.work = append(p.applier.work, work{snapshot: &s})
	p.nextWork()
}

func (p *process) nextWork() {
	a := &p.applier
	if a.busy || len(a.work) == 0 || p.dead {
		return
	}
	a.busy = true
	next := a.work[0]
	a.work = a.work[1:]
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
		a.busy = false
		p.applied()
		p.nextWork()
	})
}

func (p *process) applyNow(e *vsr.Entry) {
	a := &p.applier
	if e.Op != a.at+1 {
		p.s.fail("%s: N7: op %d is applied after op %d", name(p.h.i), e.Op, a.at)
		return
	}
	out := outcome{executed: a.sessions.Begin(e)}
	if out.executed {
		out.result = a.machine.apply(uint64(e.Op), e.Body)
		a.sessions.Finish(e, out.result)
	}
	out.digest, out.version = a.machine.digest, a.machine.version
	a.at = e.Op
	if err := p.s.witness.applied(e.Op, out); err != nil {
		p.s.fail("%s: %v", name(p.h.i), err)
	}
	if e.Kind == vsr.Command && e.Session == a.session {
		p.callers.look(p, e.Request)
	}
	p.maybeSnapshot(e)
}

// restoreNow replaces the state by that of a snapshot, unless a newer one is there already, which
// is to be restored next.
func (p *process) restoreNow(s *vsr.Snapshot) {
	var x restored
	err := p.io(func() (err error) {
		x, err = p.store.restore(s)
		return err
	})
	if p.dead || errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err == nil {
		err = p.s.witness.restored(s.Last.Op, &x.machine)
	}
	if err != nil {
		p.broken("restore", err)
		return
	}
	p.s.stats.Restores++
	p.s.note(p.h.i, "has restored", uint64(s.Last.Op), s.Last)
	p.applier.restored, p.applier.at, p.applier.snapshot = x, s.Last.Op, s.Last.Op
	p.callers.lookAll(p) // X3
}

// applied tells the loop and the callers how far the state is.
func (p *process) applied() {
	a := &p.applier
	if head := p.core.State().Head; a.session == 0 {
		if a.session = a.sessions.Opened(name(p.h.i), head.Incarnation, head.Start); a.session != 0 {
			session := a.session
			p.input(func(time.Time) { p.core.SessionOpened(session) })
		}
	}
	at := a.at
	p.input(func(time.Time) { p.core.Applied(at) })
	p.callers.readable(p)
}

// maybeSnapshot freezes the state, if it is time, and has it written (C4).
func (p *process) maybeSnapshot(e *vsr.Entry) {
	a := &p.applier
	if a.taking || a.at-a.snapshot < vsr.OpNumber(p.s.p.SnapshotEvery) {
		return
	}
	a.taking, a.snapshot = true, a.at
	frozen := restored{a.machine, a.sessions.Clone()}
	last, at, members := e.Stamp(), e.Time, p.core.State().Members
	p.after(10*p.h.latency(), func() {
		a.taking = false
		var s vsr.Snapshot
		err := p.io(func() (err error) {
			s, err = p.store.take(last, members, at, &frozen)
			return err
		})
		switch {
		case p.dead || errors.Is(err, snap.ErrSuperseded) || vfs.IsFull(err):
			return
		case err != nil:
			p.broken("snapshot", err)
			return
		}
		p.s.stats.Snapshots++
		p.s.note(p.h.i, "has a snapshot at", uint64(last.Op), last)
		p.input(func(time.Time) { p.core.TookSnapshot(s) })
	})
}
