package wal

import (
	"errors"
	"fmt"

	"github.com/smr-go/smr/internal/vfs"
)

var (
	// ErrCorrupt reports that a file has contents that the log cannot have written, or lacks data
	// that was durable. The directory is left unchanged. Its errors have type *CorruptError.
	ErrCorrupt = errors.New("damaged")
	// ErrCompacted reports that the requested records were compacted away.
	ErrCompacted = errors.New("compacted")
	// ErrForeign reports that the directory belongs to another replica or group (F17).
	ErrForeign = errors.New("directory of another replica or group")
	// ErrVersion reports that a version of smr with another format has written the directory.
	ErrVersion = errors.New("written by another version of smr")
	// ErrMissing reports that the directory holds no log, although Options.MustExist is set.
	ErrMissing = errors.New("no log is there")
	// ErrClosed reports that the log is closed.
	ErrClosed = errors.New("log is closed")
)

// CorruptError describes where a log is damaged.
type CorruptError struct {
	File   string
	Offset int64
	Op     uint64 // first op that is lost or in doubt; 0 if unknown
	Reason string
	Err    error // error of the file system; may be nil
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

// unreadable returns e, whose Err is that of a read (F11); or, if the system was short of something, an error that is
// not one of damage.
func (e *CorruptError) unreadable() error {
	if vfs.IsShort(e.Err) {
		return fmt.Errorf("%s cannot be read at byte %d: %w", e.File, e.Offset, e.Err)
	}
	e.Reason = "cannot be read"
	return e
}

func (e *CorruptError) Is(target error) bool { return target == ErrCorrupt }
func (e *CorruptError) Unwrap() error        { return e.Err }

// deadError is the reason why a log accepts no more calls but Close (F12). vfs.Refused is false for
// it even if a full disk is the cause, because a retry cannot succeed.
type deadError struct{ err error }

func (e *deadError) Error() string {
	return fmt.Sprintf("the log has stopped and must be reopened: %v", e.err)
}

func (e *deadError) Unwrap() error {
	if vfs.Refused(e.err) {
		return nil
	}
	return e.err
}
