package vsr

import (
	"encoding/binary"
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

// attemptID identifies an attempt of a member: the start number of its process, and the number of
// the attempt.
type attemptID struct{ start, attempt uint64 }

// raise reports whether an attempt is higher than all before, and records it if so.
func (h *attemptID) raise(start, attempt uint64) bool {
	if start < h.start || start == h.start && attempt <= h.attempt {
		return false
	}
	*h = attemptID{start, attempt}
	return true
}

// SessionLimit is the largest distance of a request's number from the floor of its session (X2).
const SessionLimit = 1 << 14

// retryAfter is the number of heartbeats after which a request is resent in the same view. It
// doubles with each attempt, up to eight times the value.
const retryAfter = 20

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

// retryRequests schedules every pending request to be resent in the new view.
func (r *Replica) retryRequests() {
	r.requests.nextToSend = r.requests.floor
	r.requests.sessionRequest.inFlight = false
}

// tickRequests schedules overdue requests to be resent.
func (r *Replica) tickRequests() {
	q := &r.requests
	if q.retryAt.IsZero() || r.now.Before(q.retryAt) {
		return
	}
	q.retryAt = time.Time{}
	q.expire(&q.sessionRequest, r.now)
	for i, w := range q.waiting {
		if w != nil && q.expire(w, r.now) {
			q.nextToSend = min(q.nextToSend, q.floor+uint64(i))
		}
	}
}

// expire marks a request as not in flight if its answer is overdue, and reports whether it did. It
// updates retryAt.
func (q *requests) expire(w *request, now time.Time) bool {
	if !w.inFlight {
		return false
	}
	if !now.Before(w.retryAt) {
		w.inFlight = false
		return true
	}
	if q.retryAt.IsZero() || w.retryAt.Before(q.retryAt) {
		q.retryAt = w.retryAt
	}
	return false
}

// flushRequests sends the requests that have not been sent in this view to the primary, or appends
// them to its own log. Until the view is durable it does nothing: a message would have to wait for
// the save, where it is not counted and cannot be withdrawn (X4).
func (r *Replica) flushRequests() {
	q := &r.requests
	if len(q.waiting) == 0 || r.status != normal || r.isPrimary() && !r.accepts() || r.saves.headSeq > r.saves.doneSeq {
		return
	}
	if q.session == 0 {
		r.openSession()
		return
	}
	for q.nextToSend < q.floor+uint64(len(q.waiting)) {
		if r.isPrimary() {
			if !r.flushOwn() {
				return
			}
		} else {
			r.forward(r.gather())
		}
	}
}

// due reports whether the request must be sent now.
func (r *Replica) due(w *request) bool {
	return w != nil && !(w.inFlight && w.view == r.head.View)
}

func (r *Replica) sentNow(w *request, attempt uint64) {
	if w.attempts = append(w.attempts, attempt); w.view != r.head.View {
		w.tries = 0
	}
	w.tries++
	w.view, w.inFlight, w.retryAt = r.head.View, true, farAway // in the primary's own log a request is not lost while the view lasts
	if attempt > 0 {
		w.retryAt = r.after(retryAfter << min(w.tries-1, 3))
	}
	if q := &r.requests; q.retryAt.IsZero() || w.retryAt.Before(q.retryAt) {
		q.retryAt = w.retryAt
	}
}

// flushOwn appends the next request to the primary's own log. It reports false if there is no room.
func (r *Replica) flushOwn() bool {
	q := &r.requests
	w := q.waiting[q.nextToSend-q.floor]
	if r.due(w) {
		if !r.room() {
			if len(w.attempts) > 0 {
				return false // it may be in a log already, so it waits for room
			}
			r.settle(q.nextToSend, ErrOverloaded)
			return len(q.waiting) > 0
		}
		r.appendNew(Entry{Kind: Command, Session: q.session, Request: q.nextToSend, Floor: q.floor, Body: w.body})
		r.sentNow(w, 0)
	}
	q.nextToSend++
	return true
}

func (r *Replica) settle(number uint64, err error) {
	r.out.Settled = append(r.out.Settled, Settled{number, err})
	r.forget(number)
}

// gather returns the next requests that fit into one message.
func (r *Replica) gather() []Proposal {
	q := &r.requests
	var batch []Proposal
	size := int64(0)
	for ; q.nextToSend < q.floor+uint64(len(q.waiting)) && size < maxBatch; q.nextToSend++ {
		w := q.waiting[q.nextToSend-q.floor]
		if !r.due(w) {
			continue
		}
		r.sentNow(w, q.attempt+1)
		size += int64(len(w.body)) + entryOverhead
		batch = append(batch, Proposal{Session: q.session, Request: q.nextToSend, Floor: q.floor, Kind: Command, Body: w.body})
	}
	return batch
}

func (r *Replica) forward(batch []Proposal) {
	if len(batch) == 0 {
		return
	}
	r.requests.attempt++
	r.sendTo(r.prim(), &Request{View: r.head.View, Attempt: r.requests.attempt, Requests: batch})
}

// openSession requests the entry that opens the session of this process (X1).
func (r *Replica) openSession() {
	q := &r.requests
	if !r.due(&q.sessionRequest) {
		return
	}
	id := r.memberID(r.self)
	body := appendSession(nil, id, r.head.Incarnation, r.head.Start)
	if r.isPrimary() {
		r.appendNew(Entry{Kind: OpenSession, Body: body})
		r.sentNow(&q.sessionRequest, 0)
		return
	}
	r.sentNow(&q.sessionRequest, q.attempt+1)
	r.forward([]Proposal{{Kind: OpenSession, Body: body}})
}

// onRequest accepts or rejects another member's proposals, each attempt once in a view (X4, X5).
func (r *Replica) onRequest(from Index, h Header, m *Request) {
	refusal := &Reply{View: m.View, Start: h.Start, Attempt: m.Attempt}
	over := m.View < r.head.View && m.View > r.requests.startView
	if !over && (!r.isPrimary() || m.View != r.head.View) || r.saves.headSeq > r.saves.doneSeq {
		return // not a view that this process can answer for, or one that is not durable: neither accept nor reject
	}
	if !r.requests.handled[from].raise(h.Start, m.Attempt) {
		return // a late copy
	}
	if over || !r.accepts() {
		r.sendTo(from, refusal)
		return
	}
	p := &r.primary.progress[from]
	for i := range m.Requests {
		q := &m.Requests[i]
		if !r.room() {
			refusal.From, refusal.Overloaded = q.Request, true
			r.sendTo(from, refusal)
			return
		}
		r.appendNew(Entry{Kind: q.Kind, Session: q.Session, Request: q.Request, Floor: q.Floor, Body: q.Body})
		p.forwarded = r.log.last.Op
	}
}

// onReply records a rejection. A request with no attempt left is settled if the primary was
// overloaded; otherwise it is resent.
func (r *Replica) onReply(m *Reply) {
	q := &r.requests
	if m.Start != r.head.Start {
		return
	}
	q.sessionRequest.refused(m.Attempt)
	for number := max(q.floor, m.From); number < q.floor+uint64(len(q.waiting)); number++ {
		if number < q.floor {
			continue // settling the previous request has raised the floor
		}
		w := q.waiting[number-q.floor]
		if w != nil && w.refused(m.Attempt) && m.Overloaded && len(w.attempts) == 0 {
			r.settle(number, ErrOverloaded)
		}
	}
}

// refused removes an attempt from the request's list, and reports whether it was there.
func (w *request) refused(attempt uint64) bool {
	for i, a := range w.attempts {
		if a == attempt {
			w.attempts = append(w.attempts[:i], w.attempts[i+1:]...)
			return true
		}
	}
	return false
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
