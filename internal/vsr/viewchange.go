package vsr

import "time"

// viewChange is the state of leaving the current view, and, until that view has begun, of choosing
// the log that it begins with.
type viewChange struct {
	voting       bool        // its own vote to leave stands (V1)
	votes        []time.Time // by member: when its vote to leave came; zero if none has. voting implies !votes[self].IsZero()
	ownNext      View        // view that its own vote names; 0 unless it is this view's primary (V2)
	primaryNext  View        // view that the vote of this view's primary names; 0 if none (V2)
	repeatVoteAt time.Time   // when the vote is repeated; zero unless voting
	noVoteBefore time.Time   // after a restart: until then it does not vote of its own accord (N8)

	// Set while status is changingView:
	timeout   time.Duration // how long this view change may take (V8)
	giveUpAt  time.Time     // when it has taken that long
	described *DoViewChange // the log that it entered the view with (V5); nil if barred
	resendAt  time.Time     // when it is sent again
	barred    bool          // it restarted in a view that it leads, and so must never lead it (V2)

	// At the owner of the best log: the entries that it has given away last (V6).
	givenFrom  OpNumber  // the first of them; 0 if none were
	giving     bool      // they are being read from the disk
	givenUntil time.Time // until then they may be on their way

	// At the primary of the view that has not begun:
	logs           []*DoViewChange // by member: the log it entered the view with (V6)
	best           *DoViewChange   // the best of them, once chosen; best == logs[owner]
	owner          Index           // the member that holds it
	stateRequested bool            // a GetState has been sent, or its answer is being merged
}

// Multiples of the heartbeat.
const (
	repeatVotes   = 2  // interval at which votes and DoViewChanges are repeated
	voteExpiry    = 10 // votes of others expire after this time; so does a member's liveness
	changeTimeout = 10 // time that the first view change may take
	growTimeout   = 16 // after many failed ones, it may take this many times as long
)

// heardLately reports whether the member was heard from within the time in which votes count.
func (r *Replica) heardLately(i Index) bool {
	return i == r.self || !r.heardAt[i].IsZero() && r.now.Sub(r.heardAt[i]) <= voteExpiry*r.cfg.Heartbeat
}

// vote votes to leave the current view (V1). The view's primary names the next view (V2); for all
// others next is 0.
func (r *Replica) vote(next View) {
	c := &r.viewChange
	r.lastVote++
	c.voting, c.ownNext = true, next
	c.votes[r.self] = r.now
	r.repeatVote()
	r.countVotes()
}

func (r *Replica) repeatVote() {
	r.viewChange.repeatVoteAt = r.after(repeatVotes)
	if len(r.others) > 0 {
		r.send(&StartViewChange{View: r.head.View, Next: r.viewChange.ownNext, Vote: r.lastVote, Stalled: r.stalls.op}, r.others...)
	}
}

// withdraw withdraws this replica's vote (V1).
func (r *Replica) withdraw() {
	c := &r.viewChange
	if c.voting {
		c.voting, c.ownNext, c.primaryNext, c.repeatVoteAt = false, 0, 0, time.Time{}
		c.votes[r.self] = time.Time{}
	}
}

// onStartViewChange counts a vote to leave the view. The vote of the view's own primary is
// sufficient (V2), so a late copy of one that is withdrawn must not count (V1).
func (r *Replica) onStartViewChange(from Index, h Header, m *StartViewChange) {
	if m.View < r.head.View && r.status == normal {
		r.sendTo(from, &Gap{View: r.head.View}) // V4: it repeats its vote, and may not hear the present primary
	}
	if m.View < r.head.View || r.withdrawn[from].covers(h.Start, m.Vote) {
		return
	}
	r.learnStall(m.Stalled)
	if m.View > r.head.View {
		r.enter(m.View) // V4
	}
	r.viewChange.votes[from] = r.now
	if from == r.prim() {
		r.viewChange.primaryNext = 0
		if m.Next > m.View {
			r.viewChange.primaryNext = m.Next
		}
		if !r.viewChange.voting {
			r.vote(0)
			return
		}
	}
	r.countVotes()
}

// countVotes enters the next view once Qv voters, including this replica, have voted (V3).
func (r *Replica) countVotes() {
	c := &r.viewChange
	if !c.voting {
		return
	}
	count := 0
	for i := range c.votes {
		if Index(i) == r.self || !c.votes[i].IsZero() && r.now.Sub(c.votes[i]) <= voteExpiry*r.cfg.Heartbeat {
			count++
		}
	}
	if count >= r.members.Qv {
		r.enter(r.nextView())
	}
}

