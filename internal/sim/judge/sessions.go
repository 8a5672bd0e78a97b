package judge

import (
	"encoding/binary"

	"github.com/smr-go/smr/internal/vsr"
)

// sessions is the judge's own account of the requests that take effect, by X1 and X2. It shares no code with the session
// table of replicas.
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

// openSession has the lowest number that is wanted, and the highest that was executed.
type openSession struct{ floor, high uint64 }

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
	if x.at[r] > 0 || e.Request < s.floor || e.Request >= s.floor+mostOpen {
		return false
	}
	x.at[r], s.high = e.Op, max(s.high, e.Request)
	return true
}

// begin opens a session and ends that of the member's earlier process, unless this entry is a late one of an earlier process (X1).
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
	x.processes[id], x.open[p.session] = p, &openSession{floor: 1}
}

// kept returns the number of results that a table has room for: of each session from the lowest number wanted to the
// highest executed (X2).
func (x *sessions) kept() (n int) {
	for _, s := range x.open {
		n += int(max(s.high+1, s.floor) - s.floor)
	}
	return n
}
