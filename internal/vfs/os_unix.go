//go:build unix

package vfs

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

func systemFull(error) bool { return false }

func systemShort(error) bool { return false }

func openDir(dir string) (Dir, error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	return d, nil
}

// Rename implements File.
func (f *osFile) Rename(newname string) error {
	newname = filepath.FromSlash(newname)
	err := os.Rename(f.name, newname)
	if err == nil {
		f.name = newname
	}
	return err
}

// lockFile acquires a flock. It belongs to the open file, so opening the file a second time fails
// in this process as well as in others.
func lockFile(name string) (*os.File, error) {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, fileMode)
	if err != nil {
		return nil, err
	}
	for {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err != syscall.EINTR {
			break
		}
	}
	if err == nil {
		return f, nil
	}
	f.Close()
	if err == syscall.EWOULDBLOCK {
		err = ErrLocked
	}
	return nil, fmt.Errorf("%s: %w", name, err)
}
