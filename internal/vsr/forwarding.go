package vsr

import (
	"fmt"
	"slices"
	"time"

	"github.com/smr-go/smr/internal/flow"
)

// forwarding is what a backup has sent to the primary of a view and what has not arrived there, as far as it knows: its
// own log holds no entry of it, and the attempt was not refused (X5). It limits the bytes on their way as a primary
// limits those of its Prepares (C1), whether the callers still wait or not.
//
//	bytes is the sum of inFlight[i].bytes. Without the last of them it is less than flow.Limit().
type forwarding struct {
	view       View
	inFlight   []sentRequests // attempts rise
	bytes      int64
	flow       flow.Flow
	progressAt time.Time // when a request has arrived last, or one was sent and none was in flight
	partAt     time.Time // when a part of a request, or of its entry, has arrived last (C5); zero if none has
	tries      int       // how often silence was taken for a loss since one arrived that was sent once
	probing    bool      // silence was taken for a loss, and nothing has arrived since: one message at a time
	blockedAt  time.Time // since when the next request waits for room, or silence has lasted; zero if neither
}

// sentRequests are the requests of one attempt: the last of their numbers, and their bytes.
type sentRequests struct {
	attempt     uint64
	first, last uint64
	bytes       int64
}

// forwardingNow returns what is on its way to the primary of the present view.
func (r *Replica) forwardingNow() *forwarding {
	f := &r.requests.forwarding
	if f.view != r.head.View {
		*f = forwarding{view: r.head.View, flow: r.newFlow(), inFlight: f.inFlight[:0]}
	}
	return f
}

// hasRoom reports whether another message of requests may be sent.
func (f *forwarding) hasRoom() bool {
	if f.probing {
		return len(f.inFlight) == 0
	}
	return f.bytes < f.flow.Room()
}

// batch returns the bytes of requests for one message: a part of what may be in flight, so that answers come steadily.
func (f *forwarding) batch() int64 { return min(MaxBatch, max(f.flow.Room()/4, minBatch)) }

// sent records that requests leave. Those that were sent before are not timed.
func (f *forwarding) sent(x sentRequests, again bool, now time.Time) {
	if len(f.inFlight) == 0 {
		f.progressAt = now
	}
	f.inFlight = append(f.inFlight, x)
	f.bytes += x.bytes
	if !again {
		f.flow.Sent(x.attempt, now)
	}
}

// arrived records that the log holds the entry of a request of that number. The last number of an attempt stands for
// all of it, and for the attempts before.
func (f *forwarding) arrived(number uint64, now time.Time, heartbeat time.Duration) {
	f.progressAt, f.probing = now, false // even if it was taken to be lost
	for _, x := range f.inFlight {
		if number == x.last {
			f.answered(x.attempt, now, heartbeat)
		}
		if number >= x.first && number <= x.last {
			return
		}
	}
}

// answered takes the attempts up to that one out of flight.
func (f *forwarding) answered(attempt uint64, now time.Time, heartbeat time.Duration) {
	n := 0
	for n < len(f.inFlight) && f.inFlight[n].attempt <= attempt {
		f.bytes -= f.inFlight[n].bytes
		f.flow.Took(f.inFlight[n].bytes)
		n++
	}
	if n == 0 {
		return
	}
	f.inFlight = slices.Delete(f.inFlight, 0, n)
	f.progressAt, f.probing = now, false
	if f.flow.Times(0, attempt) {
		f.flow.Answered(now, heartbeat)
		f.tries = 0
	}
}

// carries reports whether an attempt may still be on its way.
func (f *forwarding) carries(attempt uint64) bool {
	return slices.ContainsFunc(f.inFlight, func(x sentRequests) bool { return x.attempt == attempt })
}

// lostAt returns when silence proves that all that is in flight was lost; zero if nothing is.
func (f *forwarding) lostAt(heartbeat time.Duration) time.Time {
	if len(f.inFlight) == 0 {
		return time.Time{}
	}
	return f.progressAt.Add(f.flow.Patience(retryAfter*heartbeat, heartbeat, f.tries, f.bytes))
}

// silent takes all that is in flight for lost, because the primary has not answered.
func (f *forwarding) silent() {
	f.lost()
	f.tries++
	f.probing = true
}

// lost empties what is in flight.
func (f *forwarding) lost() {
	f.inFlight, f.bytes = f.inFlight[:0], 0
	f.flow.Lost()
}

// requestsArrived records which of the entries, which this replica's log holds now as the primary's does, are those of
// its callers. They are not resent in this view.
func (r *Replica) requestsArrived(entries []Entry) {
	q, f := &r.requests, r.forwardingNow()
	if q.session == 0 || len(q.waiting)+len(f.inFlight) == 0 {
		return
	}
	for i := range entries {
		e := &entries[i]
		if e.Kind != Command || e.Session != q.session || e.Request == 0 {
			continue
		}
		f.arrived(e.Request, r.now, r.cfg.Heartbeat)
		if i := e.Request - q.floor; e.Request >= q.floor && i < uint64(len(q.waiting)) && q.waiting[i] != nil {
			w := q.waiting[i]
			w.view, w.inFlight, w.retryAt = r.head.View, true, farAway
		}
	}
}

// Congestion returns that requests wait for the link to the primary, "" if none does.
func (r *Replica) Congestion() string {
	f := &r.requests.forwarding
	if f.blockedAt.IsZero() || len(r.requests.waiting) == 0 || f.view != r.head.View || r.isPrimary() {
		return ""
	}
	carries := "none has arrived yet"
	if f.flow.Rate() > 0 {
		carries = fmt.Sprintf("about %d bytes arrive a second", f.flow.Rate())
	}
	return fmt.Sprintf("requests wait for the link to the primary, %s: %d bytes are on their way, and %s",
		r.memberID(r.prim()), f.bytes, carries)
}

// congested returns that no request of this replica could be sent for long, because of the link; "" otherwise.
func (r *Replica) congested() string {
	f := &r.requests.forwarding
	if text := r.Congestion(); text != "" && r.now.Sub(f.blockedAt) > r.patience() {
		return text + sinceText(f.blockedAt)
	}
	return ""
}

// checkForwarding checks the bytes of requests on their way to the primary (N1).
func (r *Replica) checkForwarding() error {
	f, sum := &r.requests.forwarding, int64(0)
	for _, x := range f.inFlight {
		sum += x.bytes
	}
	if n := len(f.inFlight); sum != f.bytes || n > 0 && sum-f.inFlight[n-1].bytes > f.flow.Limit() {
		return fmt.Errorf("11.10: requests of %d bytes are on their way, counted as %d; the limit is %d and one message",
			sum, f.bytes, f.flow.Limit())
	}
	return nil
}
