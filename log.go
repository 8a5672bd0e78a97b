package smr

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/smr-go/smr/internal/snap"
	"github.com/smr-go/smr/internal/vfs"
	"github.com/smr-go/smr/internal/vsr"
	"github.com/smr-go/smr/internal/wal"
	"github.com/smr-go/smr/internal/wire"
)

// write is one thing for the writer to do; exactly one field is set.
type write struct {
	save    *vsr.Save
	compact *vsr.Compact
}

// segmentSize is what the log takes from the disk at once, and gives back at once below a snapshot:
// a part of what is written from one snapshot to the next, little enough for a small disk.
func (c *Config) segmentSize() int64 {
	const least, most = 64 << 10, 16 << 20
	if c.SnapshotBytes < 0 {
		return most
	}
	return min(max(c.SnapshotBytes/4, least), most)
}

// Waits of the writer.
const (
	idleMark  = 200 * time.Millisecond // of quiet, before it writes the mark that S5 speaks of
	fullRetry = time.Second            // between tries on a full disk
)

// writer makes saves durable, all that wait with one sync, until the replica stops. It owns the
// log's files.
func (r *Replica) writer() {
	timer := time.NewTimer(idleMark)
	defer timer.Stop()
	for {
		select {
		case <-r.stop:
			return
		case <-timer.C:
			if r.wal != nil {
				if err := r.wal.Mark(); err != nil && !vfs.IsFull(err) {
					r.fail(storageError(err))
					return
				}
			}
			continue
		case <-r.writes.wake:
		}
		r.backlog = append(r.backlog, r.writes.take()...)
		if err := r.perform(); err != nil {
			r.fail(storageError(err))
			return
		}
		timer.Reset(idleMark)
	}
}

// perform does what waits, in order; neighbouring saves go together.
func (r *Replica) perform() error {
	for len(r.backlog) > 0 {
		var err error
		if c := r.backlog[0].compact; c != nil {
			r.backlog = r.backlog[1:]
			err = r.compactLog(c)
		} else {
			err = r.saveAll(r.nextSaves())
		}
		if err != nil {
			return err
		}
	}
	r.backlog = nil
	return nil
}

// nextSaves takes the saves at the head of what waits.
func (r *Replica) nextSaves() (saves []*vsr.Save) {
	for len(r.backlog) > 0 && r.backlog[0].save != nil {
		saves = append(saves, r.backlog[0].save)
		r.backlog = r.backlog[1:]
	}
	return saves
}

// saveAll makes saves durable with one sync. On a full disk it tries until there is space (F13).
func (r *Replica) saveAll(saves []*vsr.Save) error {
	batch := r.encodeSaves(saves)
	err := r.wal.Save(batch)
	if vfs.IsFull(err) {
		err = r.saveFull(saves, batch)
	}
	if err != nil {
		return err
	}
	seq := saves[len(saves)-1].Seq
	r.inbox.do(func() { r.core.Saved(r.core.now, seq) })
	return nil
}

// saveFull saves on a disk that was full: at once if compaction gives the space, else when there is.
func (r *Replica) saveFull(saves []*vsr.Save, batch []wal.Save) error {
	err := r.compactAndSave(saves, batch)
	if !vfs.IsFull(err) {
		return err
	}
	r.log.Error("the disk is full; this replica acknowledges nothing until there is space", "dir", r.cfg.Dir)
	r.inbox.do(func() { r.core.Full(r.core.now, true) })
	for vfs.IsFull(err) {
		select {
		case <-r.stop:
			return ErrClosed
		case <-r.writes.wake:
			r.backlog = append(r.backlog, r.writes.take()...)
		case <-time.After(fullRetry):
		}
		err = r.compactAndSave(saves, batch)
	}
	if err == nil {
		r.log.Info("the disk has space again", "dir", r.cfg.Dir)
		r.inbox.do(func() { r.core.Full(r.core.now, false) })
	}
	return err
}

func (r *Replica) compactAndSave(saves []*vsr.Save, batch []wal.Save) error {
	if err := r.compactAhead(saves); err != nil {
		return err
	}
	return r.wal.Save(batch)
}

// compactAhead does those compactions that wait behind saves which lack the space that they would
// give. It leaves what the saves will cut, and the compactions too, to be done whole in their turn.
func (r *Replica) compactAhead(saves []*vsr.Save) error {
	limit := vsr.OpNumber(math.MaxUint64)
	for _, s := range saves {
		limit = min(limit, s.From-1) // From is 0 if nothing is cut
	}
	for _, w := range r.backlog {
		if w.save != nil {
			limit = min(limit, w.save.From-1)
			continue
		}
		c := vsr.Compact{Keep: min(w.compact.Keep, limit), Snapshot: min(w.compact.Snapshot, limit)}
		if err := r.compactLog(&c); err != nil {
			return err
		}
	}
	return nil
}

