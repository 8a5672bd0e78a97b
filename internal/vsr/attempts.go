package vsr

import (
	"slices"
	"time"
)

// The attempts to bring requests into the log: at the member whose callers made them, and at the
// primary that accepts or rejects them (section 8).

// attemptID identifies an attempt or a vote of a member: the start number of its process, and the
// number of the attempt or vote.
type attemptID struct{ start, attempt uint64 }

// covers reports whether an attempt is not higher than h.
func (h attemptID) covers(start, attempt uint64) bool {
	return start < h.start || start == h.start && attempt <= h.attempt
}

// raise reports whether an attempt is higher than all before, and records it if so.
func (h *attemptID) raise(start, attempt uint64) bool {
	if h.covers(start, attempt) {
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
	r.requests.floorRequest.inFlight = false
}

// flushRequests sends the requests that have not been sent in this view to the primary, or appends
// them to its own log. While a Request would have to wait for a save it does nothing: a message that
// waits there is not counted and cannot be withdrawn (X4). Until the group is confirmed its primary would
// refuse them.
func (r *Replica) flushRequests() {
	q := &r.requests
	nothing := len(q.waiting) == 0 && !q.floorWaits()
	if nothing || r.status != normal || !r.confirmed() || r.isPrimary() && !r.accepts() || !r.saves.identified() {
		return
	}
	switch {
	case q.session == 0:
		r.openSession()
		return
	case len(q.waiting) == 0:
		r.sendFloor()
		return
	}
	if r.isPrimary() {
		for q.nextToSend < q.floor+uint64(len(q.waiting)) && r.resultFits(q.nextToSend) && r.flushOwn() {
		}
		return
	}
	r.forwardWaiting()
}

// forwardWaiting sends the waiting requests to the primary, as many as may be on their way.
func (r *Replica) forwardWaiting() {
	q, f := &r.requests, r.forwardingNow()
	end, before := q.floor+uint64(len(q.waiting)), q.nextToSend
	blocked := false
	for !blocked {
		for q.nextToSend < end && !r.due(q.waiting[q.nextToSend-q.floor]) {
			q.nextToSend++
		}
		if q.nextToSend == end || !r.resultFits(q.nextToSend) {
			break
		}
		if blocked = !f.hasRoom(); !blocked {
			r.gather()
		}
	}
	switch {
	case !blocked && !f.probing:
		f.blockedAt = time.Time{}
	case f.blockedAt.IsZero() || q.nextToSend > before && !f.probing:
		f.blockedAt = r.now
	}
}

// lapse is the time without messages from a member after which messages to it may be lost too.
func (r *Replica) lapse() time.Duration { return max(6*r.cfg.Heartbeat, 2*r.cfg.IdleHeartbeat) }

// resendRequests schedules every pending request to be resent now, because the link to the primary
// works again: the attempts made before may be lost, and their next retry may be far away.
func (r *Replica) resendRequests() {
	r.retryRequests()
	r.forwardingNow().lost()
	for _, w := range r.requests.waiting {
		if w != nil {
			w.inFlight, w.tries = false, 0
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
		w.retryAt = r.retryTime(w.tries)
	}
	if q := &r.requests; q.retryAt.IsZero() || w.retryAt.Before(q.retryAt) {
		q.retryAt = w.retryAt
	}
}

// retryTime returns when a request that has been sent that often is resent. From the second time on the
// wait has a random part: a retry that meets, at an inbox without room, the messages that arrive at each
// heartbeat must not meet them again and again.
func (r *Replica) retryTime(tries int) time.Time {
	wait := r.cfg.Heartbeat * retryAfter << min(tries-1, 3)
	if tries > 1 {
		wait += time.Duration(r.cfg.Rand.Int64N(int64(wait / 4)))
	}
	return r.now.Add(wait)
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
		q.results.sent(int(q.nextToSend - q.floor))
	}
	q.nextToSend++
	return true
}

// gather sends the next requests that fit into one message: one of any size, or as many as a batch of the flow holds.
func (r *Replica) gather() {
	q, f := &r.requests, r.forwardingNow()
	var batch []Proposal
	limit, again := f.batch(), false
	x := sentRequests{attempt: q.attempt + 1, first: q.nextToSend}
	for ; q.nextToSend < q.floor+uint64(len(q.waiting)) && r.resultFits(q.nextToSend); q.nextToSend++ {
		w := q.waiting[q.nextToSend-q.floor]
		if !r.due(w) {
			continue
		}
		size := int64(len(w.body)) + entryOverhead
		if x.bytes+size > limit && len(batch) > 0 {
			break
		}
		x.last, x.bytes, again = q.nextToSend, x.bytes+size, again || len(w.attempts) > 0
		r.sentNow(w, q.attempt+1)
		q.results.sent(int(q.nextToSend - q.floor))
		batch = append(batch, Proposal{Session: q.session, Request: q.nextToSend, Floor: q.floor, Kind: Command, Body: w.body})
	}
	f.sent(x, again, r.now)
	q.retryAt = earlier(q.retryAt, f.lostAt(r.cfg.Heartbeat))
	r.forward(batch)
}

func (r *Replica) forward(batch []Proposal) {
	r.requests.attempt++
	r.sendTo(r.prim(), &Request{View: r.head.View, Attempt: r.requests.attempt, Op: r.checked, Requests: batch})
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

// sendFloor requests an entry that carries the floor of the idle session and has no operation: its
// number is below every floor (X2).
func (r *Replica) sendFloor() {
	q := &r.requests
	w := &q.floorRequest
	if r.now.Before(q.floorAt) || !r.due(w) || r.isPrimary() && !r.room() {
		return
	}
	w.attempts = w.attempts[:0]
	if r.isPrimary() {
		r.appendNew(Entry{Kind: Command, Session: q.session, Floor: q.floor})
		r.sentNow(w, 0)
		return
	}
	r.sentNow(w, q.attempt+1)
	r.forward([]Proposal{{Kind: Command, Session: q.session, Floor: q.floor}})
}

// tickRequests schedules overdue requests to be resent, unless they may still be on their way.
func (r *Replica) tickRequests() {
	q := &r.requests
	if q.retryAt.IsZero() || r.now.Before(q.retryAt) {
		return
	}
	q.retryAt = time.Time{}
	f := &q.forwarding
	if at := f.lostAt(r.cfg.Heartbeat); !at.IsZero() && !r.now.Before(at) {
		f.silent()
	}
	q.retryAt = f.lostAt(r.cfg.Heartbeat)
	q.expire(&q.sessionRequest, r.now)
	q.expire(&q.floorRequest, r.now)
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
		if n := len(w.attempts); n > 0 && q.forwarding.carries(w.attempts[n-1]) {
			return false
		}
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
	if !over {
		r.asked(from, m.Op)
	}
	accepted := &r.requests.accepted[from]
	if accepted.start == h.Start {
		refusal.Accepted = accepted.attempt
	}
	if over || !r.accepts() {
		refusal.Full = !over && r.refusesForSpace()
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
		e := r.newEntry(Entry{Kind: q.Kind, Session: q.Session, Request: q.Request, Floor: q.Floor, Body: q.Body})
		if e.Check() != nil {
			continue // N3: no member would take it, and the group would stop
		}
		r.appendLog(&e)
		p.forwarded, *accepted = e.Op, attemptID{h.Start, m.Attempt}
	}
}

// onReply records a rejection. If the primary was overloaded, or too few members have space, a request with no
// attempt left is settled, and one with other attempts is resent soon.
func (r *Replica) onReply(m *Reply) {
	q := &r.requests
	if m.Start != r.head.Start {
		return
	}
	if q.forwarding.carries(m.Attempt) {
		q.forwarding.answered(m.Attempt, r.now, r.cfg.Heartbeat)
	}
	err := ErrOverloaded
	if m.Full {
		err = ErrNoSpace
	}
	if q.sessionRequest.refused(m.Attempt) {
		if m.Full {
			r.refuseWaiting() // for want of a session none was sent
			return
		}
		r.retrySoon(&q.sessionRequest)
	}
	for number := max(q.floor, m.From); number < q.floor+uint64(len(q.waiting)); number++ {
		if number < q.floor {
			continue // settling the previous request has raised the floor
		}
		w := q.waiting[number-q.floor]
		if w == nil || !w.refused(m.Attempt) {
			continue
		}
		r.withdrawLost(w, m)
		switch {
		case !m.Overloaded && !m.Full:
		case len(w.attempts) == 0:
			r.settle(number, err)
		default:
			r.retrySoon(w)
		}
	}
}

// withdrawLost removes the attempts that are as good as refused with this one: the same process has not accepted them,
// and drops them if they come now, since it has handled a later one (X4). Otherwise one lost attempt would leave a
// request without an outcome for as long as the primary refuses all.
func (r *Replica) withdrawLost(w *request, m *Reply) {
	if m.View == r.head.View {
		w.attempts = slices.DeleteFunc(w.attempts, func(a uint64) bool {
			return a > max(m.Accepted, r.requests.before) && a < m.Attempt
		})
	}
}

// retrySoon resends a request after the shortest wait, and counts its tries from one again: its latest attempt was
// refused, so no answer is on its way. Two members that both waited as long as for a lost attempt would meet
// at each retry, and one of them would always find the window filled by the other.
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
