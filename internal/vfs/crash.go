package vfs

import (
	"errors"
	"maps"
	"math/rand/v2"
	"path"
	"slices"
)

// sector is what a disk writes at once: a crash may leave each sector of an unsynced write old,
// new, or torn.
const sector = 512

// ErrCrashed is what a handle returns that was opened before a crash.
var ErrCrashed = errors.New("opened before the crash")

// change is something done to a file's content that may not be durable yet.
type change struct {
	off     int64
	data    []byte
	size    int64 // of the file, once done
	resized bool  // not a write: the size was set
	state   changeState
}

type changeState uint8

const (
	waiting changeState = iota // for a sync
	lost                       // waited for a sync that failed: no later one will write it (F12)
	synced                     // durable, but done after something that was lost
)

// settle is a successful sync: what waits becomes durable.
func (n *node) settle() {
	for i := range n.pending {
		if n.pending[i].state == waiting {
			n.pending[i].state = synced
		}
	}
	done := 0
	for done < len(n.pending) && n.pending[done].state == synced {
		n.pending[done].apply(&n.disk)
		done++
	}
	n.pending = slices.Delete(n.pending, 0, done)
}

// forget is a failed sync.
func (n *node) forget() {
	for i := range n.pending {
		if n.pending[i].state == waiting {
			n.pending[i].state = lost
		}
	}
}

func (c *change) apply(p *pages) {
	if c.resized {
		p.resize(c.size)
	} else {
		p.writeAt(c.data, c.off)
	}
}

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

// crash leaves what a power cut does of one file, durable from then on. Sizes are metadata, which
// file systems keep in order: a random prefix of their changes survives.
func (n *node) crash(rng *rand.Rand) {
	n.mu.Lock()
	defer n.mu.Unlock()
	p, sizes := odds(rng), n.survivingSizes(rng)
	size := n.disk.size
	for i, c := range n.pending {
		certain := c.state == synced
		switch {
		case c.resized && (i < sizes || certain):
			n.disk.resize(c.size)
		case !c.resized && certain:
			n.disk.writeAt(c.data, c.off)
		case !c.resized:
			n.disk.tear(c, p, rng)
		}
		if i < sizes {
			size = c.size
		}
	}
	n.disk.resize(size)
	n.pending = nil
	n.data = n.disk.clone()
}

// survivingSizes returns how many of the pending changes count for the size: at least up to the
// last one that was synced.
func (n *node) survivingSizes(rng *rand.Rand) int {
	least := 0
	for i, c := range n.pending {
		if c.state == synced {
			least = i + 1
		}
	}
	return least + rng.IntN(len(n.pending)-least+1)
}

// tear does a write sector by sector, each with probability p.
func (p *pages) tear(c change, odds float64, rng *rand.Rand) {
	for off, data := c.off, c.data; len(data) > 0; {
		n := min(len(data), sector-int(off%sector))
		switch piece := data[:n]; {
		case odds < 1 && odds > 0 && rng.IntN(8) == 0:
			p.tearSector(piece, off, rng)
		case rng.Float64() < odds:
			p.writeAt(piece, off)
		}
		data, off = data[n:], off+int64(n)
	}
}

// tearSector writes the first bytes of piece; what follows in its sector stays or becomes garbage,
// beyond the piece too, since a disk writes nothing smaller.
func (p *pages) tearSector(piece []byte, off int64, rng *rand.Rand) {
	cut := rng.IntN(len(piece) + 1)
	p.writeAt(piece[:cut], off)
	if rng.IntN(2) == 0 {
		return
	}
	off += int64(cut)
	garbage := make([]byte, sector-off%sector)
	for i := range garbage {
		garbage[i] = byte(rng.Uint32())
	}
	p.writeAt(garbage, off)
}
