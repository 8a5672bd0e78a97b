package vfs

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
)

// sector is the unit of disk writes: a crash may leave each sector of an unsynced write old, new,
// or torn.
const sector = 512

// ErrCrashed is the error of a handle that was opened before a crash.
var ErrCrashed = errors.New("opened before the crash")

// change is a change of a file's content that may not be durable yet, with the data to undo it.
type change struct {
	off     int64
	data    []byte
	size    int64 // size of the file after the change
	resized bool  // whether the change sets the size and is not a write
	state   changeState

	before int64  // size of the file before the change
	old    []byte // content at off that was overwritten or cut off, without trailing zeros if it was cut off
}

type changeState uint8

const (
	waiting changeState = iota // not synced yet
	lost                       // its sync failed; no later one makes it durable (F12)
	synced                     // durable, but follows a lost change
)

// noteWrite records a write before it is done.
func (n *node) noteWrite(b []byte, off int64) {
	c := change{off: off, size: max(n.data.size, off+int64(len(b))), before: n.data.size}
	c.data = n.keep(len(b))
	copy(c.data, b)
	c.old = n.keep(int(max(0, min(int64(len(b)), n.data.size-off))))
	n.data.readAt(c.old, off)
	n.pending = append(n.pending, c)
}

// noteResize records a change of size before it is done.
func (n *node) noteResize(size int64) {
	c := change{off: size, size: size, resized: true, before: n.data.size}
	if end := n.data.writtenTo(); size < end {
		old := spare.Get().(*[]byte)
		b := slices.Grow((*old)[:0], int(end-size))[:end-size]
		n.data.readAt(b, size)
		c.old = bytes.Clone(bytes.TrimRight(b, "\x00"))
		*old = b[:0]
		spare.Put(old)
	}
	n.pending = append(n.pending, c)
}

// spare holds memory for pending changes. Most changes are synced soon, and a file without pending
// changes keeps no such memory.
var spare = sync.Pool{New: func() any { return new([]byte) }}

// keep returns size bytes of the memory of the pending changes.
func (n *node) keep(size int) []byte {
	if n.kept == nil {
		n.kept = spare.Get().(*[]byte)
	}
	start := len(*n.kept)
	all := slices.Grow(*n.kept, size)[:start+size]
	*n.kept = all
	return all[start:len(all):len(all)]
}

// giveBack returns the memory of the pending changes once there are none.
func (n *node) giveBack() {
	if n.kept != nil {
		*n.kept = (*n.kept)[:0]
		spare.Put(n.kept)
		n.kept = nil
	}
}

// settle makes the waiting changes durable, as a successful sync does.
func (n *node) settle() {
	for i := range n.pending {
		if n.pending[i].state == waiting {
			n.pending[i].state = synced
		}
	}
	done := 0
	for done < len(n.pending) && n.pending[done].state == synced {
		done++
	}
	n.pending = slices.Delete(n.pending, 0, done)
	if len(n.pending) == 0 {
		n.giveBack()
	}
}

// forget marks the waiting changes as lost, as a failed sync does.
func (n *node) forget() {
	for i := range n.pending {
		if n.pending[i].state == waiting {
			n.pending[i].state = lost
		}
	}
}

// damageDisk sets the byte at off in the durable content of the file, beneath the pending changes.
// The caller has already set it in the current content.
func (n *node) damageDisk(x byte, off int64) {
	for i := range n.pending {
		c := &n.pending[i]
		switch at := off - c.off; {
		case off >= c.before:
			return // the file on disk is shorter
		case at >= 0 && at < int64(len(c.old)):
			c.old[at] = x
			return
		case at >= 0 && c.resized:
			c.old = append(c.old, make([]byte, at+1-int64(len(c.old)))...)
			c.old[at] = x
			return
		}
	}
}

// crash replaces the content by one that a power cut may leave, and makes it durable. Sizes are
// metadata, which file systems keep in order: a random prefix of their changes survives.
func (n *node) crash(rng *rand.Rand) {
	n.mu.Lock()
	defer n.mu.Unlock()
	p, sizes := odds(rng), n.survivingSizes(rng)
	disk := n.undo()
	size := disk.size
	for i, c := range n.pending {
		certain := c.state == synced
		switch {
		case c.resized && (i < sizes || certain):
			disk.resize(c.size)
		case !c.resized && certain:
			disk.writeAt(c.data, c.off)
		case !c.resized:
			disk.tear(c, p, rng)
		}
		if i < sizes {
			size = c.size
		}
	}
	disk.resize(size)
	n.pending = nil
	n.giveBack()
}

// undo undoes all pending changes and returns the resulting content.
func (n *node) undo() *pages {
	for i := len(n.pending) - 1; i >= 0; i-- {
		c := &n.pending[i]
		n.data.resize(c.before)
		n.data.writeAt(c.old, c.off)
	}
	return &n.data
}

// survivingSizes returns the number of pending changes whose sizes survive: a random one, but at
// least up to the last synced change.
func (n *node) survivingSizes(rng *rand.Rand) int {
	least := 0
	for i, c := range n.pending {
		if c.state == synced {
			least = i + 1
		}
	}
	return least + rng.IntN(len(n.pending)-least+1)
}

// tear applies a write sector by sector, each with probability odds.
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

// tearSector writes the first bytes of piece. The rest of the sector, including bytes after the
// piece, stays or becomes garbage, because a disk writes whole sectors.
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
