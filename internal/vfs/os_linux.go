package vfs

import (
	"errors"
	"os"
	"syscall"
)

func datasync(f *os.File) error {
	return control(f, "fdatasync", syscall.Fdatasync)
}

// reserve allocates space for the file's first size bytes. On file systems without fallocate it
// writes zeros instead.
func reserve(f *os.File, old, size int64) error {
	err := control(f, "fallocate", func(fd int) error { return syscall.Fallocate(fd, 0, 0, size) })
	if errors.Is(err, syscall.EOPNOTSUPP) {
		return fill(f, old, size)
	}
	return err
}

// control makes a system call on f and repeats it if a signal interrupted it. Its errors name the
// file.
func control(f *os.File, what string, call func(fd int) error) error {
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	if err := conn.Control(func(fd uintptr) { failed = uninterrupted(int(fd), call) }); err != nil {
		return err
	}
	if failed != nil {
		return &os.PathError{Op: what, Path: f.Name(), Err: failed}
	}
	return nil
}

func uninterrupted(fd int, call func(fd int) error) error {
	for {
		if err := call(fd); err != syscall.EINTR {
			return err
		}
	}
}
