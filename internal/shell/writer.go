package shell

import (
	"slices"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/smr-go/smr/internal/store"
	"github.com/smr-go/smr/internal/vfs"
	"github.com/smr-go/smr/internal/vsr"
	"github.com/smr-go/smr/internal/wal"
)

// Waits of the writer.
const (
	// IdleMark is how long nothing is written before Mark is due.
	IdleMark = 200 * time.Millisecond
	// FullRetry is how long the writer waits between tries on a full disk.
	FullRetry = time.Second
)

// Writer makes saves durable in order, all that wait with one sync, and compacts the log in between.
type Writer struct {
	log      *wal.Log
	driver   Driver
	observer Observer
	dir      string // for notes
	keepLog  int64

	backlog backlog
	saves   []*vsr.Save // under way
	compact *vsr.Compact
	batch   store.Batch
	markAt  time.Time // see MarkAt
	full    bool      // the disk has no space, and the core knows
}

// Write is one thing for the writer. Exactly one field is set.
type Write struct {
	Save    *vsr.Save
	Compact *vsr.Compact
}

// Add adds something to be written.
func (w *Writer) Add(x Write) { w.backlog = append(w.backlog, x) }

// Begin takes the next write from the backlog: all saves up to the next compaction, or a compaction. It reports false
// if the backlog is empty.
func (w *Writer) Begin() bool {
	w.saves, w.compact = w.backlog.next(w.saves[:0])
	return len(w.saves) > 0 || w.compact != nil
}

// Perform performs the write that Begin has taken. If it returns a positive duration, the disk is full, and the driver
// must call it again after that time, or earlier if another write is added. An error stops the replica.
func (w *Writer) Perform(now time.Time) (again time.Duration, err error) {
	w.markAt = now.Add(IdleMark)
	if w.compact != nil {
		err := w.compactLog(w.compact)
		w.compact = nil
		return 0, err
	}
	err = w.save()
	if vfs.IsFull(err) {
		err = w.compactAndSave()
	}
	if vfs.IsFull(err) {
		w.setFull(true)
		return FullRetry, nil
	}
	if err != nil {
		return 0, err
	}
	w.setFull(false)
	if w.observer != nil {
		w.observer.Saved(w.saves)
	}
	seq := w.saves[len(w.saves)-1].Seq
	clear(w.saves)
	w.saves = w.saves[:0]
	w.driver.Tell(Input{Event: &vsr.Saved{Seq: seq}})
	return 0, nil
}

// save makes the saves under way durable with one sync.
func (w *Writer) save() error { return w.log.Save(w.batch.Encode(w.saves)) }

// compactAndSave performs the compactions that may free space for the saves, and tries the saves again (F13).
func (w *Writer) compactAndSave() error {
	for _, c := range w.backlog.ahead(w.saves) {
		if err := w.compactLog(&c); err != nil {
			return err
		}
	}
	return w.save()
}

// setFull reports to the core and the operator that the disk is full, or has space again.
func (w *Writer) setFull(full bool) {
	if w.full == full {
		return
	}
	w.full = full
	note := Note{Level: hclog.Info, Text: "the disk has space again", Args: []any{"dir", w.dir}}
	if full {
		note.Level, note.Text = hclog.Error, "the disk is full; this replica acknowledges nothing until there is space"
	}
	w.driver.Note(note)
	w.driver.Tell(Input{Event: &vsr.DiskFull{Full: full}})
}

// compactLog drops entries below the snapshot that no member needs (N9).
func (w *Writer) compactLog(c *vsr.Compact) error {
	first, err := w.log.Compact(uint64(c.Keep), uint64(c.Snapshot), w.keepLog)
	if err != nil {
		return err
	}
	if w.observer != nil {
		w.observer.Compacted(*c, vsr.OpNumber(first))
	}
	w.driver.Tell(Input{Event: &vsr.Compacted{First: vsr.OpNumber(first)}})
	return nil
}

// MarkAt returns when Mark is due; zero: not before the next write.
func (w *Writer) MarkAt() time.Time { return w.markAt }

// Mark writes the mark that distinguishes rot from a torn write (S5), if nothing was written for IdleMark and nothing is
// being written. On a full disk it returns nil; a later mark makes up for it.
func (w *Writer) Mark(now time.Time) error {
	if w.log == nil || w.markAt.IsZero() || now.Before(w.markAt) || len(w.saves) > 0 || w.compact != nil {
		return nil
	}
	w.markAt = time.Time{}
	err := w.log.Mark()
	if vfs.IsFull(err) {
		return nil
	}
	if err == nil && w.observer != nil {
		w.observer.Marked()
	}
	return err
}

// InFlight returns the saves that Begin has taken up and Perform has not completed.
func (w *Writer) InFlight() []*vsr.Save { return w.saves }

// Full reports whether the writer waits for space.
func (w *Writer) Full() bool { return w.full }

// Compacts reports whether a compaction is under way or waits.
func (w *Writer) Compacts() bool {
	return w.compact != nil || slices.ContainsFunc(w.backlog, func(x Write) bool { return x.Compact != nil })
}
