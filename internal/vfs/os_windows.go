package vfs

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

const (
	errorTooManyOpenFiles  = syscall.Errno(4)
	errorNotEnoughMemory   = syscall.Errno(8)
	errorSharingViolation  = syscall.Errno(32)
	errorHandleDiskFull    = syscall.Errno(39)
	errorDiskFull          = syscall.Errno(112)
	errorNoSystemResources = syscall.Errno(1450)
)

func systemFull(err error) bool {
	return errors.Is(err, errorDiskFull) || errors.Is(err, errorHandleDiskFull)
}

func systemShort(err error) bool {
	return errors.Is(err, errorTooManyOpenFiles) || errors.Is(err, errorNotEnoughMemory) ||
		errors.Is(err, errorNoSystemResources)
}

// openDir returns a Dir that does nothing: Windows cannot sync a directory, and NTFS journals its entries.
func openDir(string) (Dir, error) { return nothing{}, nil }

type nothing struct{}

func (nothing) Sync() error  { return nil }
func (nothing) Close() error { return nil }

// Rename implements File. It opens the file again, because Windows does not rename open files. An error is final: the
// file may be closed.
func (f *osFile) Rename(newname string) error {
	newname = filepath.FromSlash(newname)
	err := f.File.Close()
	if err == nil {
		err = os.Rename(f.name, newname)
	}
	if err == nil {
		f.name = newname
		f.File, err = os.OpenFile(newname, os.O_RDWR, fileMode)
	}
	if err != nil {
		return fmt.Errorf("%v", err)
	}
	return nil
}

// lockFile opens the file without sharing, which locks it until the handle is closed.
func lockFile(name string) (*os.File, error) {
	path, err := syscall.UTF16PtrFromString(name)
	if err != nil {
		return nil, err
	}
	h, err := syscall.CreateFile(path, syscall.GENERIC_READ|syscall.GENERIC_WRITE, 0, nil,
		syscall.OPEN_ALWAYS, syscall.FILE_ATTRIBUTE_NORMAL, 0)
	if errors.Is(err, errorSharingViolation) {
		err = ErrLocked
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return os.NewFile(uintptr(h), name), nil
}
