package vfs

import (
	"maps"
	"math/rand/v2"
	"path"
	"slices"
)

// entryOp is one change of directory entries, which a crash takes back or leaves whole but for the
// directories that were synced: one entry made or removed, or two for a rename.
type entryOp []entryChange

type entryChange struct {
	name string
	node *node // nil: no longer there
}

// enter changes entries as they read. m.mu is held.
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

// settle makes the entries of one directory durable. m.mu is held.
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

// Kill ends the process that uses m, as SIGKILL does: its handles are dead and its locks released.
// Everything written reads as before, and what was not synced still is not.
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

// Crash cuts the power: it kills, and of what was not synced it leaves what rng says. Each sector
// of each write, each change of a size and each change of entries survives or not; sectors may be
// torn at any byte, with garbage behind. m must be made by NewCrashable. The same calls and the
// same rng give the same bytes.
func (m *Mem) Crash(rng *rand.Rand) {
	if !m.track {
		panic("vfs: Crash of a Mem that does not know what was synced: make it with NewCrashable")
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

// odds says how likely each piece survives this time: often all or nothing, which are the states
// that piecewise chance would not reach.
func odds(rng *rand.Rand) float64 {
	return []float64{0, 0.1, 0.5, 0.9, 1}[rng.IntN(5)]
}

// reachable returns the files that have a name, each once, in the order of their creation.
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

// recount sets links and the space used after a crash.
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
