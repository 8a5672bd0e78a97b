package vsr

import "time"

// The primary's heartbeats and the answers to them (N5, N6), which show what was lost on the way.

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
