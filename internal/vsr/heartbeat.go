package vsr

import "time"

// The primary's heartbeats and the answers to them (N5, N6), which show that messages were lost.

// heartbeat sends the commit number to all backups, with a new round (N5, N6). Only the turn of the
// protocol loop calls it: a loop that hangs must not appear alive (D2).
func (r *Replica) heartbeat() {
	p := &r.primary
	p.round++
	p.heartbeatAt = r.now.Add(r.heartbeatInterval())
	r.keepAbove = r.lowestNeeded()
	for _, i := range r.others {
		q := &p.progress[i]
		q.commitSent = r.commit
		if q.probeSent && r.overdue(q) { // a member that belongs to no group yet does not answer heartbeats
			q.probe(q.preparePrev + 1)
			q.tries++
		} else if q.probeSent && r.cannotAnswer(q) {
			q.probe(max(q.preparePrev, q.seen) + 1)
		}
		if q.state == installing && r.now.Sub(q.offeredAt) >= repeatOffers*r.cfg.Heartbeat {
			r.offer(i)
		}
	}
	r.noteAcknowledged()
	if len(r.others) > 0 {
		r.send(&Commit{View: r.head.View, Commit: r.commit, Round: p.round, Keep: r.keepAbove, Withdrawn: r.lastVote, Acknowledged: r.memories.share(), Reports: r.report()}, r.others...)
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

// heartbeatDue reports whether the next heartbeat must be sent now.
func (r *Replica) heartbeatDue() bool { return !r.now.Before(r.primary.heartbeatAt) || r.newsAwaited() }

// hurryHeartbeat makes the next heartbeat come soon, so that backups learn of a commit even if no
// Prepare carries it, and reads that wait behind a round have another (R1).
func (r *Replica) hurryHeartbeat() {
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

// overdue reports whether a backup has not answered Prepares for so long that they, or their answers, must
// have been lost. An answer to a heartbeat proves nothing by itself: the heartbeat may have overtaken
// entries that are still on their way (N6). No time need pass if they were dropped here.
func (r *Replica) overdue(p *progress) bool {
	return p.dropped && p.seen < p.next-1 || r.now.Sub(p.progressAt) >= p.flow.Patience(r.cfg.Heartbeat, r.cfg.Heartbeat, p.tries, p.inFlightBytes)
}

// onCommitOK counts an answer to a heartbeat (N6), and resends entries if answers have shown no progress
// for too long. One without a round answers nothing: its sender does not hear the primary, and looks for a
// relay (X6).
func (r *Replica) onCommitOK(from Index, m *CommitOK) {
	if !r.isPrimary() || m.View != r.head.View || m.Round == 0 || m.Round > r.primary.round {
		return
	}
	p := &r.primary.progress[from]
	p.answeredRound = max(p.answeredRound, m.Round)
	p.applied, p.full, p.problem = m.Applied, m.Full, m.Problem
	if r.now.Sub(p.answeredAt) > voteExpiry*r.cfg.Heartbeat {
		p.restarted() // it was away
	}
	r.answered(from)
	r.updateSpace()
	r.confirmReads()
	if p.state == installing || !p.loadingSince.IsZero() {
		return
	}
	p.reported(min(m.Op, r.log.last.Op), r.now)
	switch restarted := m.Op == 0 && p.state == streaming && m.Round == r.primary.round; {
	case restarted: // nothing is checked in this view any more: a Prepare finds where its log stands
		p.probe(p.next)
		p.restarted()
	case !r.overdue(p) || p.state == probing && !p.probeSent:
		return
	case p.probeSent:
		p.probe(p.preparePrev + 1)
	case p.seen < p.next-1:
		p.probe(p.seen + 1)
	case p.match < p.seen:
		p.elicitAck = true
	default:
		return
	}
	p.progressAt = r.now
	p.tries++
}
