package vsr

import "time"

// change is what a replica keeps of the leaving of its present view, and of the choosing of a log
// for it while the view has not begun.
type change struct {
	voting  bool        // its own vote to leave stands (V1)
	next    View        // named by its own vote, if it is the view's primary
	votes   []time.Time // by member: when its vote to leave came; zero: none
	named   View        // the view to enter next, says this view's primary (V2)
	voteAt  time.Time   // when to repeat the vote
	quietTo time.Time   // after a restart: no vote of its own before (N8)

	timeout  time.Duration // how long this view change may take (V8)
	giveUpAt time.Time
	resendAt time.Time
	sent     *DoViewChange // what it entered the view with
	barred   bool          // it restarted in a view that it leads itself, and so never leads it (V2)

	// The primary's to be:
	logs     []*DoViewChange // by member (V6)
	owner    Index           // of the best log, once chosen
	best     *DoViewChange   // nil before
	fetching bool            // GetState is out, or its answer being put in
}

// Multiples of the heartbeat.
const (
	repeatVotes   = 2  // votes and DoViewChanges are repeated
	lapseVotes    = 10 // votes of others lapse; who has been silent so long has not been heard lately
	changeTimeout = 10 // a view change may take this long at first
	growTimeout   = 16 // and this many times as long after many failed ones
)

func (r *Replica) after(heartbeats int) time.Time {
	return r.now.Add(time.Duration(heartbeats) * r.cfg.Heartbeat)
}

// lately reports whether the member was heard within the time in which votes count.
func (r *Replica) lately(i Index) bool {
	return i == r.self || !r.heard[i].IsZero() && r.now.Sub(r.heard[i]) <= lapseVotes*r.cfg.Heartbeat
}

// vote begins to vote to leave the present view (V1). next is named by the view's primary (V2), 0
// by all others.
func (r *Replica) vote(next View) {
	c := &r.change
	c.voting, c.next = true, next
	c.votes[r.self] = r.now
	r.repeatVote()
	r.countVotes()
}

func (r *Replica) repeatVote() {
	r.change.voteAt = r.after(repeatVotes)
	if len(r.others) > 0 {
		r.send(&StartViewChange{View: r.head.View, Next: r.change.next}, r.others...)
	}
}

// withdraw takes the vote back (V1).
func (r *Replica) withdraw() {
	c := &r.change
	if c.voting {
		c.voting, c.next, c.named, c.voteAt = false, 0, 0, time.Time{}
		c.votes[r.self] = time.Time{}
	}
}

// onStartViewChange counts a vote to leave; that of the view's own primary is proof enough (V2).
func (r *Replica) onStartViewChange(from Index, m *StartViewChange) {
	if m.View < r.head.View {
		return
	}
	if m.View > r.head.View {
		r.enter(m.View) // V4
	}
	r.change.votes[from] = r.now
	if from == r.prim() {
		r.change.named = 0
		if m.Next > m.View {
			r.change.named = m.Next
		}
		if !r.change.voting {
			r.vote(0)
			return
		}
	}
	r.countVotes()
}

// countVotes enters the next view with votes from Qv voters, its own among them (V3).
func (r *Replica) countVotes() {
	c := &r.change
	if !c.voting {
		return
	}
	count := 0
	for i := range c.votes {
		if Index(i) == r.self || !c.votes[i].IsZero() && r.now.Sub(c.votes[i]) <= lapseVotes*r.cfg.Heartbeat {
			count++
		}
	}
	if count >= r.members.Qv {
		r.enter(r.nextView())
	}
}

// nextView chooses the view to enter: the one that the primary or this replica as primary named,
// else the smallest above whose primary it has lately heard from, else the next (V3).
func (r *Replica) nextView() View {
	c := &r.change
	v := r.head.View
	switch {
	case c.named > v:
		return c.named
	case c.next > v:
		return c.next
	}
	for w := v + 1; w < v+View(r.n); w++ {
		if r.lately(r.members.prim(w)) && r.members.prim(w) != r.prim() {
			return w
		}
	}
	return v + 1
}