// nextView returns the view to enter: the one that the primary, or this replica as primary, has
// named; otherwise the next view whose primary was recently heard from; otherwise the next (V3).
func (r *Replica) nextView() View {
	c := &r.viewChange
	v := r.head.View
	switch {
	case c.primaryNext > v:
		return c.primaryNext
	case c.ownNext > v:
		return c.ownNext
	}
	for w := v + 1; w < v+View(r.n); w++ {
		if r.heardLately(r.members.prim(w)) && r.members.prim(w) != r.prim() {
			return w
		}
	}
	return v + 1
}

// setView makes v the current view, and discards the old view's messages and votes.
func (r *Replica) setView(v View) {
	r.noteAcknowledged()
	r.head.View = v
	r.dropDeferred()
	r.saveView()
	r.checked, r.ackDue = 0, false
	r.requests.before = r.requests.attempt
	c := &r.viewChange
	*c = viewChange{votes: c.votes, timeout: c.timeout, noVoteBefore: c.noVoteBefore}
	clear(c.votes)
	r.dropRounds()
	r.relays.deaf = false
	clear(r.relays.until)
	if r.full { // a primary has kept what its disk had no space for (F13)
		r.takeBack()
	}
}

// enter begins the change to view v (V5).
func (r *Replica) enter(v View) {
	if v <= r.head.View {
		return
	}
	unfinished := r.status == changingView
	r.setView(v)
	r.status = changingView
	r.beginChange(unfinished)
	r.describeLog()
}

// beginChange sets the timeout of a view change, which is longer after one that did not finish
// (V8).
func (r *Replica) beginChange(unfinished bool) {
	c := &r.viewChange
	base := changeTimeout * r.cfg.Heartbeat
	if !unfinished || c.timeout == 0 {
		c.timeout = base
	} else {
		c.timeout = min(2*c.timeout, growTimeout*base)
	}
	jitter := time.Duration(r.cfg.Rand.Int64N(int64(c.timeout / 8)))
	c.giveUpAt = r.now.Add(c.timeout + jitter)
}

// describeLog sends a DoViewChange, which leaves once the view and the log are durable (V5).
func (r *Replica) describeLog() {
	c := &r.viewChange
	c.described = &DoViewChange{View: r.head.View, Last: r.log.last, Commit: r.commit,
		First: r.log.base.Op + 1, Snapshot: r.snapshot.Last.Op, Stalled: r.stalls.op, Full: r.full, Acknowledged: r.memories.share()}
	c.logs = make([]*DoViewChange, r.n)
	c.resendAt = r.after(repeatVotes)
	if len(r.others) > 0 {
		r.send(c.described, r.others...)
	}
}

// endViewChange ends the view change, because the view has begun.
func (r *Replica) endViewChange() {
	c := &r.viewChange
	c.timeout, c.giveUpAt, c.resendAt, c.described, c.logs, c.best = 0, time.Time{}, time.Time{}, nil, nil, nil
	c.stateRequested, c.barred = false, false
	r.dropDescription()
	r.withdraw()
}

// resumeView resumes the durable view after a restart (N8). If this replica leads that view, it
// votes to leave it, because it must never lead it again (V2).
func (r *Replica) resumeView() {
	c := &r.viewChange
	r.beginChange(false)
	c.noVoteBefore = r.cfg.Detector.Deadline()
	if r.prim() == r.self {
		c.barred = true
		r.vote(0)
		return
	}
	r.describeLog()
}

// tickChange votes if the primary is suspected or the view change takes too long (V1, V8), and
// repeats messages that may have been lost.
func (r *Replica) tickChange() {
	c := &r.viewChange
	if !r.now.Before(r.suspectAt()) && !c.voting {
		r.vote(0)
	}
	if c.voting && !r.now.Before(c.repeatVoteAt) {
		c.votes[r.self] = r.now
		r.repeatVote()
		r.askForRelay()
		r.countVotes()
	}
	if !c.resendAt.IsZero() && !r.now.Before(c.resendAt) {
		c.resendAt = r.after(repeatVotes)
		if c.described != nil && len(r.others) > 0 {
			r.send(c.described, r.others...)
		}
		if c.best != nil {
			r.requestState(r.log.last)
		}
	}
}

// suspectAt returns when this replica votes to leave its view, unless something changes before. A
// backup trusts the primary as long as its detector does (D1).
func (r *Replica) suspectAt() time.Time {
	at := r.viewChange.giveUpAt
	if r.status == normal {
		if r.isPrimary() {
			return farAway
		}
		at = r.cfg.Detector.Deadline()
	}
	if at.Before(r.viewChange.noVoteBefore) {
		return r.viewChange.noVoteBefore
	}
	return at
}

// changeDeadline returns when tickChange is due.
func (r *Replica) changeDeadline() time.Time {
	if r.status == recovering {
		return time.Time{}
	}
	c := &r.viewChange
	at := c.resendAt
	if c.voting {
		if at.IsZero() || c.repeatVoteAt.Before(at) {
			at = c.repeatVoteAt
		}
	} else if s := r.suspectAt(); at.IsZero() || s.Before(at) {
		at = s
	}
	return at
}
