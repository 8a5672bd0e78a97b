package vsr

import (
	"slices"
	"time"
)

// The progress of large messages, which travel in parts (C5). As long as parts arrive, nothing is lost, and nobody is
// taken to be stuck.

// carried records that a part of a large message to a member has arrived there. Prepares and requests that go to
// another member through it count as well.
func (r *Replica) carried(to Index) {
	for _, i := range r.others {
		if i == to || r.relayTo(i) == to {
			r.carriedFor(i)
		}
	}
}

func (r *Replica) carriedFor(i Index) {
	switch {
	case r.status == changingView && i == r.prim() && r.viewChange.givenFrom > 0: // it receives the best log from here
		r.viewChange.giveUpAt = r.now.Add(r.viewChange.timeout)
	case r.isPrimary():
		if p := &r.primary.progress[i]; len(p.inFlight) > 0 {
			p.progressAt = r.now
			r.advanced(i)
		}
	case i == r.prim():
		r.forwards()
	}
}

// dropped records that what was on its way to a member in parts, and behind them, is lost. What goes to another member
// through it is lost as well; what also goes to the member through another may still arrive.
func (r *Replica) dropped(to Index) {
	if r.status == changingView && to == r.prim() {
		r.viewChange.givenUntil = time.Time{} // the best log, if it was given, is given again
	}
	for _, i := range r.others {
		switch {
		case r.relayTo(i) != to:
		case r.isPrimary():
			p := &r.primary.progress[i]
			p.dropped = len(p.inFlight) > 0
		case i == r.prim():
			if f := r.forwardingNow(); len(f.inFlight) > 0 {
				f.silent()
				r.requests.retryAt = r.now
			}
		}
	}
}

// forwards records that the requests on their way to the primary, if there are any, make progress.
func (r *Replica) forwards() {
	if f := r.forwardingNow(); len(f.inFlight) > 0 {
		f.progressAt, f.partAt = r.now, r.now
	}
}

// largeRequest is the size in bytes above which the entry of a request comes back in parts.
const largeRequest = 128 << 10

// onPart records that a part of a large message of a member has arrived. A part from the primary may belong to the entry
// of a large request of this replica, which is not lost then. The primary of a view that has not begun waits on if the
// part comes from the owner of the best log (V6).
func (r *Replica) onPart(from Index) {
	large := func(x sentRequests) bool { return x.bytes > largeRequest }
	if from == r.prim() && slices.ContainsFunc(r.forwardingNow().inFlight, large) {
		r.forwards()
	}
	if c := &r.viewChange; r.isNextPrimary() && c.stateRequested && from == c.owner {
		r.stateMoves()
	}
}

// stateMoves gives a view change more time, because the best log is being received.
func (r *Replica) stateMoves() {
	c := &r.viewChange
	c.giveUpAt = r.now.Add(c.timeout)
	c.resendAt = r.after(repeatVotes)
}
