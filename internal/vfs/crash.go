package vfs

import (
	"maps"
	"math/rand/v2"
	"path"
	"slices"
)

// entryOp is one change of directory entries: an entry created or removed, or the two entries of a
// rename. A crash undoes it or keeps it as a whole, except for entries whose directory was synced.
type entryOp []entryChange

type entryChange struct {
	name string
	node *node // nil if the entry was removed
}

// enter applies op to the current entries. The caller holds m.mu.
func (m *Mem) enter(op entryOp) {
	for _, c := range op {
		if n := m.lookup(c.name); n != nil {
			defer m.release(n)
			n.links--
		}
		if c.node != nil {
			c.node.links++
		}
		set(m.dirs[path.Dir(c.name)].entries, c)
	}
	if m.track {
		m.pending = append(m.pending, op)
	}
}

func set(entries map[string]*node, c entryChange) {
	if c.node == nil {
		delete(entries, path.Base(c.name))
	} else {
		entries[path.Base(c.name)] = c.node
	}
}

// settle makes the entries of one directory durable. The caller holds m.mu.
func (m *Mem) settle(dir string) {
	left := m.pending[:0]
	for _, op := range m.pending {
		var rest entryOp
		for _, c := range op {
			if d := m.dirs[dir]; path.Dir(c.name) != dir {
				rest = append(rest, c)
			} else if d != nil {
				set(d.disk, c)
			}
		}
		if rest != nil {
			left = append(left, rest)
		}
	}
	clear(m.pending[len(left):])
	m.pending = left
}

// Kill ends the process that uses m, as SIGKILL does: open files are dead and locks are released.
// All writes remain readable, and unsynced ones remain unsynced.
func (m *Mem) Kill() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.kill()
}

func (m *Mem) kill() {
	m.life.Add(1)
	clear(m.locks)
	for _, n := range m.reachable() {
		n.opens = 0
	}
	m.recount()
}

// Crash cuts the power. It ends the process as Kill does, and keeps a random part of what was not
// synced: each sector of each write, each change of a size and each change of directory entries
// survives or not, and sectors may be torn at any byte and end in garbage. m must come from
// NewCrashable. The same calls with the same rng produce the same bytes.
func (m *Mem) Crash(rng *rand.Rand) {
	if !m.track {
		panic("vfs: Crash needs a Mem that tracks what was synced; make it with NewCrashable")
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.crashEntries(rng)
	for _, n := range m.reachable() {
		n.crash(rng)
	}
	m.kill()
}

func (m *Mem) crashEntries(rng *rand.Rand) {
	p := odds(rng)
	for _, op := range m.pending {
		if rng.Float64() >= p {
			continue
		}
		for _, c := range op {
			if d := m.dirs[path.Dir(c.name)]; d != nil {
				set(d.disk, c)
			}
		}
	}
	m.pending = nil
	for _, d := range m.dirs {
		d.entries = maps.Clone(d.disk)
	}
}

// odds returns the probability with which each piece survives a crash. It is often 0 or 1, because
// otherwise states in which all or nothing survives would hardly occur.
func odds(rng *rand.Rand) float64 {
	return []float64{0, 0.1, 0.5, 0.9, 1}[rng.IntN(5)]
}

// reachable returns the files that have a name, each once, in the order of creation.
func (m *Mem) reachable() []*node {
	seen := map[uint64]*node{}
	for _, d := range m.dirs {
		for _, n := range d.entries {
			seen[n.id] = n
		}
	}
	nodes := slices.Collect(maps.Values(seen))
	slices.SortFunc(nodes, func(a, b *node) int { return int(a.id) - int(b.id) })
	return nodes
}

// recount recomputes the links and the space used after a crash.
func (m *Mem) recount() {
	for _, n := range m.reachable() {
		n.links = 0
	}
	for _, d := range m.dirs {
		for _, n := range d.entries {
			n.links++
		}
	}
	used := int64(0)
	for _, n := range m.reachable() {
		used += n.data.size
	}
	m.used.Store(used)
}
