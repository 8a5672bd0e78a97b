package vfs

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
)

// sector is what a disk writes at once: a crash may leave each sector of an unsynced write old,
// new, or torn.
const sector = 512

// ErrCrashed is what a handle returns that was opened before a crash.
var ErrCrashed = errors.New("opened before the crash")

// change is something done to a file's content that may not be durable yet, and how to take it back.
type change struct {
	off     int64
	data    []byte
	size    int64 // of the file, once done
	resized bool  // not a write: the size was set
	state   changeState

	before int64  // the size before
	old    []byte // what was at off, and is overwritten or cut off; less zeros at the end of what is cut off
}

type changeState uint8

const (
	waiting changeState = iota // for a sync
	lost                       // waited for a sync that failed: no later one will write it (F12)
	synced                     // durable, but done after something that was lost
)

// noteWrite remembers a write that is about to be done.
func (n *node) noteWrite(b []byte, off int64) {
	c := change{off: off, size: max(n.data.size, off+int64(len(b))), before: n.data.size}
	c.data = n.keep(len(b))
	copy(c.data, b)
	c.old = n.keep(int(max(0, min(int64(len(b)), n.data.size-off))))
	n.data.readAt(c.old, off)
	n.pending = append(n.pending, c)
}

// noteResize remembers a change of size that is about to be done.
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

// spare has memory for what waits to be synced: that is soon, most times, and a file that lives
// longer needs none.
var spare = sync.Pool{New: func() any { return new([]byte) }}

// keep returns so many bytes of the memory that pending has.
func (n *node) keep(size int) []byte {
	if n.kept == nil {
		n.kept = spare.Get().(*[]byte)
	}
	start := len(*n.kept)
	all := slices.Grow(*n.kept, size)[:start+size]
	*n.kept = all
	return all[start:len(all):len(all)]
}

// giveBack is for when nothing is pending any more.
func (n *node) giveBack() {
	if n.kept != nil {
		*n.kept = (*n.kept)[:0]
		spare.Put(n.kept)
		n.kept = nil
	}
}

// settle is a successful sync: what waits becomes durable.
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

// forget is a failed sync.
func (n *node) forget() {
	for i := range n.pending {
		if n.pending[i].state == waiting {
			n.pending[i].state = lost
		}
	}
}

// damageDisk puts a byte where the disk has one, under what is not durable. It is in the file's
// content already.
func (n *node) damageDisk(x byte, off int64) {
	for i := range n.pending {
		c := &n.pending[i]
		switch at := off - c.off; {
		case off >= c.before:
			return // the disk's file is shorter
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

// crash leaves what a power cut does of one file, durable from then on. Sizes are metadata, which
// file systems keep in order: a random prefix of their changes survives.
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

// undo takes back all that is not durable, and returns what is left.
func (n *node) undo() *pages {
	for i := len(n.pending) - 1; i >= 0; i-- {
		c := &n.pending[i]
		n.data.resize(c.before)
		n.data.writeAt(c.old, c.off)
	}
	return &n.data
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
