package vsr

import (
	"fmt"
	"math"
	"sort"
)

// tail holds the newest entries of a log in chunks: it grows without copying what it holds, and the oldest entries free
// their memory. Entries never change, so that slices of them can be handed out.
type tail struct {
	chunks []chunk // in the order of their ops, without gaps; none is empty
	before int64   // bytes of all entries ever appended, before those in memory
}

// chunk is a part of a tail.
type chunk struct {
	entries []Entry
	ends    []int64 // ends[i] is the bytes of all entries ever appended, up to entries[i]. len(ends) == len(entries)
	begin   int64   // the same, before the first entry that the chunk had before it was trimmed
}

// Limits of chunks. Entries that were trimmed stay in memory as long as others of their chunk do.
const (
	firstChunk   = 16      // entries that the first chunk has room for; each later one has room for twice as many as the one before
	grownChunk   = 64      // entries up to which a chunk grows by being copied, and from which on adopted entries are a chunk
	chunkEntries = 4096    // entries that a chunk has room for
	chunkBytes   = 1 << 20 // bytes at which a chunk takes no more entries
)

func (c *chunk) first() OpNumber { return c.entries[0].Op }
func (c *chunk) last() OpNumber  { return c.entries[len(c.entries)-1].Op }
func (c *chunk) end() int64      { return c.ends[len(c.ends)-1] }

// closed reports whether a chunk takes no more entries.
func (c *chunk) closed() bool {
	n := len(c.entries)
	return n == cap(c.entries) && n >= grownChunk || c.end()-c.begin >= chunkBytes
}

// empty reports whether no entry is in memory.
func (t *tail) empty() bool { return len(t.chunks) == 0 }

// end returns the bytes of all entries ever appended.
func (t *tail) end() int64 {
	if t.empty() {
		return t.before
	}
	return t.chunks[len(t.chunks)-1].end()
}

// bytes returns the bytes of the entries in memory.
func (t *tail) bytes() int64 { return t.end() - t.before }

// all returns the entries in memory, in order.
func (t *tail) all() func(yield func(*Entry) bool) {
	return func(yield func(*Entry) bool) {
		for i := range t.chunks {
			for j := range t.chunks[i].entries {
				if !yield(&t.chunks[i].entries[j]) {
					return
				}
			}
		}
	}
}

// add appends a copy of an entry.
func (t *tail) add(e *Entry) {
	n, end := len(t.chunks), t.end()
	if n == 0 || t.chunks[n-1].closed() {
		size := firstChunk
		if n > 0 {
			size = min(2*cap(t.chunks[n-1].entries), chunkEntries)
		}
		t.chunks = append(t.chunks, chunk{make([]Entry, 0, size), make([]int64, 0, size), end})
		n++
	}
	c := &t.chunks[n-1]
	c.entries, c.ends = append(c.entries, *e), append(c.ends, end+e.size())
}

// adopt appends entries, whose memory becomes a part of the tail unless they are few.
func (t *tail) adopt(entries []Entry) {
	if len(entries) < grownChunk {
		for i := range entries {
			t.add(&entries[i])
		}
		return
	}
	c := chunk{entries[:len(entries):len(entries)], make([]int64, len(entries)), t.end()}
	end := c.begin
	for i := range entries {
		end += entries[i].size()
		c.ends[i] = end
	}
	t.chunks = append(t.chunks, c)
}

// find returns the chunk that holds op, which is in memory, and its place there.
func (t *tail) find(op OpNumber) (chunk, place int) {
	i := len(t.chunks) - 1
	if op < t.chunks[i].first() {
		i = sort.Search(i, func(i int) bool { return t.chunks[i].first() > op }) - 1
	}
	return i, int(op - t.chunks[i].first())
}

// endAt returns the bytes of all entries ever appended, up to op, which is in memory.
func (t *tail) endAt(op OpNumber) int64 {
	i, j := t.find(op)
	return t.chunks[i].ends[j]
}

// within returns the lowest op such that the entries above it have at most max bytes. At least one entry is in memory.
func (t *tail) within(max int64) OpNumber {
	least := t.end() - max
	i := sort.Search(len(t.chunks)-1, func(i int) bool { return t.chunks[i].end() >= least })
	c := &t.chunks[i]
	return c.first() + OpNumber(sort.Search(len(c.ends)-1, func(j int) bool { return c.ends[j] >= least }))
}

// list returns the entries from op up to to, both in memory, at most max bytes of them but at least one. It copies them
// if they are not in one chunk.
func (t *tail) list(op, to OpNumber, max int64) []Entry {
	i, j := t.find(op)
	c := &t.chunks[i]
	limit := int64(math.MaxInt64)
	if before := c.ends[j] - c.entries[j].size(); max < math.MaxInt64-before {
		limit = before + max
	}
	list := c.upTo(j, to, limit)
	for c.last() < to && i+1 < len(t.chunks) && t.chunks[i+1].ends[0] <= limit {
		i++
		c = &t.chunks[i]
		list = append(list, c.upTo(0, to, limit)...)
	}
	return list
}

// upTo returns the entries of a chunk from the j-th on, up to op to, as long as their ends are within limit; at least one.
func (c *chunk) upTo(j int, to OpNumber, limit int64) []Entry {
	n := int(min(to, c.last()) - c.entries[j].Op + 1)
	if c.ends[j+n-1] > limit {
		n = atLeast(sort.Search(n, func(k int) bool { return c.ends[j+k] > limit }), 1)
	}
	return c.entries[j : j+n : j+n]
}

// cut drops the entries above op. Slices that were handed out stay valid: the next entry is put into new memory.
func (t *tail) cut(op OpNumber) {
	n := len(t.chunks)
	for n > 0 && t.chunks[n-1].first() > op {
		n--
	}
	clear(t.chunks[n:])
	t.chunks = t.chunks[:n]
	if n == 0 || t.chunks[n-1].last() <= op {
		return
	}
	c := &t.chunks[n-1]
	keep := int(op - c.first() + 1)
	c.entries, c.ends = c.entries[:keep:keep], c.ends[:keep:keep]
}

// trim drops the entries up to op.
func (t *tail) trim(op OpNumber) {
	n := 0
	for n < len(t.chunks) && t.chunks[n].last() <= op {
		t.before = t.chunks[n].end()
		n++
	}
	clear(t.chunks[:n])
	if t.chunks = t.chunks[n:]; t.empty() || t.chunks[0].first() > op {
		return
	}
	c := &t.chunks[0]
	drop := int(op - c.first() + 1)
	t.before = c.ends[drop-1]
	c.entries, c.ends = c.entries[drop:], c.ends[drop:]
}

// check returns an error unless the entries are in order, with the bytes that are counted.
func (t *tail) check() error {
	end, op := t.before, OpNumber(0)
	for i := range t.chunks {
		c := &t.chunks[i]
		if len(c.entries) == 0 || len(c.entries) != len(c.ends) || c.begin > end {
			return fmt.Errorf("a chunk of %d entries has %d ends, and begins at %d of %d bytes", len(c.entries), len(c.ends), c.begin, end)
		}
		for j := range c.entries {
			e := &c.entries[j]
			if end += e.size(); c.ends[j] != end || op > 0 && e.Op != op+1 {
				return fmt.Errorf("entry %v is in memory after op %d, and ends at byte %d, not %d", e.Stamp(), op, c.ends[j], end)
			}
			op = e.Op
		}
	}
	return nil
}
