package vsr

import (
	"time"

	"github.com/smr-go/smr/internal/flow"
)

// Choosing and fetching the log that a view begins with (V6, V7): the part of the view's primary,
// and that of the member with the best log.

// onDoViewChange counts the log that another member describes (V6), and enters the view if it is
// newer (V4).
func (r *Replica) onDoViewChange(from Index, m *DoViewChange) {
	if m.View > r.head.View {
		r.enter(m.View)
	}
	r.learnAcknowledged(m.Acknowledged)
	r.learnStall(m.Stalled)
	r.noteLoss(from, r.startSeen[from], m) // the acknowledgements that it carries may prove the sender's own loss (S6)
	if m.View != r.head.View || r.memories.lost[from] {
		return
	}
	if r.isPrimary() { // the sender has restarted, or missed the beginning of the view
		p, agreed := &r.primary.progress[from], r.log.agree(m.Last)
		p.full = m.Full
		if p.probeSent && p.preparePrev == agreed && !r.overdue(p) {
			return // a copy: the Prepare that makes the sender a backup of this view is on its way
		}
		p.probe(agreed + 1)
		p.restarted()
		return
	}
	c := &r.viewChange
	if !r.isNextPrimary() {
		return
	}
	if was := c.logs[from]; was == nil || m.Last.Compare(was.Last) > 0 || m.Last == was.Last && m.Full != was.Full {
		c.logs[from], c.best, c.stateRequested = m, nil, false // a second description: the member has installed a snapshot, or its disk is full, or no longer
		r.tryLead()
	}
}

// describeAgain describes the log again after a snapshot was installed during a view change. The
// snapshot holds only committed ops, so this log is better than the one described before.
func (r *Replica) describeAgain() {
	r.dropDescription()
	r.viewChange.best, r.viewChange.stateRequested = nil, false
	r.describeLog()
}

// isNextPrimary reports whether this replica will lead the view that has not begun.
func (r *Replica) isNextPrimary() bool {
	return r.status == changingView && r.prim() == r.self && !r.viewChange.barred
}

// tryLead chooses the best log once Qv members have described theirs and its own is durable (V6).
// It leads once it holds the best log.
func (r *Replica) tryLead() {
	c := &r.viewChange
	if !r.isNextPrimary() || c.described == nil || max(r.saves.headSeq, r.saves.logSeq) > r.saves.doneSeq && c.best == nil {
		return
	}
	if m := &r.memories; m.acknowledged != nil && r.stopUnlessCovered(m.acknowledged[r.self].Last) {
		return // S6: its own log does not count either
	}
	c.logs[r.self] = c.described
	if c.best == nil && !r.chooseLog() {
		return
	}
	if v := r.betterPlace(); v > 0 { // F13
		if !c.voting || c.ownNext != v {
			r.vote(v)
		}
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

// chooseLog picks the log with the highest last viewstamp; among equals it prefers its own. It
// reports false while fewer than Qv members have described theirs.
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

// learnFromLogs adopts the highest commit number that the described logs name. The log of this
// replica now holds every committed entry.
func (r *Replica) learnFromLogs() {
	for _, d := range r.viewChange.logs {
		if d != nil {
			r.commit = max(r.commit, min(d.Commit, r.log.last.Op))
		}
	}
}

// requestState asks the owner of the best log for the entries after prev (V6).
func (r *Replica) requestState(prev Viewstamp) {
	c := &r.viewChange
	r.sendTo(c.owner, &GetState{View: r.head.View, Best: c.best.Last, Prev: prev})
}

// onGetState sends the new primary the entries it lacks, as long as the view has not begun: until
// then the log is the one that the DoViewChange described (V6).
func (r *Replica) onGetState(from Index, m *GetState) {
	if r.status != changingView || m.View != r.head.View || from != r.prim() || m.Best != r.log.last {
		return
	}
	prev, c := r.log.agree(m.Prev), &r.viewChange
	if c.givenFrom == prev+1 && (c.giving || r.now.Before(c.givenUntil)) {
		return // the answer is being read, or on its way
	}
	if prev < r.log.base.Op {
		r.sendTo(from, &NewState{View: m.View, Best: m.Best, Gone: true})
		return
	}
	if entries := r.log.entries(prev+1, m.Best.Op, MaxBatch); entries != nil || prev == m.Best.Op {
		r.answerState(from, m.View, m.Best, prev, entries)
		return
	}
	c.givenFrom, c.giving = prev+1, true
	r.requestLoad(Load{For: from, From: prev + 1, To: m.Best.Op, Bytes: MaxBatch, Best: m.Best, View: m.View})
}

// answerState sends the entries after prev, unless the view has changed or begun while they were
// loaded.
func (r *Replica) answerState(to Index, v View, best Viewstamp, prev OpNumber, entries []Entry) {
	stamp, ok := r.log.stamp(prev)
	if r.status != changingView || v != r.head.View || best != r.log.last {
		return
	}
	c, bytes := &r.viewChange, int64(0)
	for i := range entries {
		bytes += entries[i].size()
	}
	c.givenFrom, c.giving, c.givenUntil = prev+1, false, r.now.Add(time.Duration(bytes*int64(time.Second)/flow.Slowest))
	if !ok || len(entries) == 0 && prev < best.Op {
		r.sendTo(to, &NewState{View: v, Best: best, Gone: true})
		return
	}
	r.sendTo(to, &NewState{View: v, Best: best, Prev: stamp, Entries: entries})
}

// onNewState merges a part of the best log, as a backup merges a Prepare (N3), and requests the
// next part (V6).
func (r *Replica) onNewState(from Index, h Header, m *NewState) {
	if r.head.Group == (GroupID{}) {
		r.joinInViewChange(from, h, m)
		return
	}
	c := &r.viewChange
	if !r.isNextPrimary() || m.View != r.head.View || c.best == nil || m.Best != c.best.Last || from != c.owner {
		return
	}
	r.stateMoves()
	switch {
	case m.Gone: // V6: let the owner lead instead
		r.vote(r.members.viewOf(c.owner, r.head.View))
	case m.Prev.Op > r.commit && !r.log.has(m.Prev):
		prev, _ := r.log.stamp(r.log.agree(m.Prev)) // not below base: m.Prev is above the commit number
		r.requestState(prev)
	default:
		r.mergeState(m)
	}
}

func (r *Replica) mergeState(m *NewState) {
	c := &r.viewChange
	if err := r.merge(m.Entries); err != nil { // no entry is above the best viewstamp
		r.out.Err = err
		return
	}
	if r.log.last == c.best.Last {
		r.tryLead()
		return
	}
	r.requestState(r.log.last)
}
