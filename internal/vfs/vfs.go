// Package vfs is the part of a file system that smr's storage stands on: few calls, so that
// the same log and snapshot code runs over the operating system, over memory, and over a
// memory that crashes and fails on demand.
package vfs

import (
	"errors"
	"io"
	"syscall"
)

// FS names files by slash-separated paths. All methods may be called concurrently.
type FS interface {
	// MkdirAll makes a directory and those above it; each new entry is synced into its parent.
	MkdirAll(dir string) error
	// OpenFile opens a file for reading and writing, whatever flag says of that; flag is 0 or any
	// of os.O_CREATE, os.O_EXCL, os.O_TRUNC. A missing file is fs.ErrNotExist. A created file is
	// durable only after SyncDir of its directory.
	OpenFile(name string, flag int) (File, error)
	// Rename replaces newname; durable only after SyncDir.
	Rename(oldname, newname string) error
	// Remove unlinks a file, which lives on for those who have it open, or an empty directory;
	// durable only after SyncDir.
	Remove(name string) error
	// ReadDir returns the names in dir, sorted.
	ReadDir(dir string) ([]string, error)
	// SyncDir makes the entries of dir durable.
	SyncDir(dir string) error
	// Lock takes the file as a lock that ends with the process or with Close; ErrLocked if
	// another holds it.
	Lock(name string) (io.Closer, error)
}

// File is an open file. ReadAt may run beside everything but Close; the others one at a time.
type File interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	Size() (int64, error)
	// Allocate reserves space for the first size bytes and extends the file to at least that,
	// with zeros. It fails with an error that IsFull knows before any byte is in doubt.
	Allocate(size int64) error
	Truncate(size int64) error
	// Sync makes data and size durable (fdatasync). After an error nothing is known of what
	// was written since the last success, and Sync must not be tried again (RELIABILITY F12).
	Sync() error
}

// ErrLocked is returned by Lock when the file is held already.
var ErrLocked = errors.New("locked by another process or replica")

// IsFull reports whether err says that no space, quota or reserve was left.
func IsFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || systemFull(err)
}
