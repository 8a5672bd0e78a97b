package wal

import (
	"errors"
	"fmt"

	"github.com/smr-go/smr/internal/vfs"
)

var (
	// ErrCorrupt: a file holds what cannot have been written, or lacks what must be there. The
	// directory is left as it is. Errors of this kind are *CorruptError.
	ErrCorrupt = errors.New("damaged")
	// ErrCompacted: the records are no longer in the log.
	ErrCompacted = errors.New("compacted")
	// ErrForeign: the directory is another replica's or group's (F17).
	ErrForeign = errors.New("of another replica or group")
	// ErrVersion: the directory was written by a later version of smr.
	ErrVersion = errors.New("of a later version")
	// ErrClosed: the log was closed.
	ErrClosed = errors.New("log is closed")
)

// CorruptError says where a log is damaged.
type CorruptError struct {
	File   string
	Offset int64
	Op     uint64 // the first one that is lost or doubtful; 0: unknown
	Reason string
	Err    error // what the file system said; may be nil
}

func (e *CorruptError) Error() string {
	s := fmt.Sprintf("%s is damaged at byte %d: %s", e.File, e.Offset, e.Reason)
	if e.Op > 0 {
		s = fmt.Sprintf("%s is damaged at byte %d, op %d: %s", e.File, e.Offset, e.Op, e.Reason)
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

func (e *CorruptError) Is(target error) bool { return target == ErrCorrupt }
func (e *CorruptError) Unwrap() error        { return e.Err }

// deadError is why a log accepts nothing any more (F12). It is never full in the sense of
// vfs.IsFull, which would promise that trying again may help.
type deadError struct{ err error }

func (e *deadError) Error() string {
	return fmt.Sprintf("the log stopped, and must be opened anew: %v", e.err)
}

func (e *deadError) Unwrap() error {
	if vfs.IsFull(e.err) {
		return nil
	}
	return e.err
}
