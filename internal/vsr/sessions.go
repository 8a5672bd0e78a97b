package vsr

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
)

// Sessions is the table of sessions, which makes requests take effect once (X1 to X3). It is part
// of the replicated state: it is the same at the same op on all replicas, and in every snapshot.
// The goroutine that applies entries owns it; it is not safe for concurrent use.
type Sessions struct {
	// Window limits the bytes of the results that the table keeps for each session (X2). It is the
	// same on all replicas. 0: SessionWindow.
	Window int64

	rows []session // in the order in which members first opened one
}

// SessionWindow is the number of bytes of results that the table keeps for a session, and so the
// size of the largest result: twice that of the largest operation, so that an operation may return what
// another has stored. With a row for each member the table has at most MaxVoters times as many.
const SessionWindow = 2 * MaxBody

func (s *Sessions) window() int64 { return cmp.Or(s.Window, SessionWindow) }

func (r *Replica) resultWindow() int64 { return cmp.Or(r.cfg.Results, SessionWindow) }

// session is the latest session that a member has opened.
type session struct {
	id          string
	incarnation Incarnation
	start       uint64
	number      uint64   // op of the entry that opened it
	floor       uint64   // requests below it are not executed, and their results are not kept
	results     []result // results of floor, floor+1, …; len(results) <= SessionLimit
	bytes       int64    // of the values of results; bytes <= Sessions.window()
}

type result struct {
	known Known
	value []byte // nil unless it is Kept
}

// Known is what the table knows of a request.
type Known uint8

// What the table knows of a request. The values are in snapshots.
const (
	Nothing  Known = iota // it was not executed, or is below the floor, or its session has ended
	TooLarge              // it was executed, and its result is larger than the session's window
	NotKept               // it was executed when the results of others filled the window
	Kept                  // it was executed, and its result is there
)

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

// Finish records the result of an operation for which Begin returned true, and returns what the
// table knows of it: a result that exceeds the window is not kept (X2).
func (s *Sessions) Finish(e *Entry, value []byte) Known {
	row := s.row(e.Session)
	for uint64(len(row.results)) <= e.Request-row.floor {
		row.results = append(row.results, result{})
	}
	r := result{Kept, value}
	switch size := int64(len(value)); {
	case size > s.window():
		r = result{known: TooLarge}
	case row.bytes+size > s.window():
		r = result{known: NotKept}
	}
	row.bytes += int64(len(r.value))
	row.results[e.Request-row.floor] = r
	return r.known
}

// Result returns what the table knows of a request, and its result if that is kept.
func (s *Sessions) Result(number, request uint64) ([]byte, Known) {
	row := s.row(number)
	if row == nil || request < row.floor || !row.done(request) {
		return nil, Nothing
	}
	r := &row.results[request-row.floor]
	return r.value, r.known
}

// Kept returns the number of results for which the table has room: for each session, from the floor
// to the highest known request.
func (s *Sessions) Kept() (n int) {
	for i := range s.rows {
		n += len(s.rows[i].results)
	}
	return n
}

// Bytes returns the bytes of the results that the table keeps.
func (s *Sessions) Bytes() (n int64) {
	for i := range s.rows {
		n += s.rows[i].bytes
	}
	return n
}

