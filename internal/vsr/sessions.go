package vsr

import (
	"encoding/binary"
	"errors"
	"slices"
)

// Sessions is the table that makes requests take effect once (X1 to X3). It is part of the
// replicated state: the same at the same op on all replicas, and in every snapshot. Owned by
// whoever applies entries; not safe for concurrent use.
type Sessions struct {
	rows []session // in the order in which members first opened one
}

// session is a member's row: the latest session it opened.
type session struct {
	id          string
	incarnation Incarnation
	start       uint64
	number      uint64   // op of the entry that opened it
	floor       uint64   // below it nothing executes, and no result is kept
	results     []result // of floor, floor+1, …
}

type result struct {
	done  bool
	value []byte
}

// Begin says whether the entry's operation is to be executed. An OpenSession entry opens its
// session and is not; nor is a request that was executed before, is below the floor, or is of a
// session that has ended.
func (s *Sessions) Begin(e *Entry) bool {
	switch e.Kind {
	case OpenSession:
		s.open(e)
		return false
	case Command:
	default:
		return false
	}
	row := s.row(e.Session)
	if row == nil {
		return false
	}
	row.raise(e.Floor)
	return e.Request >= row.floor && e.Request-row.floor < SessionLimit && !row.done(e.Request)
}

// Finish keeps the result of an operation for which Begin said true.
func (s *Sessions) Finish(e *Entry, value []byte) {
	row := s.row(e.Session)
	for uint64(len(row.results)) <= e.Request-row.floor {
		row.results = append(row.results, result{})
	}
	row.results[e.Request-row.floor] = result{true, value}
}

// Result returns what a request of a session resulted in, if it was executed and is still wanted.
func (s *Sessions) Result(number, request uint64) ([]byte, bool) {
	row := s.row(number)
	if row == nil || request < row.floor || !row.done(request) {
		return nil, false
	}
	return row.results[request-row.floor].value, true
}

// Kept returns for how many results the table has room: of each session from the floor to the highest known.
func (s *Sessions) Kept() (n int) {
	for i := range s.rows {
		n += len(s.rows[i].results)
	}
	return n
}

// Opened returns the session of a member's process, 0 if it has none.
func (s *Sessions) Opened(id string, inc Incarnation, start uint64) uint64 {
	for i := range s.rows {
		if x := &s.rows[i]; x.id == id && x.incarnation == inc && x.start == start {
			return x.number
		}
	}
	return 0
}

// row returns the row of a session that has not ended.
func (s *Sessions) row(number uint64) *session {
	for i := range s.rows {
		if s.rows[i].number == number && number != 0 {
			return &s.rows[i]
		}
	}
	return nil
}

// open begins a session unless a late copy of an earlier process's entry asks for it (X1).
func (s *Sessions) open(e *Entry) {
	id, inc, start, ok := cutSession(e.Body)
	if !ok {
		return
	}
	fresh := session{id: id, incarnation: inc, start: start, number: uint64(e.Op), floor: 1}
	i := slices.IndexFunc(s.rows, func(x session) bool { return x.id == id })
	switch {
	case i < 0:
		s.rows = append(s.rows, fresh)
	case s.rows[i].incarnation != inc || s.rows[i].start < start:
		s.rows[i] = fresh
	}
}

func (x *session) done(request uint64) bool {
	i := request - x.floor
	return i < uint64(len(x.results)) && x.results[i].done
}

// raise drops the results that are no longer wanted.
func (x *session) raise(floor uint64) {
	if floor <= x.floor {
		return
	}
	n := min(floor-x.floor, uint64(len(x.results)))
	clear(x.results[:n])
	if n == uint64(len(x.results)) {
		x.results = x.results[:0] // its memory is used again
	} else {
		x.results = x.results[n:]
	}
	x.floor = floor
}

// Clone returns a copy that later changes do not show in; values are shared, they never change.
func (s *Sessions) Clone() Sessions {
	c := Sessions{slices.Clone(s.rows)}
	for i := range c.rows {
		c.rows[i].results = slices.Clone(c.rows[i].results)
	}
	return c
}

// Append writes the table: the count of rows, then of each its fields and its results, where 0
// stands for none and n+1 for a value of n bytes.
func (s *Sessions) Append(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(len(s.rows)))
	for i := range s.rows {
		x := &s.rows[i]
		b = appendSession(b, x.id, x.incarnation, x.start)
		b = binary.AppendUvarint(b, x.number)
		b = binary.AppendUvarint(b, x.floor)
		b = binary.AppendUvarint(b, uint64(len(x.results)))
		for _, r := range x.results {
			if !r.done {
				b = append(b, 0)
				continue
			}
			b = append(binary.AppendUvarint(b, uint64(len(r.value))+1), r.value...)
		}
	}
	return b
}

var errSessions = errors.New("session table does not parse")

// DecodeSessions reads what Append wrote.
func DecodeSessions(b []byte) (s Sessions, err error) {
	d := decoder{b: b}
	for range d.count(20) {
		x := session{id: string(d.bytes(d.uvarint()))}
		copy(x.incarnation[:], d.bytes(uint64(len(x.incarnation))))
		x.start, x.number, x.floor = d.uvarint(), d.uvarint(), d.uvarint()
		for range d.count(1) {
			switch n := d.uvarint(); n {
			case 0:
				x.results = append(x.results, result{})
			default:
				x.results = append(x.results, result{true, slices.Clone(d.bytes(n - 1))})
			}
		}
		if len(x.results) > SessionLimit {
			return Sessions{}, errSessions
		}
		s.rows = append(s.rows, x)
	}
	if d.bad || len(d.b) > 0 {
		return Sessions{}, errSessions
	}
	return s, nil
}

// decoder reads fields; after the first that does not parse it is bad and gives zeros.
type decoder struct {
	b   []byte
	bad bool
}

func (c *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(c.b)
	if n <= 0 || c.bad {
		c.bad, c.b = true, nil
		return 0
	}
	c.b = c.b[n:]
	return v
}

// count reads a number of things that take at least size bytes each.
func (c *decoder) count(size uint64) uint64 {
	n := c.uvarint()
	if n > uint64(len(c.b))/size {
		c.bad, c.b = true, nil
		return 0
	}
	return n
}

func (c *decoder) bytes(n uint64) []byte {
	if n > uint64(len(c.b)) {
		c.bad, c.b = true, nil
		return nil
	}
	v := c.b[:n:n]
	c.b = c.b[n:]
	return v
}
