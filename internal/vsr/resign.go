package vsr

// How a primary gives up its role, and goes on if the reason passes (V2).

// reason is why a primary gives up its role (V2).
type reason uint8

const (
	serving    reason = iota
	noQuorum          // too few voters answer
	diskHung          // a write or a read takes longer than Config.DiskLimit (D3)
	diskFull          // the disk has no space (F13)
	handedOver        // a Handover or Leave asked for it
)

// tickPrimary resigns if the primary cannot serve (V2, D3, F13).
func (r *Replica) tickPrimary() {
	if r.primary.resigned != serving {
		return
	}
	disk := r.diskDeadline()
	switch {
	case !disk.IsZero() && !r.now.Before(disk):
		r.resign(diskHung)
	case r.full:
		r.resign(diskFull)
	case !r.hearsQuorum():
		r.resign(noQuorum)
	}
}

// hearsQuorum reports whether enough voters have answered within the abdication time to make
// max(Qr, Rb) together with the primary.
func (r *Replica) hearsQuorum() bool {
	count := 1
	for _, i := range r.others {
		if r.now.Sub(r.primary.progress[i].answeredAt) <= r.cfg.Abdication {
			count++
		}
	}
	return count >= max(r.members.Qr, r.members.Rb())
}

// answered records an answer of a backup. A primary that was about to leave because too few
// answered goes on if enough do now (V2).
func (r *Replica) answered(from Index) {
	r.primary.progress[from].answeredAt = r.now
	if r.isPrimary() && r.primary.resigned == noQuorum && r.hearsQuorum() {
		r.resumeRole()
	}
}

// setDiskFull records whether the disk is full. While it is, a replica accepts no entries and no
// proposals (F13). A primary also resigns, and serves again in its view when the disk has space.
func (r *Replica) setDiskFull(full bool) {
	r.full = full
	switch {
	case !r.isPrimary():
	case full && r.primary.resigned == serving:
		r.resign(diskFull)
	case !full && r.primary.resigned == diskFull:
		r.resumeRole()
	}
}

// resign votes to leave the view that this replica leads, which is sufficient for all members (V2).
// The primary then accepts no request and sends no heartbeat.
func (r *Replica) resign(why reason) {
	if !r.isPrimary() || r.n == 1 && why != handedOver {
		return
	}
	r.primary.resigned = why
	r.vote(r.bestSuccessor())
}

// bestSuccessor returns the next view led by the reachable voter whose log is the longest; 0 if no
// voter can be reached.
func (r *Replica) bestSuccessor() View {
	best := Index(-1)
	for _, i := range r.others {
		if r.heardLately(i) && (best < 0 || r.primary.progress[i].match > r.primary.progress[best].match) {
			best = i
		}
	}
	if best < 0 {
		return 0
	}
	return r.members.viewOf(best, r.head.View)
}

// resumeRole makes the primary serve again in a view that it has not left.
func (r *Replica) resumeRole() {
	r.primary.resigned = serving
	r.primary.heartbeatAt = r.now
	r.withdraw()
}
