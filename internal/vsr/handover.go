package vsr

import "time"

// handover is the primary's attempt to hand its role to another member while all is well (V2).
type handover struct {
	active       bool
	to           Index     // -1: the first member that holds the whole log
	waitingSince time.Time // when requests began to wait for it; zero if they do not wait
}

// beginHandover starts a handover. It reports false if this replica is not primary or is the only
// member.
func (r *Replica) beginHandover(to Index) bool {
	if !r.isPrimary() || r.n == 1 || r.primary.opening == 0 {
		return false
	}
	r.primary.handover = handover{active: true, to: to}
	return true
}

// handingOver reports whether requests must wait for the next primary. While no possible successor
// can be reached, this primary continues to serve.
func (r *Replica) handingOver() bool {
	h := &r.primary.handover
	if !h.active {
		return false
	}
	for _, i := range r.others {
		if p := &r.primary.progress[i]; (h.to == i || h.to < 0) && r.heardLately(i) && p.state == streaming {
			return true
		}
	}
	return false
}

// cancelHandover makes this replica go on as primary if it has not left the view yet.
func (r *Replica) cancelHandover() {
	if !r.isPrimary() {
		return
	}
	r.primary.handover = handover{}
	if r.primary.resigned == handedOver {
		r.resumeRole()
	}
}

// leave makes a primary resign at once, because its process is about to stop (V2).
func (r *Replica) leave() {
	if r.n > 1 {
		r.resign(handedOver)
	}
}

// tryHandover hands over once the successor holds the whole log. It gives up if a successor that
// can be reached does not hold it within the abdication time, because requests wait for the
// handover.
func (r *Replica) tryHandover() {
	h := &r.primary.handover
	if !h.active || r.primary.resigned != serving {
		return
	}
	for _, i := range r.others {
		if (h.to == i || h.to < 0) && r.heardLately(i) && r.primary.progress[i].match == r.log.last.Op {
			r.primary.resigned = handedOver
			r.vote(r.members.viewOf(i, r.head.View))
			return
		}
	}
	switch {
	case !r.handingOver():
		h.waitingSince = time.Time{}
	case h.waitingSince.IsZero():
		h.waitingSince = r.now
	case !r.now.Before(r.handoverDeadline()):
		*h = handover{}
	}
}

// handoverDeadline returns when a handover that requests wait for is given up; zero if they do not
// wait.
func (r *Replica) handoverDeadline() time.Time {
	if h := &r.primary.handover; !h.waitingSince.IsZero() {
		return h.waitingSince.Add(r.cfg.Abdication)
	}
	return time.Time{}
}
