package vfs

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Only their owner may read the files: they contain the user's data.
const (
	fileMode = 0o600
	dirMode  = 0o700
)

// OS returns the operating system's file system. Paths may be relative or absolute; errors contain
// them.
func OS() FS { return osFS{} }

type osFS struct{}

func (osFS) MkdirAll(dir string) error { return mkdirAll(filepath.FromSlash(dir)) }

func mkdirAll(dir string) error {
	parent := filepath.Dir(dir)
	if info, err := os.Stat(dir); err == nil {
		return syncParent(dir, parent, info)
	}
	if parent != dir {
		if err := mkdirAll(parent); err != nil {
			return err
		}
	}
	if err := os.Mkdir(dir, dirMode); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncDir(parent)
}

// syncParent makes the entry of an existing directory durable, because the process that created it
// may have been killed before the sync. A parent that this process may not read was not created by
// smr and needs no sync.
func syncParent(dir, parent string, info fs.FileInfo) error {
	if !info.IsDir() {
		return fmt.Errorf("%s is a file, but a directory is needed there; remove the file or choose another path", dir)
	}
	if err := syncDir(parent); err != nil && !errors.Is(err, fs.ErrPermission) {
		return err
	}
	return nil
}

func (osFS) OpenFile(name string, flag int) (File, error) {
	flag &= os.O_CREATE | os.O_EXCL | os.O_TRUNC
	f, err := os.OpenFile(filepath.FromSlash(name), flag|os.O_RDWR, fileMode)
	if err != nil {
		return nil, err
	}
	return &osFile{f, f.Name()}, nil
}

func (osFS) Rename(oldname, newname string) error {
	return os.Rename(filepath.FromSlash(oldname), filepath.FromSlash(newname))
}

func (osFS) Remove(name string) error { return os.Remove(filepath.FromSlash(name)) }

func (osFS) ReadDir(dir string) ([]string, error) {
	entries, err := os.ReadDir(filepath.FromSlash(dir))
	if err != nil {
		return nil, err
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	return names, nil
}

func (osFS) OpenDir(dir string) (Dir, error) { return openDir(filepath.FromSlash(dir)) }

func syncDir(dir string) error {
	d, err := openDir(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

func (osFS) Lock(name string) (io.Closer, error) {
	f, err := lockFile(filepath.FromSlash(name))
	if err != nil {
		return nil, err
	}
	return f, nil
}

// osFile adapts os.File where systems differ.
type osFile struct {
	*os.File
	name string // its present name
}

// renamed returns an error of the file with its present name in place of the one under which it was opened.
func (f *osFile) renamed(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		e.Path = f.name
	}
	return err
}

func (f *osFile) ReadAt(b []byte, off int64) (int, error) {
	n, err := f.File.ReadAt(b, off)
	return n, f.renamed(err)
}

func (f *osFile) WriteAt(b []byte, off int64) (int, error) {
	n, err := f.File.WriteAt(b, off)
	return n, f.renamed(err)
}

func (f *osFile) Size() (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, f.renamed(err)
	}
	return info.Size(), nil
}

func (f *osFile) Truncate(size int64) error { return f.renamed(f.File.Truncate(size)) }

func (f *osFile) Sync() error { return f.renamed(datasync(f.File)) }

// Allocate restores the size of a file that it could not extend.
func (f *osFile) Allocate(size int64) error {
	old, err := f.Size()
	if err != nil {
		return err
	}
	if err = reserve(f.File, old, size); err != nil && old < size {
		err = errors.Join(err, f.Truncate(old))
	}
	return err
}

// fill extends a file from old to size by writing zeros, on systems and file systems that cannot
// reserve space.
func fill(f *os.File, old, size int64) error {
	zeros := make([]byte, 256<<10)
	for old < size {
		n, err := f.WriteAt(zeros[:min(int64(len(zeros)), size-old)], old)
		if err != nil {
			return err
		}
		old += int64(n)
	}
	return nil
}
