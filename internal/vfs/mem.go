package vfs

import (
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
)

// Mem is a file system in memory. Volatile replicas use it, and tests use one made by NewCrashable,
// which they crash, make fail and damage. It may be used concurrently. Relative and absolute paths
// name different files; links and ".." are not supported.
type Mem struct {
	hook  atomic.Pointer[func(Op) error]
	track bool          // whether durable and unsynced state are kept apart; never changes
	life  atomic.Uint64 // number of crashes and kills so far; handles of an earlier life are dead

	capacity atomic.Int64 // in bytes; 0 means no limit
	used     atomic.Int64 // total size of all files in bytes

	mu      sync.Mutex // guards the fields below, and links and opens of every node
	dirs    map[string]*memDir
	locks   map[string]*memLock
	pending []entryOp // changes of directory entries that are not durable yet, oldest first
	nodes   uint64    // number of nodes created so far
}

// memDir is a directory: its current entries and, if tracked, its durable ones.
type memDir struct {
	entries map[string]*node
	disk    map[string]*node
}

func newDir() *memDir {
	return &memDir{entries: map[string]*node{}, disk: map[string]*node{}}
}

// NewMem returns an empty file system that lives as long as its process.
func NewMem() *Mem {
	return &Mem{dirs: map[string]*memDir{".": newDir(), "/": newDir()}, locks: map[string]*memLock{}}
}

// NewCrashable returns an empty file system that tracks what was synced, as Crash requires. It
// takes twice the memory, and more time.
func NewCrashable() *Mem {
	m := NewMem()
	m.track = true
	return m
}

// SetCapacity limits the total size of all files, in bytes. An operation that would exceed it fails
// with an error that satisfies IsFull. Zero means no limit.
func (m *Mem) SetCapacity(bytes int64) { m.capacity.Store(bytes) }

// Used returns the total size of all files in bytes, including removed files that are open.
func (m *Mem) Used() int64 { return m.used.Load() }

// charge takes delta bytes of the capacity, or returns them if delta is negative.
func (m *Mem) charge(delta int64) error {
	used := m.used.Add(delta)
	if limit := m.capacity.Load(); delta > 0 && limit > 0 && used > limit {
		m.used.Add(-delta)
		return syscall.ENOSPC
	}
	return nil
}

// MkdirAll implements FS. Directories are durable at once.
func (m *Mem) MkdirAll(dir string) error {
	if _, err := m.before(Op{Kind: OpMkdir, Name: dir}); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for d := path.Clean(dir); m.dirs[d] == nil; d = path.Dir(d) {
		if m.lookup(d) != nil {
			return pathError("mkdir", d, syscall.ENOTDIR)
		}
		m.dirs[d] = newDir()
	}
	return nil
}

// OpenFile implements FS.
func (m *Mem) OpenFile(name string, flag int) (File, error) {
	if _, err := m.before(Op{Kind: OpOpen, Name: name}); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	name = path.Clean(name)
	n, err := m.find(name, flag)
	if err != nil {
		return nil, pathError("open", name, err)
	}
	n.opens++
	f := &memFile{mem: m, node: n, name: name, life: m.life.Load()}
	if flag&os.O_TRUNC != 0 {
		err = n.resize(m, 0)
	}
	return f, err
}

// find returns the file, which it creates if flag has os.O_CREATE.
func (m *Mem) find(name string, flag int) (*node, error) {
	d := m.dirs[path.Dir(name)]
	switch {
	case m.dirs[name] != nil:
		return nil, syscall.EISDIR
	case d == nil:
		return nil, fs.ErrNotExist
	}
	n := d.entries[path.Base(name)]
	switch {
	case n != nil && flag&os.O_CREATE != 0 && flag&os.O_EXCL != 0:
		return nil, fs.ErrExist
	case n == nil && flag&os.O_CREATE == 0:
		return nil, fs.ErrNotExist
	case n == nil:
		m.nodes++
		n = &node{id: m.nodes}
		m.enter(entryOp{{name, n}})
	}
	return n, nil
}

func (m *Mem) lookup(name string) *node {
	if d := m.dirs[path.Dir(name)]; d != nil {
		return d.entries[path.Base(name)]
	}
	return nil
}

