package vsr

import (
	"slices"
	"time"
)

// primary is what a replica knows while it leads its view.
type primary struct {
	progress    []progress    // by member
	opening     OpNumber      // op of the view's opening entry; 0 while the group is not confirmed. opening <= log.last.Op
	round       Round         // of the latest heartbeat
	heartbeatAt time.Time     // when the next one is due
	interval    time.Duration // between the two; it grows while the log ends at idleOp
	idleOp      OpNumber
	resigned    reason // why it gives up its role; serving if it does not
	handover    handover
}

// reason is why a primary gives up its role (V2).
type reason uint8

const (
	serving    reason = iota
	noQuorum          // too few voters answer
	diskHung          // a write or a read takes longer than Config.DiskLimit (D3)
	diskFull          // the disk has no space (F13)
	handedOver        // a Handover or Leave asked for it
)

// lead makes this replica, which holds the best log, the primary of its view (V7).
func (r *Replica) lead() {
	p := &r.primary
	r.status = normal
	*p = primary{progress: make([]progress, r.n), heartbeatAt: r.now}
	next := r.log.last.Op + 1
	if !r.confirmed() {
		next = 1 // some members may not hold op 1 (S2)
	}
	for i := range p.progress {
		p.progress[i].probe(next)
		p.progress[i].answeredAt = r.now
	}
	p.progress[r.self].match = r.saves.durable
	r.endViewChange()
	if r.confirmed() {
		r.appendOpening()
	}
	r.retryRequests()
	r.advanceCommit()
}

// appendOpening appends the opening entry. Once it is committed, so are all entries before it (V7).
func (r *Replica) appendOpening() {
	r.appendNew(Entry{Kind: Opening})
	r.primary.opening = r.log.last.Op
}

// appendNew appends an entry with the next op number, this view, and a time that never decreases
// (N2).
func (r *Replica) appendNew(e Entry) {
	e.Op, e.View, e.Epoch = r.log.last.Op+1, r.head.View, r.head.Epoch
	e.Time = max(r.now.UnixNano(), r.log.clock)
	r.appendLog(e)
}

// accepts reports whether this replica is a primary that accepts requests.
func (r *Replica) accepts() bool {
	return r.isPrimary() && r.primary.resigned == serving && !r.handingOver() &&
		r.primary.opening > 0 && !r.full
}

// maxWindow limits the number of entries above the commit number (N1).
const maxWindow = 1 << 16

// room reports whether the window has room for another entry (N1). Committed entries that wait to
// be applied count too, so that a slow state machine does not fill the memory.
func (r *Replica) room() bool {
	window := r.cfg.Window
	if r.overrun() {
		window /= 8 // N9: the log was compacted twice past the snapshot that a replica is receiving
	}
	return r.log.last.Op-r.applied < maxWindow && r.log.bytesAbove(r.applied) < window
}

func (r *Replica) overrun() bool {
	return slices.ContainsFunc(r.primary.progress, func(p progress) bool {
		return p.state == installing && p.overruns >= 2 && r.now.Sub(p.answeredAt) <= r.cfg.Abdication
	})
}

// ackOwn counts the entries that this primary has made durable itself (N4).
func (r *Replica) ackOwn() {
	r.primary.progress[r.self].match = r.saves.durable
	r.advanceCommit()
}

// onPrepareOK counts a backup's acknowledgement if it belongs to this view (N4).
func (r *Replica) onPrepareOK(from Index, m *PrepareOK) {
	if !r.isPrimary() || m.View != r.head.View || m.Op > r.log.last.Op {
		return
	}
	r.primary.progress[from].acknowledged(m.Op)
	r.answered(from)
	r.advanceCommit()
}

// onGap finds where a backup's log stands (N3), or that there is a higher view (V4).
func (r *Replica) onGap(from Index, m *Gap) {
	if m.View > r.head.View {
		r.enter(m.View)
		return
	}
	if !r.isPrimary() || m.View != r.head.View {
		return
	}
	r.answered(from)
	p := &r.primary.progress[from]
	if p.state == installing || m.Prev != p.preparePrev && p.state == probing || m.Last.Op < p.match || !p.loadingSince.IsZero() {
		return // answers an earlier Prepare, or denies what the backup has acknowledged (S6)
	}
	p.probe(r.log.agree(m.Last) + 1)
}

// advanceCommit commits the entries of this view that are durable at Qr voters (N4), and op 1 once
// it is durable at all of them (S2).
func (r *Replica) advanceCommit() {
	if !r.isPrimary() {
		return
	}
	var place [MaxVoters]OpNumber
	match := place[:0]
	for i := range r.primary.progress {
		match = append(match, r.primary.progress[i].match)
	}
	slices.Sort(match)
	if r.primary.opening == 0 {
		if match[0] >= 1 { // S2: at every member, in one view
			r.groupConfirmed()
		}
		return
	}
	op := match[len(match)-r.members.Qr]
	if stamp, ok := r.log.stamp(op); ok && op > r.commit && stamp.Epoch == r.head.Epoch && stamp.View == r.head.View {
		r.commit = op
		r.hurryCommit()
	}
}

// hurryCommit makes the next heartbeat come soon, so that backups learn of the commit even if no
// Prepare carries it.
func (r *Replica) hurryCommit() {
	if soon := r.now.Add(r.cfg.Heartbeat / 10); soon.Before(r.primary.heartbeatAt) {
		r.primary.heartbeatAt = soon
	}
}

