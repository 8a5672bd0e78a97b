package vfs

import "io"

// pageSize is the unit in which Mem takes memory.
const pageSize = 32 << 10

// pages is the content of a file in memory. A page that was never written is nil and reads as
// zeros. What a page holds at and above size is zero.
type pages struct {
	size int64
	page [][]byte
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

// readPage reads what one page has of b.
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
	for len(b) > 0 {
		i := off / pageSize
		if p.page[i] == nil {
			p.page[i] = make([]byte, pageSize)
		}
		n := copy(p.page[i][off%pageSize:], b)
		b, off = b[n:], off+int64(n)
	}
}

// resize cuts, or extends with zeros.
func (p *pages) resize(size int64) {
	count := int((size + pageSize - 1) / pageSize)
	for len(p.page) < count {
		p.page = append(p.page, nil)
	}
	clear(p.page[count:])
	p.page = p.page[:count]
	if at := size % pageSize; size < p.size && at > 0 && p.page[count-1] != nil {
		clear(p.page[count-1][at:])
	}
	p.size = size
}

func (p *pages) clone() pages {
	c := pages{size: p.size, page: make([][]byte, len(p.page))}
	for i, page := range p.page {
		if page != nil {
			c.page[i] = append([]byte(nil), page...)
		}
	}
	return c
}
