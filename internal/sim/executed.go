package sim

import (
	"encoding/binary"

	"github.com/smr-go/smr/internal/vsr"
)

// executed is the witness's own account of which requests take effect, by the letter of X1 and X2 and with nothing of
// the table that replicas keep.
type executed struct {
	processes map[string]memberProcess // of each member the one whose session is open
	sessions  map[uint64]*openSession  // open ones, by number
	at        map[request]vsr.OpNumber // all that were executed
}

// memberProcess is whose a session is: a member's memory, and how often that had been started.
type memberProcess struct {
	incarnation string
	start       uint64
	session     uint64
}

// openSession is what a session has come to: the lowest number wanted, and the highest that was executed.
type openSession struct{ floor, high uint64 }

func newExecuted() executed {
	return executed{map[string]memberProcess{}, map[uint64]*openSession{}, map[request]vsr.OpNumber{}}
}

// mostOpen is how far a session's numbers may be apart (X2).
const mostOpen = 16384

// takes says whether a committed entry's operation is executed, and takes note if it is.
func (x *executed) takes(e *vsr.Entry) bool {
	if e.Kind == vsr.OpenSession {
		x.open(e)
	}
	s, r := x.sessions[e.Session], request{e.Session, e.Request}
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

// open ends the session of the member's process before, unless this entry is a late one of an earlier process (X1).
func (x *executed) open(e *vsr.Entry) {
	n, k := binary.Uvarint(e.Body)
	id, rest := string(e.Body[k:][:n]), e.Body[k:][n:]
	start, _ := binary.Uvarint(rest[16:])
	p := memberProcess{string(rest[:16]), start, uint64(e.Op)}
	was, ok := x.processes[id]
	if ok && was.incarnation == p.incarnation && was.start >= p.start {
		return
	}
	delete(x.sessions, was.session)
	x.processes[id], x.sessions[p.session] = p, &openSession{floor: 1}
}

// kept is for how many numbers a table has room: of each session from the lowest wanted to the highest executed (X2).
func (x *executed) kept() (n int) {
	for _, s := range x.sessions {
		n += int(max(s.high+1, s.floor) - s.floor)
	}
	return n
}