// newsAwaited reports whether callers of a backup wait for a commit that the backup has not been
// sent.
func (r *Replica) newsAwaited() bool {
	for _, i := range r.others {
		if p := &r.primary.progress[i]; p.forwarded > p.commitSent && r.commit > p.commitSent {
			return true
		}
	}
	return false
}

// groupConfirmed commits op 1, which every member holds. In view 0 op 1 is the opening entry.
func (r *Replica) groupConfirmed() {
	r.commit = 1
	r.problem = ""
	if stamp, _ := r.log.stamp(1); stamp.View == r.head.View {
		r.primary.opening = 1
		r.hurryCommit()
		return
	}
	r.appendOpening()
}

// flushPrimary sends the messages that the primary's turn calls for.
func (r *Replica) flushPrimary() {
	if r.primary.resigned == serving {
		r.sendEntries()
		r.startRounds()
		if !r.now.Before(r.primary.heartbeatAt) || r.newsAwaited() {
			r.heartbeat()
		}
	}
	r.tryHandover()
}

// heartbeat sends the commit number to all backups, with a new round (N5, N6). Only the turn of the
// protocol loop calls it: a loop that hangs must not appear alive (D2).
func (r *Replica) heartbeat() {
	p := &r.primary
	p.round++
	p.heartbeatAt = r.now.Add(r.heartbeatInterval())
	r.keepAbove = r.lowestNeeded()
	for _, i := range r.others {
		q := &p.progress[i]
		q.sentAtHeartbeat, q.commitSent = q.next-1, r.commit
		if q.probeSent && q.prepareRound+1 < p.round { // not for a Prepare sent after the previous heartbeat
			q.probe(q.preparePrev + 1)
		}
		if q.state == installing {
			r.offer(i)
		}
	}
	if len(r.others) > 0 {
		r.send(&Commit{View: r.head.View, Commit: r.commit, Round: p.round, Keep: r.keepAbove}, r.others...)
	}
}

// heartbeatInterval returns the time to the next heartbeat. It grows while the group is idle,
// because waking three processes costs more than their messages, and slowly enough for an adaptive
// detector to follow.
func (r *Replica) heartbeatInterval() time.Duration {
	p := &r.primary
	if idle := p.idleOp == r.log.last.Op && r.commit == r.log.last.Op && len(r.reads.rounds) == 0; !idle {
		p.idleOp, p.interval = r.log.last.Op, r.cfg.Heartbeat
	} else {
		p.interval = min(p.interval+p.interval/16, max(r.cfg.IdleHeartbeat, r.cfg.Heartbeat))
	}
	return p.interval
}

// lowestNeeded returns the op above which some replica that still answers needs the log (N9).
func (r *Replica) lowestNeeded() OpNumber {
	low := r.log.last.Op
	for _, i := range r.others {
		p := &r.primary.progress[i]
		if r.now.Sub(p.answeredAt) > r.cfg.Abdication {
			continue
		}
		if p.state == installing {
			low = min(low, p.offered.Last.Op)
		} else {
			low = min(low, p.match)
		}
	}
	return low
}

// onCommitOK counts an answer to a heartbeat (N6) and detects messages lost before it.
func (r *Replica) onCommitOK(from Index, m *CommitOK) {
	if !r.isPrimary() || m.View != r.head.View || m.Round > r.primary.round {
		return
	}
	p := &r.primary.progress[from]
	p.answeredRound = max(p.answeredRound, m.Round)
	r.answered(from)
	r.confirmReads()
	if m.Round < r.primary.round || p.state == installing || !p.loadingSince.IsZero() {
		return
	}
	switch {
	case m.Op == 0 && p.sentAtHeartbeat > 0: // nothing is checked in this view yet: a Prepare finds where its log stands
		p.probeAgain(m.Round)
	case m.Op < p.sentAtHeartbeat: // Prepares sent before the heartbeat were lost
		p.probe(m.Op + 1)
	case p.match < p.sentAtHeartbeat && p.match == p.matchAtAnswer: // its acknowledgement may be lost
		p.elicitAck = true
	}
	p.matchAtAnswer = p.match
}

// probeAgain resumes the search for where the logs agree. It restarts from the end of the log, or,
// if the latest probe left before the answered heartbeat and so was lost, from that probe.
func (p *progress) probeAgain(answered Round) {
	switch {
	case p.state != probing:
		p.probe(p.sentAtHeartbeat + 1)
	case p.probeSent && p.prepareRound < answered:
		p.probe(p.preparePrev + 1)
	}
}

// answered records an answer of a backup. A primary that was about to leave because too few
// answered goes on if enough do now (V2).
func (r *Replica) answered(from Index) {
	r.primary.progress[from].answeredAt = r.now
	if r.isPrimary() && r.primary.resigned == noQuorum && r.hearsQuorum() {
		r.resumeRole()
	}
}

// resumeRole makes the primary serve again in a view that it has not left.
func (r *Replica) resumeRole() {
	r.primary.resigned = serving
	r.primary.heartbeatAt = r.now
	r.withdraw()
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

// primaryDeadline returns when the primary's next timeout expires.
func (r *Replica) primaryDeadline() time.Time {
	if !r.isPrimary() || r.primary.resigned != serving {
		return time.Time{}
	}
	return earlier(earlier(r.primary.heartbeatAt, r.diskDeadline()), r.handoverDeadline())
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

// setDiskFull makes the primary resign when its disk is full, and serve again when the disk has
// space (F13).
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