// Check returns an error if a row exceeds its limits (11.10).
func (s *Sessions) Check() error {
	for i := range s.rows {
		if x := &s.rows[i]; x.bytes < 0 || x.bytes > s.window() || len(x.results) > SessionLimit {
			return fmt.Errorf("11.10: the session of %s keeps %d results of %d bytes, not %d of %d at most", x.id, len(x.results), x.bytes, SessionLimit, s.window())
		}
	}
	return nil
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

// Started returns the start number of the member's latest session under that incarnation, or 0 if it
// has none.
func (s *Sessions) Started(id string, inc Incarnation) uint64 {
	for i := range s.rows {
		if x := &s.rows[i]; x.id == id && x.incarnation == inc {
			return x.start
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
	return i < uint64(len(x.results)) && x.results[i].known != Nothing
}

// raise raises the floor and drops the results below it.
func (x *session) raise(floor uint64) {
	if floor <= x.floor {
		return
	}
	n := min(floor-x.floor, uint64(len(x.results)))
	for i := range x.results[:n] {
		x.bytes -= int64(len(x.results[i].value))
	}
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
	c := Sessions{s.Window, slices.Clone(s.rows)}
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

// WriteTo writes the table: the count of rows, then each row's fields and results. A result is
// encoded as its Known; one that is kept and has n bytes, as Kept+n and the value. At most one result
// is in memory twice.
func (s *Sessions) WriteTo(w io.Writer) (n int64, err error) {
	out := tableWriter{w: w}
	out.b = binary.AppendUvarint(out.b, uint64(len(s.rows)))
	for i := range s.rows {
		x := &s.rows[i]
		out.b = appendSession(out.b, x.id, x.incarnation, x.start)
		out.b = binary.AppendUvarint(out.b, x.number)
		out.b = binary.AppendUvarint(out.b, x.floor)
		out.b = binary.AppendUvarint(out.b, uint64(len(x.results)))
		for _, r := range x.results {
			out.b = append(binary.AppendUvarint(out.b, uint64(r.known)+uint64(len(r.value))), r.value...)
			out.flush(tablePiece)
		}
	}
	out.flush(0)
	return out.n, out.err
}

// tablePiece is the number of bytes of the table that are read and written at a time.
const tablePiece = 32 << 10

// tableWriter gathers small writes. After the first error it writes nothing.
type tableWriter struct {
	w   io.Writer
	b   []byte
	n   int64
	err error
}

// flush writes the gathered bytes if there are more than limit bytes.
func (t *tableWriter) flush(limit int) {
	if len(t.b) <= limit || t.err != nil {
		return
	}
	n, err := t.w.Write(t.b)
	t.n, t.err = t.n+int64(n), err
	t.b = t.b[:0]
	if cap(t.b) > 2*tablePiece {
		t.b = nil // it held a large result
	}
}

var errSessions = errors.New("session table does not parse")

// TableReader is what ReadSessions reads from, for instance a bufio.Reader.
type TableReader interface {
	io.Reader
	io.ByteReader
}

// ReadSessions reads a table that WriteTo wrote, and nothing behind it. It allocates memory in
// proportion to the bytes that it has read, even if they are damaged.
func ReadSessions(r TableReader) (s Sessions, err error) {
	d := decoder{r: r}
	for range d.uvarint() {
		x := session{id: string(d.bytes(d.uvarint()))}
		copy(x.incarnation[:], d.bytes(uint64(len(x.incarnation))))
		x.start, x.number, x.floor = d.uvarint(), d.uvarint(), d.uvarint()
		x.results = d.results()
		for i := range x.results {
			x.bytes += int64(len(x.results[i].value))
		}
		if d.err != nil {
			break
		}
		s.rows = append(s.rows, x)
	}
	if d.err != nil {
		return Sessions{}, d.err
	}
	return s, nil
}

// decoder decodes fields. After the first that fails, err is set and every field is zero.
type decoder struct {
	r   TableReader
	err error
}

// fail records the first error. An early end of the input is an error of the table, since the fields
// before it state how much follows.
func (d *decoder) fail(err error) {
	switch {
	case d.err != nil:
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		d.err = errSessions
	default:
		d.err = err
	}
}

func (d *decoder) uvarint() uint64 {
	if d.err != nil {
		return 0
	}
	v, err := binary.ReadUvarint(d.r)
	if err != nil {
		d.fail(err)
		return 0
	}
	return v
}

// results decodes the results of a row.
func (d *decoder) results() (results []result) {
	count := d.uvarint()
	if count > SessionLimit {
		d.fail(errSessions)
	}
	for i := uint64(0); i < count && d.err == nil; i++ {
		n := d.uvarint()
		r := result{known: Known(min(n, uint64(Kept)))}
		if r.known == Kept {
			r.value = d.bytes(n - uint64(Kept))
		}
		results = append(results, r)
	}
	return results
}

// bytes decodes n bytes, piece by piece: n may come from damaged data.
func (d *decoder) bytes(n uint64) (b []byte) {
	for d.err == nil && uint64(len(b)) < n {
		piece := int(min(n-uint64(len(b)), uint64(max(len(b), tablePiece))))
		at := len(b)
		b = append(b, make([]byte, piece)...)
		if _, err := io.ReadFull(d.r, b[at:]); err != nil {
			d.fail(err)
			return nil
		}
	}
	return b
}