// Rename implements FS. It renames files only.
func (m *Mem) Rename(oldname, newname string) error {
	if skip, err := m.before(Op{Kind: OpRename, Name: oldname, To: newname}); skip || err != nil {
		return err
	}
	return m.rename(oldname, newname)
}

func (m *Mem) rename(oldname, newname string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	oldname, newname = path.Clean(oldname), path.Clean(newname)
	n := m.lookup(oldname)
	switch {
	case n == nil || m.dirs[path.Dir(newname)] == nil:
		return pathError("rename", oldname, fs.ErrNotExist)
	case m.dirs[newname] != nil:
		return pathError("rename", newname, fs.ErrExist)
	case m.lookup(newname) != n:
		m.enter(entryOp{{oldname, nil}, {newname, n}})
	}
	return nil
}

// Remove implements FS. The removal of a directory is durable at once.
func (m *Mem) Remove(name string) error {
	if skip, err := m.before(Op{Kind: OpRemove, Name: name}); skip || err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	name = path.Clean(name)
	switch {
	case m.dirs[name] != nil:
		return m.removeDir(name)
	case m.lookup(name) == nil:
		return pathError("remove", name, fs.ErrNotExist)
	}
	m.enter(entryOp{{name, nil}})
	return nil
}

func (m *Mem) removeDir(name string) error {
	if len(m.names(name)) > 0 {
		return pathError("remove", name, syscall.ENOTEMPTY)
	}
	delete(m.dirs, name)
	return nil
}

// ReadDir implements FS.
func (m *Mem) ReadDir(dir string) ([]string, error) {
	if _, err := m.before(Op{Kind: OpReadDir, Name: dir}); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	dir = path.Clean(dir)
	if m.dirs[dir] == nil {
		return nil, pathError("readdir", dir, fs.ErrNotExist)
	}
	return m.names(dir), nil
}

func (m *Mem) names(dir string) []string {
	names := slices.Collect(maps.Keys(m.dirs[dir].entries))
	for d := range m.dirs {
		if path.Dir(d) == dir && d != dir {
			names = append(names, path.Base(d))
		}
	}
	slices.Sort(names)
	return names
}

// OpenDir implements FS.
func (m *Mem) OpenDir(dir string) (Dir, error) {
	if _, err := m.before(Op{Kind: OpOpen, Name: dir}); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.dirs[path.Clean(dir)] == nil {
		return nil, pathError("open", dir, fs.ErrNotExist)
	}
	return &memFolder{m, dir, m.life.Load()}, nil
}

// memFolder is an open directory of a Mem.
type memFolder struct {
	mem  *Mem
	name string
	life uint64
}

func (d *memFolder) Sync() error {
	if d.life != d.mem.life.Load() {
		return pathError("syncdir", d.name, ErrCrashed)
	}
	return d.mem.SyncDir(d.name)
}

func (d *memFolder) Close() error { return nil }

// SyncDir makes the entries of dir durable.
func (m *Mem) SyncDir(dir string) error {
	if skip, err := m.before(Op{Kind: OpSyncDir, Name: dir}); skip || err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	dir = path.Clean(dir)
	if m.dirs[dir] == nil {
		return pathError("syncdir", dir, fs.ErrNotExist)
	}
	m.settle(dir)
	return nil
}

// Lock implements FS.
func (m *Mem) Lock(name string) (io.Closer, error) {
	if _, err := m.before(Op{Kind: OpLock, Name: name}); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	name = path.Clean(name)
	if _, err := m.find(name, os.O_CREATE); err != nil {
		return nil, pathError("lock", name, err)
	}
	if m.locks[name] != nil {
		return nil, pathError("lock", name, ErrLocked)
	}
	l := &memLock{mem: m, name: name}
	m.locks[name] = l
	return l, nil
}

type memLock struct {
	mem  *Mem
	name string
}

// Close releases the lock. It returns fs.ErrClosed if the lock was released by Close or a crash.
func (l *memLock) Close() error {
	l.mem.mu.Lock()
	defer l.mem.mu.Unlock()
	if l.mem.locks[l.name] != l {
		return fs.ErrClosed
	}
	delete(l.mem.locks, l.name)
	return nil
}

func pathError(op, name string, err error) error {
	return &fs.PathError{Op: op, Path: name, Err: err}
}
