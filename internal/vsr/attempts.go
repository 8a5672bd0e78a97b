package vsr

import "time"

// The attempts to bring requests into the log: at the member whose callers made them, and at the
// primary that accepts or rejects them (section 8).

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

// retryAfter is the number of heartbeats after which a request is resent in the same view. It
// doubles with each attempt, up to eight times the value.
const retryAfter = 20

// retryRequests schedules every pending request to be resent in the new view.
func (r *Replica) retryRequests() {
	r.requests.nextToSend = r.requests.floor
	r.requests.sessionRequest.inFlight = false
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

// onReply records a rejection. If the primary was overloaded, a request with no attempt left is settled, and one
// with other attempts is resent soon.
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
		switch {
		case w == nil || !w.refused(m.Attempt) || !m.Overloaded:
		case len(w.attempts) == 0:
			r.settle(number, ErrOverloaded)
		default:
			r.retrySoon(w)
		}
	}
}

// retrySoon resends a request after the shortest wait, and counts its tries from one again: its latest attempt is
// known not to be on its way. With the long wait of an attempt that may be lost, a request could meet the full
// window of another member's equally regular retries each time.
func (r *Replica) retrySoon(w *request) {
	if !w.inFlight || w.view != r.head.View {
		return
	}
	w.tries, w.retryAt = 1, r.after(retryAfter)
	if q := &r.requests; w.retryAt.Before(q.retryAt) {
		q.retryAt = w.retryAt
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