// setView makes v the present view; nothing of the old one is said or counted any more.
func (r *Replica) setView(v View) {
	r.head.View = v
	r.dropHeld()
	r.saveHead()
	r.checked, r.ackDue = 0, false
	c := &r.change
	*c = change{votes: c.votes, timeout: c.timeout, quietTo: c.quietTo}
	clear(c.votes)
	r.dropRounds()
}

// enter begins the change to view v (V5).
func (r *Replica) enter(v View) {
	if v <= r.head.View {
		return
	}
	unfinished := r.status == viewChange
	r.setView(v)
	r.status = viewChange
	r.beginChange(unfinished)
	r.describeLog()
	if r.prim() == r.self && r.full && r.n > 1 {
		r.vote(0) // F13
	}
}

// beginChange sets the time that the view change may take: longer after one that did not finish
// (V8).
func (r *Replica) beginChange(unfinished bool) {
	c := &r.change
	base := changeTimeout * r.cfg.Heartbeat
	if !unfinished || c.timeout == 0 {
		c.timeout = base
	} else {
		c.timeout = min(2*c.timeout, growTimeout*base)
	}
	jitter := time.Duration(r.cfg.Rand.Int64N(int64(c.timeout / 8)))
	c.giveUpAt = r.now.Add(c.timeout + jitter)
}

// describeLog sends DoViewChange once the view and the log it describes are durable (V5).
func (r *Replica) describeLog() {
	c := &r.change
	c.sent = &DoViewChange{View: r.head.View, Last: r.log.last, Commit: r.commit,
		First: r.log.base.Op + 1, Snapshot: r.snapshot.Last.Op}
	c.logs = make([]*DoViewChange, r.n)
	c.resendAt = r.after(repeatVotes)
	if len(r.others) > 0 {
		r.send(c.sent, r.others...)
	}
}

// settled ends the view change: the view has begun.
func (r *Replica) settled() {
	c := &r.change
	c.timeout, c.giveUpAt, c.resendAt, c.sent, c.logs, c.best = 0, time.Time{}, time.Time{}, nil, nil, nil
	c.fetching, c.barred = false, false
	r.dropDescription()
	r.withdraw()
}

// restarted resumes the durable view (N8); if this replica leads it, it says that it never will
// (V2).
func (r *Replica) restarted() {
	c := &r.change
	r.beginChange(false)
	c.quietTo = r.cfg.Detector.Deadline()
	if r.prim() == r.self {
		c.barred = true
		r.vote(0)
		return
	}
	r.describeLog()
}

// tickChange votes when the primary is suspected or the view change takes too long (V1, V8), and
// repeats what may have been lost.
func (r *Replica) tickChange() {
	c := &r.change
	if !r.now.Before(r.suspectAt()) && !c.voting {
		r.vote(0)
	}
	if c.voting && !r.now.Before(c.voteAt) {
		c.votes[r.self] = r.now
		r.repeatVote()
		r.countVotes()
	}
	if !c.resendAt.IsZero() && !r.now.Before(c.resendAt) {
		c.resendAt = r.after(repeatVotes)
		if c.sent != nil && len(r.others) > 0 {
			r.send(c.sent, r.others...)
		}
		if c.best != nil {
			r.askState(r.log.last)
		}
	}
}

// suspectAt returns when this replica votes to leave its view if nothing changes.
func (r *Replica) suspectAt() time.Time {
	at := r.change.giveUpAt
	if r.status == normal {
		if r.isPrimary() {
			return farAway
		}
		at = r.cfg.Detector.Deadline()
	}
	if at.Before(r.change.quietTo) {
		return r.change.quietTo
	}
	return at
}

var farAway = time.Unix(1<<40, 0)

// changeDeadline returns when tickChange is due.
func (r *Replica) changeDeadline() time.Time {
	if r.status == recovering {
		return time.Time{}
	}
	c := &r.change
	at := c.resendAt
	if c.voting {
		if at.IsZero() || c.voteAt.Before(at) {
			at = c.voteAt
		}
	} else if s := r.suspectAt(); at.IsZero() || s.Before(at) {
		at = s
	}
	return at
}
