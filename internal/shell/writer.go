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
	// FullRetry is how long the writer waits between tries on a full disk, or if the system is short of something.
	FullRetry = time.Second
)

// Writer makes saves durable in order, as many as one sync may take, and compacts the log in between.
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
	full    bool      // the disk has no space, or no file can be made, and the core knows
	short   bool      // the latter
}

// Write is one thing for the writer. Exactly one field is set.
type Write struct {
	Save    *vsr.Save
	Compact *vsr.Compact
}

// Add adds something to be written.
func (w *Writer) Add(x Write) { w.backlog = append(w.backlog, x) }

// Begin takes the next write from the backlog: saves for one sync, or a compaction. It reports false if the backlog is
// empty.
func (w *Writer) Begin() bool {
	w.saves, w.compact = w.backlog.next(w.saves[:0])
	return len(w.saves) > 0 || w.compact != nil
}

// Perform performs the write that Begin has taken. If it returns a positive duration, the disk is full, or the system
// short of descriptors, memory or the like before a byte was in doubt (F13). The driver must then call it again after
// that time, or at once if another write is added. An error stops the replica.
func (w *Writer) Perform(now time.Time) (again time.Duration, err error) {
	w.markAt = now.Add(IdleMark)
	if w.compact != nil {
		err := w.compactLog(w.compact)
		w.compact = nil
		return 0, err
	}
	if w.full {
		w.saves = w.backlog.takeSaves(w.saves)
	} else {
		err = w.save()
	}
	if w.full || vfs.Refused(err) {
		err = w.compactAndSave()
	}
	if vfs.Refused(err) {
		if err := w.saveOnFullDisk(err); err != nil {
			return 0, err
		}
		return FullRetry, nil
	}
	if err != nil {
		return 0, err
	}
	w.setFull(nil)
	w.saved(w.saves, len(w.saves))
	return 0, nil
}

// saved reports that saves are durable, which stand for the first n of those under way.
func (w *Writer) saved(saves []*vsr.Save, n int) {
	if n == 0 {
		return
	}
	if w.observer != nil {
		w.observer.Saved(saves)
	}
	seq := saves[len(saves)-1].Seq
	w.saves = slices.Delete(w.saves, 0, n)
	w.driver.Tell(Input{Event: &vsr.Saved{Seq: seq}})
}

// save makes the saves under way durable with one sync.
func (w *Writer) save() error {
	defer w.batch.Release()
	return w.log.Save(w.batch.Encode(w.saves))
}

// compactAndSave performs the compactions that may free space for the saves, and tries the saves again (F13). After a
// full disk, saves that add no command do not show that there is space.
func (w *Writer) compactAndSave() error {
	for _, c := range w.backlog.ahead(w.saves) {
		if err := w.compactLog(&c); err != nil {
			return err
		}
	}
	if _, n := w.savable(); w.full && n == len(w.saves) {
		if err := w.log.Space(); err != nil {
			return err
		}
	}
	return w.save()
}

// savable merges saves that together add no command.
func (w *Writer) savable() (merged *vsr.Save, n int) {
	_, last := w.log.Bounds()
	return vsr.SavableWhenFull(vsr.OpNumber(last.Op), w.saves)
}

// saveOnFullDisk reports why saves are refused, and makes those of the waiting saves durable that need no space, or
// only the reserve: entries that the core has taken back are not written (F13).
func (w *Writer) saveOnFullDisk(why error) error {
	w.setFull(why)
	merged, n := w.savable()
	if n == 0 {
		return nil
	}
	saves := []*vsr.Save{merged}
	err := w.log.SaveInReserve(w.batch.Encode(saves))
	w.batch.Release()
	switch {
	case vfs.Refused(err): // the reserve is used up, or cannot be opened
		return nil
	case err == nil:
		w.saved(saves, n)
	}
	return err
}

// setFull reports to the core why saves are refused, or, with nil, that they are not any more. The core makes that the
// replica's problem, which warns the operator; the notes add where and by which error.
func (w *Writer) setFull(why error) {
	full, short := why != nil, why != nil && !vfs.IsFull(why)
	if w.full == full && w.short == short {
		return
	}
	w.full, w.short = full, short
	event := &vsr.DiskFull{Full: full}
	note := Note{Level: hclog.Info, Text: "operations are saved again", Args: []any{"dir", w.dir}, Err: why}
	if full {
		note.Text = "operations are not saved"
	}
	if short {
		event.Short = why.Error()
	}
	w.driver.Note(note)
	w.driver.Tell(Input{Event: event})
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

// MarkAt returns when Mark is due, or zero if it is not due before the next write.
func (w *Writer) MarkAt() time.Time { return w.markAt }

// Mark writes the mark that distinguishes rot from a torn write (S5), if nothing was written for IdleMark and nothing is
// being written. On a full disk it returns nil; a later mark makes up for it.
func (w *Writer) Mark(now time.Time) error {
	if w.log == nil || w.markAt.IsZero() || now.Before(w.markAt) || len(w.saves) > 0 || w.compact != nil {
		return nil
	}
	w.markAt = time.Time{}
	err := w.log.Mark()
	if vfs.Refused(err) {
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
