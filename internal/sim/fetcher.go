package sim

import (
	"errors"
	"io/fs"
	"time"

	"github.com/smr-go/smr/internal/snap"
	"github.com/smr-go/smr/internal/store"
	"github.com/smr-go/smr/internal/vfs"
	"github.com/smr-go/smr/internal/vsr"
)

// fetcher receives a snapshot, one step after another (C2).
type fetcher struct {
	busy  bool
	steps []vsr.FetchStep
}

// sendChunk reads a chunk and sends it; an empty one if this replica does not hold the snapshot.
func (p *process) sendChunk(c vsr.ChunkWanted) {
	p.after(p.h.latency(), func() {
		var data []byte
		err := p.io(func() (err error) {
			data, err = p.store.snaps.ReadChunk(store.SnapID(c.Snapshot), c.Chunk)
			return err
		})
		if p.dead || !p.explained("a chunk of a snapshot", err) {
			return
		}
		if err != nil {
			p.input(func(now time.Time) { p.unsent(now, c, err) })
		}
		p.send(vsr.Outgoing{To: []vsr.Index{c.To}, Message: &vsr.SnapshotChunk{Snapshot: c.Snapshot, Chunk: c.Chunk, Data: data}})
	})
}

// explained reports whether an error is nil, says that there is no such snapshot, or comes of what
// ails the disk.
func (p *process) explained(what string, err error) bool {
	if err == nil || errors.Is(err, fs.ErrNotExist) || p.h.ailing.excuses(err) {
		return true
	}
	p.s.broke(Name(p.h.i)+": "+what, err)
	return false
}

// unsent tells the core why a chunk was not sent. A snapshot that is damaged is taken again (F9).
func (p *process) unsent(now time.Time, c vsr.ChunkWanted, why error) {
	if errors.Is(why, snap.ErrCorrupt) {
		p.s.note(p.h.i, "cannot read its snapshot at", uint64(c.Snapshot.Last.Op), c.Snapshot.Last)
		p.core.Step(now, &vsr.SnapshotDamaged{Snapshot: c.Snapshot})
	}
	p.core.Step(now, &vsr.SnapshotUnavailable{To: c.To, Snapshot: c.Snapshot})
}

func (p *process) fetch(f vsr.FetchStep) {
	p.fetcher.steps = append(p.fetcher.steps, f)
	p.nextStep()
}

func (p *process) nextStep() {
	x := &p.fetcher
	if x.busy || len(x.steps) == 0 || p.dead {
		return
	}
	x.busy = true
	f := x.steps[0]
	x.steps = x.steps[1:]
	p.after(p.h.latency(), func() {
		switch {
		case f.Complete:
			p.complete(f.Snapshot)
		case f.Data != nil:
			p.put(f)
		default:
			p.beginFetch(f.Snapshot)
		}
		x.busy = false
		p.nextStep()
	})
}

// beginFetch begins or resumes, and says which chunks are missing.
func (p *process) beginFetch(s vsr.Snapshot) {
	var missing []uint32
	err := p.io(func() (err error) {
		missing, err = p.store.receiver.Begin(p.store.snaps, s)
		return err
	})
	if p.dead || !p.usual("receiving a snapshot", err) {
		return
	}
	p.input(func(now time.Time) {
		p.core.Step(now, &vsr.ChunksMissing{Snapshot: s.SnapshotID, Missing: missing, Err: err})
	})
}

// usual reports whether an error is nil, or one that happens without anything being wrong.
func (p *process) usual(what string, err error) bool {
	if err == nil || vfs.IsFull(err) || errors.Is(err, snap.ErrSuperseded) || p.h.ailing.excuses(err) {
		return true
	}
	p.s.broke(Name(p.h.i)+": "+what, err)
	return false
}

func (p *process) put(f vsr.FetchStep) {
	id := f.Snapshot.SnapshotID
	if !p.store.receiver.Has(id) {
		return
	}
	again := false
	err := p.io(func() (err error) {
		again, err = p.store.receiver.Put(f.Chunk, f.Data)
		return err
	})
	switch {
	case p.dead || !again && !p.usual("chunk", err):
	case err == nil || again:
		p.input(func(now time.Time) { p.core.Step(now, &vsr.ChunkWritten{Snapshot: id, Chunk: f.Chunk, OK: err == nil}) })
	default:
		p.input(func(now time.Time) { p.core.Step(now, &vsr.ChunksMissing{Snapshot: id, Err: err}) })
	}
}

// complete checks the whole snapshot, and makes it the latest.
func (p *process) complete(s vsr.Snapshot) {
	if !p.store.receiver.Has(s.SnapshotID) {
		return
	}
	var got vsr.Snapshot
	var at int64
	err := p.io(func() (err error) {
		got, at, err = p.store.receiver.Complete()
		return err
	})
	if p.dead || !p.usual("completing a snapshot", err) {
		return
	}
	if err != nil {
		got = s
	}
	if err == nil {
		if err := p.h.checkSnapshots(); err != nil {
			p.s.broke(Name(p.h.i), err)
			return
		}
		p.s.stats.Transfers++
		p.s.note(p.h.i, "has received", uint64(s.Last.Op), s.Last)
	}
	p.input(func(now time.Time) { p.core.Step(now, &vsr.SnapshotReceived{Snapshot: got, Clock: at, Err: err}) })
}
