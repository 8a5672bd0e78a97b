package vsr

import (
	"errors"
	"time"
)

// The errors of Propose and Settled.
var (
	ErrOverloaded = errors.New("too many operations are waiting") // the window is full
	ErrFull       = errors.New("this replica's disk is full")     // the replica could not apply the operation, and so would not learn its result (F13)
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

// requests holds the proposals of this replica's callers, which form one session of the member's
// process (X1). Callers see none of its numbers.
type requests struct {
	session        uint64  // op of the entry that opened it; 0 before
	sessionRequest request // the attempts to open it

	floor      uint64     // number of waiting[0]; from 1, or 0 before the first proposal
	waiting    []*request // by number-floor; nil: no longer wanted. waiting[0] != nil, len(waiting) <= SessionLimit
	nextToSend uint64     // all below it were sent in this view; floor <= nextToSend <= floor+len(waiting)
	bytes      int64      // of the waiting bodies, each with its overhead
	attempt    uint64     // number of the latest attempt
	retryAt    time.Time  // when the first request in flight is overdue; zero if none is

	// handled holds, by member, the highest attempt that this process has accepted or rejected in
	// any view. startView is the view in which this process began: an earlier process of this
	// member may have accepted attempts of that view or an earlier one (X4).
	handled   []attemptID
	startView View
}

// SessionLimit is the largest distance of a request's number from the floor of its session (X2).
const SessionLimit = 1 << 14

// propose accepts a proposal and returns its number in the session, or ErrOverloaded or ErrFull.
func (r *Replica) propose(body []byte) (uint64, error) {
	if r.full {
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
	q.waiting = append(q.waiting, &request{body: body})
	q.bytes += size
	return q.floor + uint64(len(q.waiting)) - 1, nil
}

// forget removes a request. The floor rises if it was the lowest (X2).
func (r *Replica) forget(number uint64) {
	q := &r.requests
	if number < q.floor || number-q.floor >= uint64(len(q.waiting)) {
		return
	}
	if w := q.waiting[number-q.floor]; w != nil {
		q.bytes -= int64(len(w.body)) + entryOverhead
		q.waiting[number-q.floor] = nil
	}
	n := 0
	for n < len(q.waiting) && q.waiting[n] == nil {
		n++
	}
	q.waiting = q.waiting[n:]
	q.floor += uint64(n)
	q.nextToSend = max(q.nextToSend, q.floor)
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

// sessionOpened starts sending the requests that waited for the session, which op opened (X1).
func (r *Replica) sessionOpened(op uint64) {
	if r.requests.session == 0 {
		r.requests.session = op
		r.retryRequests()
	}
}

func (r *Replica) settle(number uint64, err error) {
	r.out.Settled = append(r.out.Settled, Settled{number, err})
	r.forget(number)
}
