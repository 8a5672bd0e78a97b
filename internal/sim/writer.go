package sim

import (
	"errors"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/smr-go/smr/internal/sim/fault"
	"github.com/smr-go/smr/internal/store"
	"github.com/smr-go/smr/internal/vfs"
	"github.com/smr-go/smr/internal/vsr"
	"github.com/smr-go/smr/internal/wal"
)

// writer makes saves durable in order: all that wait share one sync. Compactions take their turn.
type writer struct {
	busy    bool
	full    bool // the disk has no space: the batch is tried again
	backlog store.Backlog
	batch   []*vsr.Save  // under way
	compact *vsr.Compact // likewise
	markAt  time.Duration
	markDue bool

	done, idle func() // written and markIdle, made once
}

func (p *process) save(s *vsr.Save) {
	p.s.mark(p.h.i, marksSave, s.Seq)
	p.s.sum.mix(uint64(s.Head.View)<<32 ^ uint64(s.Head.Commit)<<16 ^ uint64(s.From))
	p.s.sum.mixEntries(s.Entries)
	if p.s.watcher != nil {
		p.s.watcher.Note(p.s.now, p.h.i, "saves", []any{s})
	}
	p.write(store.Write{Save: s})
	p.s.happened(p.h, fault.Issued, 0)
}

// write has something written in its turn.
func (p *process) write(w store.Write) {
	p.writer.backlog = append(p.writer.backlog, w)
	p.writeNext()
}

// writeNext begins the next thing that waits.
func (p *process) writeNext() {
	w := &p.writer
	if w.busy {
		return
	}
	saves, compact := w.backlog.Next()
	switch {
	case compact != nil:
		w.busy, w.compact = true, compact
		p.after(p.h.latency(), p.compacted)
	case len(saves) > 0:
		w.busy, w.batch = true, saves
		p.after(p.h.latency(), w.done)
	default:
		w.markAt = p.s.now + idleMark
		if !w.markDue {
			w.markDue = true
			p.after(idleMark, w.idle)
		}
	}
}

// idleMark is how long the log is quiet before it writes the mark that S5 speaks of.
const idleMark = 200 * time.Millisecond

func (p *process) markIdle() {
	w := &p.writer
	w.markDue = false
	switch {
	case w.busy || p.h.absent == staysHung:
		return // comes again when it has nothing to do
	case p.s.now < w.markAt:
		w.markDue = true
		p.after(w.markAt-p.s.now, w.idle)
		return
	}
	err := p.io(p.store.log.Mark)
	switch {
	case p.dead || vfs.IsFull(err):
	case err != nil:
		p.broken("mark", err)
	default:
		p.h.covered = p.h.truth().Last.Op
	}
}

// written is the end of a batch, successful or not.
func (p *process) written() {
	w := &p.writer
	err := p.saveBatch()
	if vfs.IsFull(err) && !p.dead {
		err = p.saveFull()
	}
	switch {
	case p.dead:
		return
	case vfs.IsFull(err):
		p.tellFull(true)
		p.after(100*time.Millisecond, w.done)
		return
	case err != nil:
		p.broken("save", err)
		return
	}
	p.tellFull(false)
	if err := p.h.saved(w.batch); err != nil {
		p.s.broke("", err)
		return
	}
	seq := w.batch[len(w.batch)-1].Seq
	clear(w.batch)
	w.busy, w.batch = false, w.batch[:0]
	p.s.mark(p.h.i, marksSaved, seq)
	if p.s.watcher != nil {
		p.s.watcher.Note(p.s.now, p.h.i, "has saved", []any{seq})
	}
	p.s.happened(p.h, fault.Saved, 0)
	if !p.dead && p.h.alone() {
		p.s.happened(p.h, fault.Alone, 0)
	}
	if p.dead {
		return
	}
	p.tell(func(core *vsr.Replica, now time.Time, seq uint64) { core.Step(now, &vsr.Saved{Seq: seq}) }, seq)
	p.writeNext()
}

// saveBatch makes the batch durable, unless the machine goes down in it.
func (p *process) saveBatch() error {
	return p.io(func() error { return p.store.log.Save(p.store.batch.Encode(p.writer.batch)) })
}

// saveFull does the compactions that may give the space that the batch lacks, and tries once more.
func (p *process) saveFull() error {
	for _, c := range p.writer.backlog.Ahead(p.writer.batch) {
		if err := p.compactNow(c); err != nil || p.dead {
			return err
		}
	}
	return p.saveBatch()
}

func (p *process) tellFull(full bool) {
	if p.writer.full != full {
		p.writer.full = full
		p.input(func(now time.Time) { p.core.Step(now, &vsr.DiskFull{Full: full}) })
	}
}

// saved takes a batch into the account of what is durable.
func (h *host) saved(batch []*vsr.Save) error {
	h.covered = h.truth().Last.Op
	for _, s := range batch {
		switch { // what it replaces is of this batch now
		case s.From > 0:
			h.covered = min(h.covered, s.From-1)
		case s.Base != nil:
			h.covered = min(h.covered, s.Base.Op)
		}
	}
	return h.s.judge.Saved(h.i, batch[len(batch)-1].Seq)
}

// alone reports whether no other disk holds the last entry of this one's log.
func (h *host) alone() bool {
	for _, other := range h.s.hosts {
		if other != h && h.s.judge.Holds(other.i, h.truth().Last) {
			return false
		}
	}
	return true
}

// cutOff leaves on the disk what the writer had begun: any first part of it.
func (p *process) cutOff(h *host, rng *rand.Rand) {
	if len(p.writer.batch) > 0 && !h.ailing.burnt && rng.IntN(2) == 0 {
		h.ailing.fuse = 1 + rng.IntN(6)
		p.store.log.Save(p.store.batch.Encode(p.writer.batch))
	}
}

// compacts reports whether a compaction is under way, or waits.
func (w *writer) compacts() bool {
	return w.compact != nil || slices.ContainsFunc(w.backlog, func(x store.Write) bool { return x.Compact != nil })
}

// compacted is the end of a compaction in its turn.
func (p *process) compacted() {
	c := *p.writer.compact
	err := p.compactNow(c)
	switch {
	case p.dead:
	case err != nil:
		p.broken("compaction", err)
	default:
		if err := p.h.checkLog(c.Snapshot); err != nil {
			p.s.broke(Name(p.h.i), err)
			return
		}
		p.writer.busy, p.writer.compact = false, nil
		p.writeNext()
	}
}

// compactNow drops what is below the snapshot and no longer needed.
func (p *process) compactNow(c vsr.Compact) error {
	var first uint64
	err := p.io(func() (err error) {
		first, err = p.store.log.Compact(uint64(c.Keep), uint64(c.Snapshot), p.s.p.KeepLog)
		return err
	})
	if err == nil && !p.dead {
		p.s.note(p.h.i, "has compacted to", first, first)
		p.input(func(now time.Time) { p.core.Step(now, &vsr.Compacted{First: vsr.OpNumber(first)}) })
	}
	return err
}

// load reads older entries, beside the writer.
func (p *process) load(l vsr.Load) {
	p.after(p.h.latency(), func() {
		entries, err := store.Read(p.store.log, l.From, l.To)
		if err != nil && !errors.Is(err, wal.ErrCompacted) {
			p.broken("read", err)
			return
		}
		p.s.stats.Loads++
		p.s.note(p.h.i, "loads", uint64(len(entries)), l, len(entries))
		p.input(func(now time.Time) { p.core.Step(now, &vsr.Loaded{Load: l, Entries: entries}) })
	})
}
