// Package vfs defines the small part of a file system that smr's storage needs. It lets the log and
// the snapshots run on the operating system's files, in memory, and on a simulated disk that crashes
// and fails on demand.
package vfs

import (
	"errors"
	"io"
	"slices"
	"syscall"
)

// FS is a file system. Names are slash-separated paths. All methods may be called concurrently.
type FS interface {
	// MkdirAll creates a directory and its missing parents, and syncs each new entry's parent.
	MkdirAll(dir string) error
	// OpenFile opens a file for reading and writing. flag is 0 or a combination of os.O_CREATE,
	// os.O_EXCL and os.O_TRUNC; other bits are ignored. OpenFile returns fs.ErrNotExist for a
	// missing file. A created file is durable only after Dir.Sync of its directory.
	OpenFile(name string, flag int) (File, error)
	// Rename renames a file that is not open, replacing newname. It is durable only after Dir.Sync.
	Rename(oldname, newname string) error
	// Remove removes an empty directory or a file's name; an open file remains usable. It is
	// durable only after Dir.Sync.
	Remove(name string) error
	// ReadDir returns the names in dir, sorted.
	ReadDir(dir string) ([]string, error)
	// OpenDir opens a directory, so that it can be synced when no descriptor is left.
	OpenDir(dir string) (Dir, error)
	// Lock locks the file, which it creates if necessary, until Close or the end of the process. It
	// returns ErrLocked if the file is locked already.
	Lock(name string) (io.Closer, error)
}

// File is an open file. ReadAt may run concurrently with all methods except Close and Rename; the other
// methods must be called one at a time.
type File interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	Size() (int64, error)
	// Allocate reserves space for the first size bytes and extends the file to at least that size
	// with zeros. If the disk is full, the error satisfies IsFull and the file is unchanged.
	Allocate(size int64) error
	Truncate(size int64) error
	// Rename renames the file, which stays open, as FS.Rename does.
	Rename(newname string) error
	// Sync makes data and size durable (fdatasync). After an error, the state of everything written
	// since the last successful Sync is unknown, and Sync must not be called again (F12).
	Sync() error
}

// Dir is an open directory.
type Dir interface {
	io.Closer
	// Sync makes the entries of the directory durable.
	Sync() error
}

// ErrLocked reports that the file is locked already.
var ErrLocked = errors.New("locked by another process or replica")

// IsFull reports whether err means that no space, quota or reserve was left.
func IsFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || systemFull(err)
}

// IsShort reports whether err means that the system was short of descriptors, memory or the like. An
// operation that has failed so before it changed anything may succeed later. After a write or a sync it
// is an error like any other (F12).
func IsShort(err error) bool {
	return slices.ContainsFunc(shortages, func(x syscall.Errno) bool { return errors.Is(err, x) }) || systemShort(err)
}

var shortages = []syscall.Errno{syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM, syscall.EAGAIN, syscall.EINTR}

// Refused reports whether err means that an operation found the disk full, or the system short of what it
// takes, before it changed anything (F13).
func Refused(err error) bool { return IsFull(err) || IsShort(err) }
