package vsr

import (
	"errors"
	"time"
)

// The errors of Propose and Settled. With ErrFull and ErrShort the replica could not apply the operation, and so would
// not learn its result; with ErrNoSpace nothing can be committed (F13).
var (
	ErrOverloaded = errors.New("too many operations are waiting") // the window is full
	ErrFull       = errors.New("this replica's disk is full, and no operations are saved until there is space")
	ErrShort      = errors.New("operations cannot be saved here") // the problem tells what the system is short of
	ErrNoSpace    = errors.New("too many members cannot save operations")
)

// Settled reports that every attempt of a proposal was rejected, so that it will never be applied
// (X4).
type Settled struct {
	Request uint64
	Err     error
}

// request is a proposal of this replica's callers whose result is not known.
type request struct {
	body     []byte
	attempts []uint64  // attempts that were not rejected, each <= requests.attempt; 0 stands for an entry in this replica's own log
	view     View      // of the latest attempt
	tries    int       // attempts in that view
	inFlight bool      // the latest attempt is not overdue
	retryAt  time.Time // when it becomes overdue
}

// newRequest returns a request with memory for one attempt, which is all that most need.
func newRequest(body []byte) *request {
	w := &struct {
		request
		first [1]uint64
	}{request: request{body: body}}
	w.attempts = w.first[:0]
	return &w.request
}

// requests holds the proposals of this replica's callers, which form one session of the member's
// process (X1). Callers see none of its numbers.
type requests struct {
	session        uint64  // op of the entry that opened it; 0 before
	sessionRequest request // the attempts to open it

	// When nothing has waited for a while, an entry without an operation carries the floor, since no
	// request does.
	tableFloor   uint64    // the floor that the latest such entry carried, as far as this replica has applied
	floorAt      time.Time // when that entry is due
	floorRequest request   // the attempts to append it

	floor      uint64     // number of waiting[0]; from 1, or 0 before the first proposal
	waiting    []*request // by number-floor; nil: no longer wanted. waiting[0] != nil, len(waiting) <= SessionLimit
	nextToSend uint64     // all below it were sent in this view; floor <= nextToSend <= floor+len(waiting)
	bytes      int64      // of the waiting bodies, each with its overhead
	results    results
	forwarding forwarding
	attempt    uint64    // number of the latest attempt
	before     uint64    // number of the latest attempt made before this view; before <= attempt
	retryAt    time.Time // when the first request in flight is overdue; zero if none is

	// handled holds, by member, the highest attempt that this process has accepted or rejected in
	// any view, and accepted the highest that it has accepted. startView is the view in which this process began: an earlier process of this
	// member may have accepted attempts of that view or an earlier one (X4).
	handled   []attemptID
	accepted  []attemptID
	startView View
}

// SessionLimit is the largest distance of a request's number from the floor of its session (X2).
const SessionLimit = 1 << 14

// propose accepts a proposal and returns its number in the session, or ErrOverloaded, ErrFull, ErrShort
// or ErrNoSpace.
func (r *Replica) propose(body []byte) (uint64, error) {
	switch {
	case r.refusesForSpace():
		return 0, ErrNoSpace
	case r.full && r.short != "":
		return 0, ErrShort
	case r.full:
		return 0, ErrFull
	}
	q := &r.requests
	if q.floor == 0 {
		q.floor, q.nextToSend = 1, 1
	}
	size := int64(len(body)) + entryOverhead
	tooMuch := q.bytes > 0 && q.bytes+size > r.cfg.Window // an operation larger than the window is accepted if no other waits
	if len(q.waiting) >= SessionLimit || tooMuch || r.accepts() && !r.room() {
		return 0, ErrOverloaded
	}
	q.waiting = append(q.waiting, newRequest(body))
	q.results.sizes = append(q.results.sizes, unsent)
	q.bytes += size
	return q.floor + uint64(len(q.waiting)) - 1, nil
}

// forget removes a request whose result has that size; unknownSize if it has none that is known. The
// floor rises if it was the lowest (X2).
func (r *Replica) forget(number uint64, size int64) {
	q := &r.requests
	if number < q.floor || number-q.floor >= uint64(len(q.waiting)) {
		return
	}
	switch i := int(number - q.floor); {
	case size >= 0:
		q.results.learn(i, size)
		q.forwarding.arrived(number, r.now, r.cfg.Heartbeat)
	case q.results.sizes[i] == unsent:
		q.results.never(i)
	}
	if w := q.waiting[number-q.floor]; w != nil {
		r.health.calls.ended(size >= 0, r.now)
		q.bytes -= int64(len(w.body)) + entryOverhead
		q.waiting[number-q.floor] = nil
	}
	n := 0
	for n < len(q.waiting) && q.waiting[n] == nil {
		n++
	}
	q.results.drop(n)
	q.floor += uint64(n)
	if n == len(q.waiting) {
		q.waiting = q.waiting[:0] // reuse the memory
	} else {
		q.waiting = q.waiting[n:]
	}
	q.nextToSend = max(q.nextToSend, q.floor)
	if n > 0 && len(q.waiting) == 0 {
		q.floorAt, q.floorRequest = r.after(floorAfter), request{}
	}
}

// floorAfter is the number of heartbeats without a waiting request after which the floor travels on
// its own: one entry more does not matter then.
const floorAfter = 200

// floorWaits reports whether nothing waits, and the table holds results that no caller wants any more.
func (q *requests) floorWaits() bool {
	return len(q.waiting) == 0 && q.session != 0 && q.floor > max(q.tableFloor, 1)
}

// floorDeadline returns when the floor must travel; zero if it need not, or is overdue.
func (r *Replica) floorDeadline() time.Time {
	if q := &r.requests; q.floorWaits() && r.now.Before(q.floorAt) {
		return q.floorAt
	}
	return time.Time{}
}

// Sent reports whether a request may have reached a log. If not, it can still be withdrawn (X4).
func (r *Replica) Sent(number uint64) bool {
	q := &r.requests
	if number < q.floor || number-q.floor >= uint64(len(q.waiting)) {
		return true
	}
	w := q.waiting[number-q.floor]
	return w == nil || len(w.attempts) > 0
}

// Pending returns how many requests and reads of this replica's callers it holds, and since when it waits for a write or
// read of the disk; zero if it waits for none.
func (r *Replica) Pending() (requests, reads int, disk time.Time) {
	for _, w := range r.requests.waiting {
		if w != nil {
			requests++
		}
	}
	return requests, r.reads.own(r.self), r.diskWaitsSince()
}

// sessionOpened starts sending the requests that waited for the session, which op opened (X1).
func (r *Replica) sessionOpened(op uint64) {
	if r.requests.session == 0 {
		r.requests.session = op
		r.retryRequests()
	}
}

func (r *Replica) settle(number uint64, err error) {
	r.out.Settled = append(r.out.Settled, Settled{number, err})
	r.requests.results.never(int(number - r.requests.floor))
	r.forget(number, unknownSize)
}
