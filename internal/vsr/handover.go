package vsr

import "time"

// handover is the primary's giving of its role to another while all is well (V2).
type handover struct {
	active       bool
	to           Index     // -1: to whoever has the whole log first
	waitingSince time.Time // requests wait for it from then on; zero: they do not
}

// beginHandover reports false if this replica is not primary or there is no other member.
func (r *Replica) beginHandover(to Index) bool {
	if !r.isPrimary() || r.n == 1 || r.primary.opening == 0 {
		return false
	}
	r.primary.handover = handover{active: true, to: to}
	return true
}

// handingOver reports whether requests must wait for the next primary: while nobody that the role
// may go to is there, this one serves on.
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

// cancelHandover goes on as primary, if the view has not been left yet.
func (r *Replica) cancelHandover() {
	if !r.isPrimary() {
		return
	}
	r.primary.handover = handover{}
	if r.primary.resigned == handedOver {
		r.resumeRole()
	}
}

// leave tells the others at once that this primary stops (V2).
func (r *Replica) leave() {
	if r.n > 1 {
		r.resign(handedOver)
	}
}

// tryHandover hands over once the successor holds the whole log. It gives up one that is there and
// does not come to hold it in the abdication time, since requests wait meanwhile.
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

// handoverDeadline returns when requests have waited long enough for a handover; zero if they do not.
func (r *Replica) handoverDeadline() time.Time {
	if h := &r.primary.handover; !h.waitingSince.IsZero() {
		return h.waitingSince.Add(r.cfg.Abdication)
	}
	return time.Time{}
}
