package smr

import (
	"errors"
	"fmt"
	"time"

	"github.com/smr-go/smr/internal/store"
	"github.com/smr-go/smr/internal/vfs"
)

// segmentSize returns the bytes that the log takes from the disk at once, and gives back at once below a snapshot:
// a part of what is written from one snapshot to the next, little enough for a small disk.
func (c *Config) segmentSize() int64 {
	const least, most = 64 << 10, 16 << 20
	if c.SnapshotBytes < 0 {
		return most
	}
	return min(max(c.SnapshotBytes/4, least), most)
}

// writer runs the shell's writer, which makes saves durable, until the replica stops.
func (r *Replica) writer() {
	w := &r.shell.Writer
	for {
		var idle <-chan time.Time
		if at := w.MarkAt(); !at.IsZero() {
			idle = time.After(time.Until(at))
		}
		var err error
		select {
		case <-r.stop:
			return
		case <-idle:
			err = w.Mark(time.Now())
		case <-r.writes.Wake():
			r.pace("writer")
			r.writes.Each(w.Add)
			err = r.write()
		}
		if err != nil {
			r.fail(storageError(err))
			return
		}
	}
}

// write writes all that waits. While the disk is full it tries until there is space (F13), again as soon as there is more to
// write.
func (r *Replica) write() error {
	w := &r.shell.Writer
	for w.Begin() {
		again, err := w.Perform(time.Now())
		for again > 0 {
			select {
			case <-r.stop:
				return ErrClosed
			case <-r.writes.Wake():
				r.writes.Each(w.Add)
			case <-time.After(again):
			}
			again, err = w.Perform(time.Now())
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// storageError returns the error that users see: damage that a lower layer found is an ErrCorrupt.
func storageError(err error) error {
	switch {
	case err == nil || errors.Is(err, ErrCorrupt) || errors.Is(err, ErrClosed):
		return err
	case store.IsCorrupt(err):
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	case errors.Is(err, vfs.ErrLocked):
		return fmt.Errorf("smr: Config.Dir is in use: %w; stop that one first, or name another directory", err)
	}
	return fmt.Errorf("smr: %w", err)
}
