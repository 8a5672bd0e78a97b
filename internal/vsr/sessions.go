package vsr

import (
	"encoding/binary"
	"errors"
	"slices"
)

// Sessions is the table of sessions, which makes requests take effect once (X1 to X3). It is part
// of the replicated state: it is the same at the same op on all replicas, and in every snapshot.
// The goroutine that applies entries owns it; it is not safe for concurrent use.
type Sessions struct {
	rows []session // in the order in which members first opened one
}

// session is the latest session that a member has opened.
type session struct {
	id          string
	incarnation Incarnation
	start       uint64
	number      uint64   // op of the entry that opened it
	floor       uint64   // requests below it are not executed, and their results are not kept
	results     []result // results of floor, floor+1, …
}

type result struct {
	done  bool
	value []byte
}

// Begin reports whether the entry's operation must be executed. It is false for an OpenSession
// entry, whose session Begin opens, and for a request that was executed before, is below the floor,
// or belongs to a session that has ended.
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

// Finish records the result of an operation for which Begin returned true.
func (s *Sessions) Finish(e *Entry, value []byte) {
	row := s.row(e.Session)
	for uint64(len(row.results)) <= e.Request-row.floor {
		row.results = append(row.results, result{})
	}
	row.results[e.Request-row.floor] = result{true, value}
}

// Result returns the result of a request if it was executed and is above the floor.
func (s *Sessions) Result(number, request uint64) ([]byte, bool) {
	row := s.row(number)
	if row == nil || request < row.floor || !row.done(request) {
		return nil, false
	}
	return row.results[request-row.floor].value, true
}

// Kept returns the number of results for which the table has room: for each session, from the floor
// to the highest known request.
func (s *Sessions) Kept() (n int) {
	for i := range s.rows {
		n += len(s.rows[i].results)
	}
	return n
}

// Opened returns the session of a member's process, or 0 if it has none.
func (s *Sessions) Opened(id string, inc Incarnation, start uint64) uint64 {
	for i := range s.rows {
		if x := &s.rows[i]; x.id == id && x.incarnation == inc && x.start == start {
			return x.number
		}
	}
	return 0
}

// row returns the row of a session, or nil if the session has ended.
func (s *Sessions) row(number uint64) *session {
	for i := range s.rows {
		if s.rows[i].number == number && number != 0 {
			return &s.rows[i]
		}
	}
	return nil
}

// open begins a session, unless the entry is a late copy from an earlier process of the member
// (X1).
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

// raise raises the floor and drops the results below it.
func (x *session) raise(floor uint64) {
	if floor <= x.floor {
		return
	}
	n := min(floor-x.floor, uint64(len(x.results)))
	clear(x.results[:n])
	if n == uint64(len(x.results)) {
		x.results = x.results[:0] // reuse the memory
	} else {
		x.results = x.results[n:]
	}
	x.floor = floor
}

// Clone returns a copy that later changes do not affect. The copy shares the values, which never
// change.
func (s *Sessions) Clone() Sessions {
	c := Sessions{slices.Clone(s.rows)}
	for i := range c.rows {
		c.rows[i].results = slices.Clone(c.rows[i].results)
	}
	return c
}

// appendSession appends the body of an OpenSession entry: ID, incarnation and start number.
func appendSession(b []byte, id string, inc Incarnation, start uint64) []byte {
	b = append(appendString(b, id), inc[:]...)
	return binary.AppendUvarint(b, start)
}

func cutSession(b []byte) (id string, inc Incarnation, start uint64, ok bool) {
	id, b, ok = cutString(b)
	if !ok || len(b) < len(inc) {
		return "", inc, 0, false
	}
	n := copy(inc[:], b)
	start, k := binary.Uvarint(b[n:])
	return id, inc, start, k > 0 && n+k == len(b)
}

// Append appends the encoding of the table: the count of rows, then each row's fields and results.
// A result is encoded as 0 if there is none, and as n+1 and the value if it has n bytes.
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

// DecodeSessions decodes the result of Append.
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

// decoder decodes fields. After the first that does not parse, bad is set and every field is zero.
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

// count decodes the number of elements that follow and take at least size bytes each.
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
