package vfs

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"path"
	"slices"
)

// OpKind identifies an operation of FS or File.
type OpKind string

// The operations that a hook observes. Close is not among them.
const (
	OpMkdir    OpKind = "mkdir"
	OpOpen     OpKind = "open"
	OpRename   OpKind = "rename"
	OpRemove   OpKind = "remove"
	OpReadDir  OpKind = "readdir"
	OpSyncDir  OpKind = "syncdir"
	OpLock     OpKind = "lock"
	OpRead     OpKind = "read"
	OpWrite    OpKind = "write"
	OpSize     OpKind = "size"
	OpAllocate OpKind = "allocate"
	OpTruncate OpKind = "truncate"
	OpSync     OpKind = "sync"
)

// Changes reports whether operations of this kind change the state that a crash would leave.
func (k OpKind) Changes() bool {
	switch k {
	case OpReadDir, OpLock, OpRead, OpSize:
		return false
	}
	return true
}

// Op is an operation about to be performed.
type Op struct {
	Kind   OpKind
	Name   string // name as passed by the caller
	To     string // new name, of a rename
	Offset int64  // offset of a read or write
	Length int64  // length of a read or write; size of an allocate or truncate
}

func (op Op) String() string {
	return fmt.Sprintf("%s %s%s %d+%d", op.Kind, op.Name, op.To, op.Offset, op.Length)
}

// ErrLie, returned by a hook, makes an operation report success without being performed. An
// operation that must return something, such as opening or reading, fails with ErrLie instead.
var ErrLie = errors.New("reported as done without being done")

// SetHook makes m call f before each operation, in the goroutine that performs it. If f returns an
// error, the operation fails with it and changes nothing; but a failed Sync leaves the unsynced
// writes in doubt, as File.Sync describes. A nil f removes the hook.
func (m *Mem) SetHook(f func(Op) error) {
	if f == nil {
		m.hook.Store(nil)
	} else {
		m.hook.Store(&f)
	}
}

func (m *Mem) before(op Op) (skip bool, err error) {
	hook := m.hook.Load()
	if hook == nil {
		return false, nil
	}
	err = (*hook)(op)
	if errors.Is(err, ErrLie) && op.Kind.lies() {
		return true, nil
	}
	if err != nil {
		return false, pathError(string(op.Kind), op.Name, err)
	}
	return false, nil
}

func (k OpKind) lies() bool {
	return k.Changes() && k != OpOpen && k != OpMkdir
}

// ReadFile returns a copy of a file's content. It does not call the hook.
func (m *Mem) ReadFile(name string) ([]byte, error) {
	b, _, err := m.ReadPart(name, 0, math.MaxInt64)
	return b, err
}

// ReadPart returns a copy of at most n bytes of a file's content, from off on, and the file's size. It does not call
// the hook.
func (m *Mem) ReadPart(name string, off, n int64) (b []byte, size int64, err error) {
	file, err := m.named(name)
	if err != nil {
		return nil, 0, err
	}
	file.mu.RLock()
	defer file.mu.RUnlock()
	size = file.data.size
	b = make([]byte, min(n, max(size-off, 0)))
	file.data.readAt(b, off)
	return b, size, nil
}

// Damage overwrites a file at off with b, both the content that is read and that on disk, as rot
// and misplaced writes do. It does not call the hook. It returns an error if b extends beyond the
// file's size.
func (m *Mem) Damage(name string, off int64, b []byte) error {
	n, err := m.named(name)
	if err != nil {
		return err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if end := off + int64(len(b)); off < 0 || end > n.data.size {
		return fmt.Errorf("%s: bytes %d to %d are outside the file, which has %d", name, off, end, n.data.size)
	}
	n.data.writeAt(b, off)
	for i, x := range b {
		n.damageDisk(x, off+int64(i))
	}
	return nil
}

// FlipBit inverts bit 0 to 7 of the byte at off, as Damage does.
func (m *Mem) FlipBit(name string, off int64, bit int) error {
	n, err := m.named(name)
	if err != nil {
		return err
	}
	var b [1]byte
	n.mu.RLock()
	n.data.readAt(b[:], off)
	n.mu.RUnlock()
	b[0] ^= 1 << bit
	return m.Damage(name, off, b[:])
}

func (m *Mem) named(name string) (*node, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if n := m.lookup(path.Clean(name)); n != nil {
		return n, nil
	}
	return nil, pathError("open", name, fs.ErrNotExist)
}

// ReplaceDir replaces the files of dir by those that dir has in another file system, durably; with nil
// it removes dir. A person does that while no process uses the files. It does not call the hook.
func (m *Mem) ReplaceDir(dir string, with *Mem) {
	files := map[string]*node{}
	if with != nil {
		with.mu.Lock()
		if d := with.dirs[dir]; d != nil {
			files = cloneEntries(d.entries, map[*node]*node{})
		}
		with.mu.Unlock()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.settle(dir) // no pending write survives a crash
	delete(m.dirs, dir)
	if with != nil {
		for _, name := range slices.Sorted(maps.Keys(files)) {
			m.nodes++
			files[name].id, files[name].pending = m.nodes, nil
		}
		m.dirs[dir] = &memDir{files, maps.Clone(files)}
	}
	m.recount()
}

// Clone returns an independent copy of the file system, including its unsynced changes, but without
// the open files, locks and hook.
func (m *Mem) Clone() *Mem {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := NewMem()
	c.track, c.nodes = m.track, m.nodes
	c.capacity.Store(m.capacity.Load())
	nodes := map[*node]*node{}
	for name, d := range m.dirs {
		c.dirs[name] = &memDir{cloneEntries(d.entries, nodes), cloneEntries(d.disk, nodes)}
	}
	for _, op := range m.pending {
		op = slices.Clone(op)
		for i := range op {
			op[i].node = cloneNode(op[i].node, nodes)
		}
		c.pending = append(c.pending, op)
	}
	c.recount()
	return c
}

func cloneEntries(entries map[string]*node, nodes map[*node]*node) map[string]*node {
	c := make(map[string]*node, len(entries))
	for name, n := range entries {
		c[name] = cloneNode(n, nodes)
	}
	return c
}

// cloneNode returns the copy of n, which it creates on the first call.
func cloneNode(n *node, nodes map[*node]*node) *node {
	if n == nil || nodes[n] != nil {
		return nodes[n]
	}
	n.mu.RLock()
	defer n.mu.RUnlock()
	c := &node{id: n.id, data: n.data.clone(), pending: slices.Clone(n.pending)}
	for i := range c.pending {
		x := &c.pending[i]
		x.data, x.old = slices.Clone(x.data), slices.Clone(x.old)
	}
	nodes[n] = c
	return c
}
