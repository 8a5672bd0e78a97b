package vsr

// The choosing and fetching of the log that a view begins with (V6, V7), at its primary to be and
// at the owner of the best log.

// onDoViewChange takes another's log into account (V6). A higher view is entered (V4).
func (r *Replica) onDoViewChange(from Index, m *DoViewChange) {
	if m.View > r.head.View {
		r.enter(m.View)
	}
	if m.View != r.head.View {
		return
	}
	if r.isPrimary() { // it has restarted, or missed the beginning of the view
		p := &r.primary.progress[from]
		p.probe(r.log.agree(m.Last) + 1)
		return
	}
	if c := &r.viewChange; r.isNextPrimary() && (c.logs[from] == nil || m.Last.Compare(c.logs[from].Last) > 0) {
		c.logs[from], c.best, c.stateRequested = m, nil, false // a second one: it has installed a snapshot
		r.tryLead()
	}
}

// describeAgain tells what the log is now that a snapshot was installed during a view change: it
// holds committed ops only, so that the log is better than the one described before.
func (r *Replica) describeAgain() {
	r.dropDescription()
	r.viewChange.best, r.viewChange.stateRequested = nil, false
	r.describeLog()
}

// isNextPrimary reports whether this replica is to lead the view that is being changed to.
func (r *Replica) isNextPrimary() bool {
	return r.status == changingView && r.prim() == r.self && !r.viewChange.barred
}

// tryLead chooses the best log once Qv voters have described theirs, its own durable (V6), and
// leads once it holds that.
func (r *Replica) tryLead() {
	c := &r.viewChange
	if !r.isNextPrimary() || c.described == nil || max(r.saves.headSeq, r.saves.logSeq) > r.saves.doneSeq && c.best == nil {
		return
	}
	c.logs[r.self] = c.described
	if c.best == nil && !r.chooseLog() {
		return
	}
	switch {
	case c.best.Last == r.log.last:
		r.learnFromLogs()
		r.lead()
	case !c.stateRequested:
		c.stateRequested = true
		r.requestState(r.log.last)
	}
}

// chooseLog picks the log with the highest last viewstamp, its own if it is as good as any. It
// reports false while fewer than Qv voters have described theirs.
func (r *Replica) chooseLog() bool {
	c := &r.viewChange
	count, owner := 0, r.self
	for i, d := range c.logs {
		if d == nil {
			continue
		}
		count++
		if d.Last.Compare(c.logs[owner].Last) > 0 {
			owner = Index(i)
		}
	}
	if count < r.members.Qv {
		return false
	}
	c.owner, c.best = owner, c.logs[owner]
	return true
}

// learnFromLogs takes the highest commit number of the logs chosen from: this replica's log now
// holds all that is committed.
func (r *Replica) learnFromLogs() {
	for _, d := range r.viewChange.logs {
		if d != nil {
			r.commit = max(r.commit, min(d.Commit, r.log.last.Op))
		}
	}
}

// requestState asks the owner of the best log for what follows prev (V6).
func (r *Replica) requestState(prev Viewstamp) {
	c := &r.viewChange
	r.sendTo(c.owner, &GetState{View: r.head.View, Best: c.best.Last, Prev: prev})
}

// onGetState gives of its log what the new primary lacks, only while it is in that view and the
// view has not begun (V6): it is the log that its DoViewChange described.
func (r *Replica) onGetState(from Index, m *GetState) {
	if r.status != changingView || m.View != r.head.View || from != r.prim() || m.Best != r.log.last {
		return
	}
	prev := r.log.agree(m.Prev)
	if prev < r.log.base.Op {
		r.sendTo(from, &NewState{View: m.View, Best: m.Best, Gone: true})
		return
	}
	if entries := r.log.entries(prev+1, m.Best.Op, maxBatch); entries != nil || prev == m.Best.Op {
		r.answerState(from, m.View, m.Best, prev, entries)
		return
	}
	r.requestLoad(Load{For: from, From: prev + 1, To: m.Best.Op, Best: m.Best, View: m.View})
}

// answerState sends entries that follow prev, if the view has not moved on while they were loaded.
func (r *Replica) answerState(to Index, v View, best Viewstamp, prev OpNumber, entries []Entry) {
	stamp, ok := r.log.stamp(prev)
	if r.status != changingView || v != r.head.View || best != r.log.last {
		return
	}
	if !ok || len(entries) == 0 && prev < best.Op {
		r.sendTo(to, &NewState{View: v, Best: best, Gone: true})
		return
	}
	r.sendTo(to, &NewState{View: v, Best: best, Prev: stamp, Entries: entries})
}

// onNewState puts in a part of the best log, by the rule of N3, and asks for the next (V6).
func (r *Replica) onNewState(from Index, h Header, m *NewState) {
	if r.head.Group == (GroupID{}) {
		r.joinInViewChange(from, h, m)
		return
	}
	c := &r.viewChange
	if !r.isNextPrimary() || m.View != r.head.View || c.best == nil || m.Best != c.best.Last || from != c.owner {
		return
	}
	c.giveUpAt = r.now.Add(c.timeout) // it goes on
	c.resendAt = r.after(repeatVotes)
	switch {
	case m.Gone: // V6: give way to the owner
		r.vote(r.members.viewOf(c.owner, r.head.View))
	case m.Prev.Op > r.commit && !r.log.has(m.Prev):
		prev, _ := r.log.stamp(r.log.agree(m.Prev)) // at or above base: m.Prev is above what is committed
		r.requestState(prev)
	default:
		r.mergeState(m)
	}
}

func (r *Replica) mergeState(m *NewState) {
	c := &r.viewChange
	if err := r.merge(m.Entries); err != nil { // nothing in it is above the best viewstamp
		r.out.Err = err
		return
	}
	if r.log.last == c.best.Last {
		r.tryLead()
		return
	}
	r.requestState(r.log.last)
}
