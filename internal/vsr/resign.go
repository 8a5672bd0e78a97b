package vsr

// How a primary gives up its role, and goes on if the reason passes (V2).

// reason is why a primary gives up its role (V2).
type reason uint8

const (
	serving    reason = iota
	noQuorum          // too few voters answer
	diskHung          // a write or a read takes longer than Config.DiskLimit (D3)
	diskFull          // the disk has no space (F13)
	stalled           // the commit number stands
	applyHung         // the state machine does not go on (D3)
	handedOver        // a Handover or Leave asked for it
)

// tickPrimary resigns if the primary cannot serve (V2, D3, F13).
func (r *Replica) tickPrimary() {
	if r.commit == r.log.last.Op {
		r.primary.movedAt = r.now
	}
	r.updateSpace()
	r.leaveIfFull()
	if r.primary.resigned != serving {
		return
	}
	switch {
	case r.diskHangs():
		r.resign(diskHung)
	case !r.hearsQuorum():
		r.resign(noQuorum)
	case r.applierSuccessor() > 0:
		r.resign(applyHung)
	case r.mustYield():
		r.learnStall(r.commit + 1)
		r.resign(stalled)
	}
}

// diskHangs reports whether a write or a read of the disk takes longer than it may (D3).
func (r *Replica) diskHangs() bool {
	at := r.diskDeadline()
	return !at.IsZero() && !r.now.Before(at)
}

// resumeDisk makes a primary go on that was about to leave because its disk hung, once it does not.
func (r *Replica) resumeDisk() {
	if len(r.saves.issued) == 0 && !r.diskHangs() {
		r.resumeAfter(diskHung)
	}
}

// hearsQuorum reports whether enough voters have answered within the abdication time to make
// max(Qr, Rb) together with the primary.
func (r *Replica) hearsQuorum() bool {
	count := 1
	for _, i := range r.others {
		if r.answersNow(i) {
			count++
		}
	}
	return count >= max(r.members.Qr, r.members.Rb())
}

// answersNow reports whether a member has answered this primary within the abdication time, or may still
// do so because the view has just begun. A member whose memory is lost never counts (S6).
func (r *Replica) answersNow(i Index) bool {
	return !r.memories.lost[i] && r.now.Sub(r.primary.progress[i].answeredAt) <= r.cfg.Abdication
}

// answered records an answer of a backup. A primary that was about to leave because too few
// answered goes on if enough do now (V2).
func (r *Replica) answered(from Index) {
	r.primary.progress[from].answeredAt = r.now
	if r.hearsQuorum() {
		r.resumeAfter(noQuorum)
	}
}

// resign votes to leave the view that this replica leads, which is sufficient for all members (V2).
// The primary then accepts no request and sends no heartbeat.
func (r *Replica) resign(why reason) {
	if !r.isPrimary() || r.n == 1 && why != handedOver {
		return
	}
	next := r.bestSuccessor()
	if why == applyHung {
		next = r.applierSuccessor()
	}
	r.primary.resigned = why
	r.vote(next)
}

// bestSuccessor returns the next view led by the reachable voter whose log is the longest, among those
// whose disks have space if there are any (F13); 0 if no voter can be reached.
func (r *Replica) bestSuccessor() View {
	best := Index(-1)
	for _, i := range r.others {
		if r.heardLately(i) && (best < 0 || r.succeedsBefore(i, best)) {
			best = i
		}
	}
	if best < 0 {
		return 0
	}
	return r.members.viewOf(best, r.head.View)
}

func (r *Replica) succeedsBefore(i, j Index) bool {
	p, q := &r.primary.progress[i], &r.primary.progress[j]
	if p.full != q.full {
		return q.full
	}
	return p.match > q.match
}

// resumeAfter makes the primary serve again if it has resigned for that reason, which has passed.
func (r *Replica) resumeAfter(why reason) {
	if r.isPrimary() && r.primary.resigned == why {
		r.resumeRole()
	}
}

// resumeRole makes the primary serve again in a view that it has not left.
func (r *Replica) resumeRole() {
	r.primary.resigned = serving
	r.primary.heartbeatAt = r.now
	r.withdraw()
}
