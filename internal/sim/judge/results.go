package judge

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"maps"

	"github.com/smr-go/smr/internal/excerpt"
	"github.com/smr-go/smr/internal/vsr"
)

// Outcome is what an op did at a replica.
type Outcome struct {
	Executed bool
	Kept     int    // results that the session table has room for
	Bytes    int64  // of the results that it keeps
	Result   []byte // of an operation that was executed
	Digest   uint64 // of the state after it
}

// execute has the reference take the next committed entry.
func (j *Judge) execute(e *vsr.Entry) (err error) {
	out := Outcome{Executed: j.table.takes(e)}
	if out.Result, out.Digest, err = j.config.Reference.Commit(e, out.Executed); err != nil {
		return err
	}
	if !out.Executed {
		out.Result, out.Digest = nil, j.results[len(j.results)-1].Digest
	}
	if out.Executed {
		j.table.keep(e, int64(len(out.Result)), cmp.Or(j.config.Results, vsr.SessionWindow))
	}
	out.Kept, out.Bytes = j.table.kept()
	out.Result = bytes.Clone(out.Result)
	j.results = append(j.results, out)
	if !out.Executed {
		return nil
	}
	j.executed++
	if j.refused[request{e.Session, e.Request}] || j.denied[string(e.Body)] {
		return violates("X4", "%s is executed at op %d; its caller was told that it never would be", excerpt.Of(e.Body),
			e.Op)
	}
	if !j.config.Distinct {
		return nil
	}
	if at, ok := j.bodies[string(e.Body)]; ok {
		return violates("11.7", "%s is executed at op %d and, under another number, at op %d", excerpt.Of(e.Body), at,
			e.Op)
	}
	j.bodies[string(e.Body)] = e.Op
	return nil
}

// Applied reports what a member's applier did with the next entry of its log.
func (j *Judge) Applied(i int, e *vsr.Entry, got Outcome) error {
	m := &j.members[i]
	switch {
	case int(e.Op) >= len(j.results):
		return violates("11.1", "%s: op %d was applied and is not committed: that ends at %d", m.id, e.Op,
			len(j.results)-1)
	case e.Op != m.applied+1:
		return violates("N7", "%s: op %d is applied after op %d", m.id, e.Op, m.applied)
	case e.Stamp() != j.ledger.committed[e.Op]:
		return violates("11.2", "%s: op %d was applied as %v and is committed as %v", m.id, e.Op, e.Stamp(),
			j.ledger.committed[e.Op])
	}
	m.applied = e.Op
	want := &j.results[e.Op]
	switch {
	case got.Executed != want.Executed:
		return violates("11.7", "%s: op %d executed: %v; by the log: %v", m.id, e.Op, got.Executed, want.Executed)
	case got.Kept != want.Kept || got.Bytes != want.Bytes:
		return violates("11.10", "%s: after op %d the session table has %d results and keeps %d bytes of them, not %d "+
			"and %d (X2)", m.id, e.Op, got.Kept, got.Bytes, want.Kept, want.Bytes)
	case !bytes.Equal(got.Result, want.Result):
		one, two := excerpt.Apart(got.Result, want.Result)
		return j.differs(m, e, "it returned %s, and another machine with the same history %s", one, two)
	case got.Executed && got.Digest != want.Digest:
		return j.differs(m, e, "it led to a state with digest %x, and another machine with the same history is in one "+
			"with %x", got.Digest, want.Digest)
	}
	return nil
}

// differs is the violation of 11.8, at an operation.
func (j *Judge) differs(m *member, e *vsr.Entry, format string, args ...any) error {
	v := violates("11.8", m.id+": "+j.config.Describe(e)+": "+format, args...).(*Violation)
	v.Op = uint64(e.Op)
	return v
}

// Restored reports that a member's state was restored from a snapshot at op, and has that digest.
func (j *Judge) Restored(i int, op vsr.OpNumber, digest uint64) error {
	m := &j.members[i]
	if int(op) >= len(j.results) {
		return violates("C3", "%s: snapshot at op %d, and only %d ops are committed", m.id, op, len(j.results)-1)
	}
	m.applied = op
	if want := j.results[op].Digest; digest != want {
		return violates("11.8", "%s: a state restored from the snapshot after op %d has digest %x, and the one that "+
			"it was taken of %x", m.id, op, digest, want)
	}
	return nil
}

// sessions is the judge's own account of the requests that take effect, by X1 and X2. It shares no code with the
// session table of replicas.
type sessions struct {
	processes map[string]memberProcess // by member: the one whose session is open
	open      map[uint64]*openSession  // by number
	at        map[request]vsr.OpNumber // of every request that was executed
}

// memberProcess is the owner of a session: one start of a member's memory.
type memberProcess struct {
	incarnation string
	start       uint64
	session     uint64
}

// openSession has the lowest number that is wanted, the highest that was executed, and the sizes of the results that
// are kept by their number.
type openSession struct {
	floor, high uint64
	sizes       map[uint64]int64
}

// request names a caller's proposal.
type request struct{ session, number uint64 }

func newSessions() sessions {
	return sessions{map[string]memberProcess{}, map[uint64]*openSession{}, map[request]vsr.OpNumber{}}
}

// mostOpen is the largest distance between a session's open numbers (X2).
const mostOpen = 16384

// takes reports whether a committed entry's operation is executed, and records it if so.
func (x *sessions) takes(e *vsr.Entry) bool {
	if e.Kind == vsr.OpenSession {
		x.begin(e)
	}
	s, r := x.open[e.Session], request{e.Session, e.Request}
	if e.Kind != vsr.Command || s == nil {
		return false
	}
	s.floor = max(s.floor, e.Floor)
	maps.DeleteFunc(s.sizes, func(number uint64, _ int64) bool { return number < s.floor })
	if x.at[r] > 0 || e.Request < s.floor || e.Request >= s.floor+mostOpen {
		return false
	}
	x.at[r], s.high = e.Op, max(s.high, e.Request)
	return true
}

// begin opens a session and ends that of the member's earlier process, unless this entry is a late one of an earlier
// process (X1).
func (x *sessions) begin(e *vsr.Entry) {
	n, k := binary.Uvarint(e.Body)
	id, rest := string(e.Body[k:][:n]), e.Body[k:][n:]
	start, _ := binary.Uvarint(rest[16:])
	p := memberProcess{string(rest[:16]), start, uint64(e.Op)}
	was, ok := x.processes[id]
	if ok && was.incarnation == p.incarnation && was.start >= p.start {
		return
	}
	delete(x.open, was.session)
	x.processes[id], x.open[p.session] = p, &openSession{floor: 1, sizes: map[uint64]int64{}}
}

// keep records the size of a result. It is kept if the results of its session do not exceed the limit with it (X2).
func (x *sessions) keep(e *vsr.Entry, size, limit int64) {
	s := x.open[e.Session]
	if s.bytes()+size <= limit {
		s.sizes[e.Request] = size
	}
}

func (s *openSession) bytes() (n int64) {
	for _, size := range s.sizes {
		n += size
	}
	return n
}

// kept returns the number of results that a table has room for: of each session from the lowest number wanted to the
// highest executed (X2); and the bytes of those that it keeps.
func (x *sessions) kept() (n int, bytes int64) {
	for _, s := range x.open {
		n += int(max(s.high+1, s.floor) - s.floor)
		bytes += s.bytes()
	}
	return n, bytes
}
