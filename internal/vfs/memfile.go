package vfs

import (
	"io/fs"
	"path"
	"sync"
	"sync/atomic"
	"syscall"
)

// node is a file of Mem, independent of its names.
type node struct {
	id           uint64 // ascending in the order of creation
	links, opens int    // guarded by Mem.mu

	mu      sync.RWMutex // guards the fields below
	data    pages        // the current content
	pending []change     // changes that are not durable, oldest first; nil unless tracked
	kept    *[]byte      // memory of the pending changes, borrowed from spare
}

// memFile is an open node.
type memFile struct {
	mem    *Mem
	node   *node
	name   string
	life   uint64
	closed atomic.Bool
}

// begin reports whether an operation may proceed. skip means that it must report success without
// being performed.
func (f *memFile) begin(kind OpKind, off, length int64) (skip bool, err error) {
	switch {
	case f.life != f.mem.life.Load():
		return false, pathError(string(kind), f.name, ErrCrashed)
	case f.closed.Load():
		return false, pathError(string(kind), f.name, fs.ErrClosed)
	case off < 0 || length < 0:
		return false, pathError(string(kind), f.name, syscall.EINVAL)
	}
	return f.mem.before(Op{Kind: kind, Name: f.name, Offset: off, Length: length})
}

func (f *memFile) ReadAt(b []byte, off int64) (int, error) {
	if _, err := f.begin(OpRead, off, int64(len(b))); err != nil {
		return 0, err
	}
	f.node.mu.RLock()
	defer f.node.mu.RUnlock()
	return f.node.data.readAt(b, off)
}

func (f *memFile) WriteAt(b []byte, off int64) (int, error) {
	if skip, err := f.begin(OpWrite, off, int64(len(b))); skip || err != nil {
		return written(len(b), err), err
	}
	n := f.node
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := f.mem.charge(max(0, off+int64(len(b))-n.data.size)); err != nil {
		return 0, pathError("write", f.name, err)
	}
	if f.mem.track {
		n.noteWrite(b, off)
	}
	n.data.writeAt(b, off)
	return len(b), nil
}

func written(n int, err error) int {
	if err != nil {
		return 0
	}
	return n
}

func (f *memFile) Rename(newname string) error {
	switch {
	case f.life != f.mem.life.Load():
		return pathError("rename", f.name, ErrCrashed)
	case f.closed.Load():
		return pathError("rename", f.name, fs.ErrClosed)
	}
	skip, err := f.mem.before(Op{Kind: OpRename, Name: f.name, To: newname})
	if err == nil && !skip {
		err = f.mem.rename(f.name, newname)
	}
	if err == nil {
		f.name = path.Clean(newname)
	}
	return err
}

func (f *memFile) Size() (int64, error) {
	if _, err := f.begin(OpSize, 0, 0); err != nil {
		return 0, err
	}
	f.node.mu.RLock()
	defer f.node.mu.RUnlock()
	return f.node.data.size, nil
}

func (f *memFile) Allocate(size int64) error {
	if skip, err := f.begin(OpAllocate, 0, size); skip || err != nil {
		return err
	}
	f.node.mu.RLock()
	old := f.node.data.size
	f.node.mu.RUnlock()
	if size <= old {
		return nil
	}
	return f.resize("allocate", size)
}

func (f *memFile) Truncate(size int64) error {
	if skip, err := f.begin(OpTruncate, 0, size); skip || err != nil {
		return err
	}
	return f.resize("truncate", size)
}

func (f *memFile) resize(what string, size int64) error {
	if err := f.node.resize(f.mem, size); err != nil {
		return pathError(what, f.name, err)
	}
	return nil
}

func (n *node) resize(m *Mem, size int64) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := m.charge(size - n.data.size); err != nil {
		return err
	}
	if m.track {
		n.noteResize(size)
	}
	n.data.resize(size)
	return nil
}

// Sync implements File. If the hook makes it fail, it behaves like a kernel: the waiting changes
// remain readable, but no later Sync makes them durable.
func (f *memFile) Sync() error {
	skip, err := f.begin(OpSync, 0, 0)
	if skip || !f.mem.track {
		return err
	}
	f.node.mu.Lock()
	defer f.node.mu.Unlock()
	if err != nil {
		f.node.forget()
		return err
	}
	f.node.settle()
	return nil
}

func (f *memFile) Close() error {
	m := f.mem
	m.mu.Lock()
	defer m.mu.Unlock()
	if f.life != m.life.Load() {
		return pathError("close", f.name, ErrCrashed)
	}
	if f.closed.Swap(true) {
		return pathError("close", f.name, fs.ErrClosed)
	}
	f.node.opens--
	m.release(f.node)
	return nil
}

// release frees the space of a file that is neither named nor open. A crash may bring the file
// back. The caller holds m.mu.
func (m *Mem) release(n *node) {
	if n.links > 0 || n.opens > 0 {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	m.used.Add(-n.data.size)
	if !m.track {
		n.data = pages{}
	}
}
