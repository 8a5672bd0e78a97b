package vfs

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
)

// OpKind names an operation of FS or File.
type OpKind string

// The operations that a hook sees. Close is none.
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

// Changes reports whether operations of this kind change what a crash would leave.
func (k OpKind) Changes() bool {
	switch k {
	case OpReadDir, OpLock, OpRead, OpSize:
		return false
	}
	return true
}

// Op is an operation about to be done.
type Op struct {
	Kind   OpKind
	Name   string // as the caller gave it
	To     string // of a rename
	Offset int64  // of a read or write
	Length int64  // of a read or write; the size of an allocate or truncate
}

func (op Op) String() string {
	return fmt.Sprintf("%s %s%s %d+%d", op.Kind, op.Name, op.To, op.Offset, op.Length)
}

// ErrLie, returned by a hook, makes an operation report success without being done. Opening, reading
// and listing cannot lie, and fail with it.
var ErrLie = errors.New("said to be done")

// SetHook has f called before each operation, by whichever goroutine does it; an error fails the
// operation, which then changes nothing. A failed sync counts as tried: see File.Sync. Nil: none.
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

// ReadFile returns a copy of what a file holds, past the hook.
func (m *Mem) ReadFile(name string) ([]byte, error) {
	n, err := m.named(name)
	if err != nil {
		return nil, err
	}
	n.mu.RLock()
	defer n.mu.RUnlock()
	b := make([]byte, n.data.size)
	n.data.readAt(b, 0)
	return b, nil
}

// Damage puts b into a file at off, as it reads and as it is on disk, past the hook: rot, or a disk
// that wrote to the wrong place. A byte at or beyond the file's size is an error.
func (m *Mem) Damage(name string, off int64, b []byte) error {
	n, err := m.named(name)
	if err != nil {
		return err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if end := off + int64(len(b)); off < 0 || end > n.data.size {
		return fmt.Errorf("%s: bytes %d to %d do not lie in its %d", name, off, end, n.data.size)
	}
	n.data.writeAt(b, off)
	for i, x := range b {
		n.damageDisk(x, off+int64(i))
	}
	return nil
}

// FlipBit inverts bit 0 to 7 of the byte at off: see Damage.
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

// Clone returns a file system of its own with what m holds now, durable or not, with neither m's
// open files and locks nor its hook.
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

// cloneNode copies each node once.
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
