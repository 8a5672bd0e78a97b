package vfs

import (
	"io"
	"slices"
)

// pageSize is the unit in which Mem allocates memory.
const pageSize = 4 << 10

// pages is the content of a file in memory. A page that was never written is nil and reads as
// zeros. Pages are zero from size on.
type pages struct {
	size   int64
	page   [][]byte
	shared []bool // whether a clone shares the page, which must then be copied before it changes
}

func (p *pages) readAt(b []byte, off int64) (int, error) {
	n := 0
	for n < len(b) && off < p.size {
		want := b[n:min(int64(len(b)), int64(n)+p.size-off)]
		n += p.readPage(want, off)
		off += int64(min(len(want), pageSize-int(off%pageSize)))
	}
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

// readPage reads the part of b that lies in one page.
func (p *pages) readPage(b []byte, off int64) int {
	at := int(off % pageSize)
	b = b[:min(len(b), pageSize-at)]
	page := p.page[off/pageSize]
	if page == nil {
		clear(b)
		return len(b)
	}
	return copy(b, page[at:])
}

func (p *pages) writeAt(b []byte, off int64) {
	if end := off + int64(len(b)); len(b) > 0 && end > p.size {
		p.resize(end)
	}
	if len(b) > pageSize {
		p.fill(int(off/pageSize), int((off+int64(len(b))-1)/pageSize))
	}
	for len(b) > 0 {
		n := copy(p.own(int(off / pageSize))[off%pageSize:], b)
		b, off = b[n:], off+int64(n)
	}
}

// fill allocates the missing pages from first to last in one piece.
func (p *pages) fill(first, last int) {
	missing := 0
	for i := first; i <= last; i++ {
		if p.page[i] == nil {
			missing++
		}
	}
	piece := make([]byte, missing*pageSize)
	for i := first; i <= last; i++ {
		if p.page[i] == nil {
			p.page[i], piece = piece[:pageSize:pageSize], piece[pageSize:]
		}
	}
}

// own returns page i for modification.
func (p *pages) own(i int) []byte {
	switch {
	case p.page[i] == nil:
		p.page[i] = make([]byte, pageSize)
	case p.shared[i]:
		p.page[i] = append(make([]byte, 0, pageSize), p.page[i]...)
	}
	p.shared[i] = false
	return p.page[i]
}

// resize truncates the content, or extends it with zeros.
func (p *pages) resize(size int64) {
	count := int((size + pageSize - 1) / pageSize)
	for len(p.page) < count {
		p.page, p.shared = append(p.page, nil), append(p.shared, false)
	}
	clear(p.page[count:])
	clear(p.shared[count:])
	p.page, p.shared = p.page[:count], p.shared[:count]
	if at := size % pageSize; size < p.size && at > 0 && p.page[count-1] != nil {
		clear(p.own(count - 1)[at:])
	}
	p.size = size
}

// writtenTo returns the end of the last page that was written, or the size if that is lower.
func (p *pages) writtenTo() int64 {
	n := len(p.page)
	for n > 0 && p.page[n-1] == nil {
		n--
	}
	return min(int64(n)*pageSize, p.size)
}

// clone returns a copy, which shares pages until either side modifies them.
func (p *pages) clone() pages {
	for i := range p.shared {
		p.shared[i] = p.page[i] != nil
	}
	return pages{size: p.size, page: slices.Clone(p.page), shared: slices.Clone(p.shared)}
}