// encodeSaves turns saves into records, in buffers that are used again for the next.
func (r *Replica) encodeSaves(saves []*vsr.Save) []wal.Save {
	b, batch, records := r.encoded[:0], r.batch[:0], r.records[:0]
	size, count := 0, 0
	for _, s := range saves {
		count += len(s.Entries)
		for i := range s.Entries {
			size += wire.EntryOverhead + len(s.Entries[i].Body)
		}
	}
	if cap(b) < size || cap(b) > 8*max(size, 1<<20) {
		b = make([]byte, 0, size+size/4)
	}
	if cap(records) < count {
		records = make([]wal.Record, 0, count+count/4)
	}
	for _, s := range saves {
		first := len(records)
		for i := range s.Entries {
			e := &s.Entries[i]
			start := len(b)
			b = wire.AppendEntry(b, e)
			records = append(records, wal.Record{Op: uint64(e.Op), Epoch: uint64(e.Epoch), View: uint64(e.View), Data: b[start:]})
		}
		out := wal.Save{Head: headOut(s.Head), From: uint64(s.From), Records: records[first:]}
		if s.Base != nil {
			out.Base = &wal.Stamp{Epoch: uint64(s.Base.Epoch), View: uint64(s.Base.View), Op: uint64(s.Base.Op)}
		}
		batch = append(batch, out)
	}
	r.encoded, r.batch, r.records = b, batch, records
	return batch
}

func headOut(h vsr.Head) wal.Head {
	return wal.Head{Group: h.Group, Incarnation: h.Incarnation, Start: h.Start,
		Epoch: uint64(h.Epoch), View: uint64(h.View), Commit: uint64(h.Commit)}
}

func headIn(h wal.Head) vsr.Head {
	return vsr.Head{Group: h.Group, Incarnation: h.Incarnation, Start: h.Start,
		Epoch: vsr.Epoch(h.Epoch), View: vsr.View(h.View), Commit: vsr.OpNumber(h.Commit)}
}

func stampIn(s wal.Stamp) vsr.Viewstamp {
	return vsr.Viewstamp{Epoch: vsr.Epoch(s.Epoch), View: vsr.View(s.View), Op: vsr.OpNumber(s.Op)}
}

// compactLog drops what is below the snapshot and no longer needed.
func (r *Replica) compactLog(c *vsr.Compact) error {
	first, err := r.wal.Compact(uint64(c.Keep), uint64(c.Snapshot), r.cfg.KeepLog)
	if err != nil {
		return err
	}
	r.inbox.do(func() { r.core.Compacted(vsr.OpNumber(first)) })
	return nil
}

// loadBatch is the bytes of log read at once.
const loadBatch = 1 << 20

// load reads entries that are no longer in memory.
func (r *Replica) load(l vsr.Load) {
	entries, err := r.readLog(l.From, l.To)
	if err != nil && !errors.Is(err, wal.ErrCompacted) {
		r.fail(storageError(err))
		return
	}
	r.inbox.do(func() { r.core.Loaded(l, entries) })
}

// readLog reads a part of the log, about loadBatch bytes from from on.
func (r *Replica) readLog(from, to vsr.OpNumber) ([]vsr.Entry, error) {
	records, err := r.wal.Read(uint64(from), uint64(to), loadBatch)
	if err != nil {
		return nil, err
	}
	entries := make([]vsr.Entry, len(records))
	for i, x := range records {
		e, rest, err := wire.DecodeEntry(x.Data)
		if err == nil && (len(rest) > 0 || uint64(e.Op) != x.Op) {
			err = fmt.Errorf("record %d holds op %d and %d bytes more", x.Op, e.Op, len(rest))
		}
		if err != nil {
			return nil, fmt.Errorf("%w: op %d: %w", ErrCorrupt, x.Op, err)
		}
		entries[i] = e
	}
	return entries, nil
}

// recover returns what the disk holds. Of the entries only the last is read: the others are when
// somebody needs them.
func (r *Replica) recover(s *vsr.Snapshot, clock int64) (vsr.Durable, error) {
	d := vsr.Durable{Snapshot: s, Time: clock}
	if r.wal == nil {
		return d, nil
	}
	base, last := r.wal.Bounds()
	d.Head, d.Base, d.Last = headIn(r.wal.Head()), stampIn(base), stampIn(last)
	for _, run := range r.wal.Stamps() {
		d.Runs = append(d.Runs, stampIn(run))
	}
	from := d.Base.Op
	if s != nil {
		from = s.Last.Op
	}
	if d.Base.Op > from || s == nil && d.Base.Op > 0 {
		return d, fmt.Errorf("%w: the log begins after op %d, and no sound snapshot in %s reaches that far; restore the directory from this replica's own disk, or leave this replica out", ErrCorrupt, d.Base.Op, r.cfg.Dir)
	}
	if d.Base.Op == 0 && d.Last.Op > 0 {
		first, err := r.readLog(1, 1)
		if err != nil {
			return d, storageError(err)
		}
		d.First = &first[0]
	}
	if d.Last.Op > from {
		var err error
		if d.Entries, err = r.readLog(d.Last.Op, d.Last.Op); err != nil {
			return d, storageError(err)
		}
	}
	return d, nil
}

// storageError makes damage that a lower layer found an ErrCorrupt.
func storageError(err error) error {
	switch {
	case err == nil || errors.Is(err, ErrCorrupt):
		return err
	case errors.Is(err, wal.ErrCorrupt) || errors.Is(err, snap.ErrCorrupt):
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	case errors.Is(err, vfs.ErrLocked):
		return fmt.Errorf("smr: Config.Dir is in use: %w; stop that one first, or name another directory", err)
	}
	return fmt.Errorf("smr: %w", err)
}
