package smr

import (
	"errors"
	"fmt"
	"time"

	"github.com/smr-go/smr/internal/store"
	"github.com/smr-go/smr/internal/vfs"
	"github.com/smr-go/smr/internal/vsr"
	"github.com/smr-go/smr/internal/wal"
)

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
		saves, compact := r.backlog.Next()
		var err error
		if compact != nil {
			err = r.compactLog(compact)
		} else {
			err = r.saveAll(saves)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// saveAll makes saves durable with one sync. On a full disk it tries until there is space (F13).
func (r *Replica) saveAll(saves []*vsr.Save) error {
	batch := r.batch.Encode(saves)
	err := r.wal.Save(batch)
	if vfs.IsFull(err) {
		err = r.saveFull(saves, batch)
	}
	if err != nil {
		return err
	}
	seq := saves[len(saves)-1].Seq
	r.inbox.do(func() { r.core.Step(r.core.now, &vsr.Saved{Seq: seq}) })
	return nil
}

// saveFull saves on a disk that was full: at once if compaction gives the space, else when there is.
func (r *Replica) saveFull(saves []*vsr.Save, batch []wal.Save) error {
	err := r.compactAndSave(saves, batch)
	if !vfs.IsFull(err) {
		return err
	}
	r.log.Error("the disk is full; this replica acknowledges nothing until there is space", "dir", r.cfg.Dir)
	r.inbox.do(func() { r.core.Step(r.core.now, &vsr.DiskFull{Full: true}) })
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
		r.inbox.do(func() { r.core.Step(r.core.now, &vsr.DiskFull{Full: false}) })
	}
	return err
}

func (r *Replica) compactAndSave(saves []*vsr.Save, batch []wal.Save) error {
	for _, c := range r.backlog.Ahead(saves) {
		if err := r.compactLog(&c); err != nil {
			return err
		}
	}
	return r.wal.Save(batch)
}

// compactLog drops what is below the snapshot and no longer needed.
func (r *Replica) compactLog(c *vsr.Compact) error {
	first, err := r.wal.Compact(uint64(c.Keep), uint64(c.Snapshot), r.cfg.KeepLog)
	if err != nil {
		return err
	}
	r.inbox.do(func() { r.core.Step(r.core.now, &vsr.Compacted{First: vsr.OpNumber(first)}) })
	return nil
}

// load reads entries that are no longer in memory.
func (r *Replica) load(l vsr.Load) {
	entries, err := store.Read(r.wal, l.From, l.To)
	if err != nil && !errors.Is(err, wal.ErrCompacted) {
		r.fail(storageError(err))
		return
	}
	r.inbox.do(func() { r.core.Step(r.core.now, &vsr.Loaded{Load: l, Entries: entries}) })
}

// recover returns what the disk holds, with the latest snapshot, which is restored already.
func (r *Replica) recover(latest *vsr.Snapshot, clock int64) (vsr.Durable, error) {
	if r.wal == nil {
		return vsr.Durable{Snapshot: latest, Time: clock}, nil
	}
	d, err := store.Recover(r.wal, latest, clock)
	if errors.Is(err, store.ErrCorrupt) {
		err = fmt.Errorf("%w (in %s); restore the directory from this replica's own disk, or leave this replica out", err, r.cfg.Dir)
	}
	return d, storageError(err)
}

// storageError makes damage that a lower layer found an ErrCorrupt.
func storageError(err error) error {
	switch {
	case err == nil || errors.Is(err, ErrCorrupt):
		return err
	case store.IsCorrupt(err):
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	case errors.Is(err, vfs.ErrLocked):
		return fmt.Errorf("smr: Config.Dir is in use: %w; stop that one first, or name another directory", err)
	}
	return fmt.Errorf("smr: %w", err)
}
