package vsr

import (
	"cmp"
	"fmt"
)

// Check returns an error if an invariant of a single replica is broken (section 11). The fields
// state the invariants that bind them.
func (r *Replica) Check() error {
	l := &r.log
	switch {
	case r.applied > r.delivered || r.delivered > max(r.commit, r.takenBack) || r.commit > l.last.Op:
		return fmt.Errorf("11.1: applied %d <= delivered %d <= commit %d <= last %d", r.applied, r.delivered, r.commit, l.last.Op)
	case l.base.Op > l.last.Op || l.base.Op > r.snapshot.Last.Op || r.snapshot.Last.Op > r.delivered:
		return fmt.Errorf("log begins after %d: last %d, snapshot %d, delivered %d", l.base.Op, l.last.Op, r.snapshot.Last.Op, r.delivered)
	case l.last.Epoch > r.head.Epoch || l.last.Epoch == r.head.Epoch && l.last.View > r.head.View:
		return fmt.Errorf("11.4: log ends at %v, above the replica's view %d", l.last, r.head.View)
	case l.tailFrom() <= l.base.Op:
		return fmt.Errorf("op %d is in memory, and the log begins after %d", l.tailFrom(), l.base.Op)
	case r.checked > l.last.Op:
		return fmt.Errorf("checked %d, last %d", r.checked, l.last.Op)
	case r.isPrimary() && r.viewChange.barred:
		return fmt.Errorf("V2: leads view %d, in which it restarted", r.head.View)
	case r.head.Known != (GroupID{}) && (r.head.Group != (GroupID{}) || r.status != recovering):
		return fmt.Errorf("S2: belongs to group %v, and knows that group %v is confirmed", r.head.Group, r.head.Known)
	case len(r.chunkReads) > maxChunkReads:
		return fmt.Errorf("11.10: reads %d chunks at once", len(r.chunkReads))
	case r.viewChange.voting && r.viewChange.votes[r.self].IsZero():
		return fmt.Errorf("V1: votes to leave view %d, and its vote is not counted", r.head.View)
	}
	return cmp.Or(l.check(), r.saves.check(l.last.Op), r.requests.check(), r.checkPrimary(), r.checkReads(), r.transfer.check(), r.checkLost(), r.checkLimits())
}

// checkLost returns an error if a member whose memory is lost counts for something (S6).
func (r *Replica) checkLost() error {
	c := &r.viewChange
	for i, lost := range r.memories.lost {
		if !lost {
			continue
		}
		p := &r.primary.progress[i]
		if i == int(r.self) || r.heardLately(Index(i)) || !c.votes[i].IsZero() || c.logs != nil && c.logs[i] != nil || r.isPrimary() && p.match+OpNumber(p.answeredRound) > 0 {
			return fmt.Errorf("S6: %s, and counts: match %d, answered round %d", r.memories.problem, p.match, p.answeredRound)
		}
	}
	return nil
}

// check returns an error if the numbers of saves or their ops are out of order.
func (s *saves) check(last OpNumber) error {
	if s.doneSeq > s.issuedSeq || max(s.headSeq, s.logSeq) > s.nextSeq() || s.identitySeq > s.headSeq || s.appendedFrom > last || s.durable > last {
		return fmt.Errorf("saves: done %d <= issued %d, identity %d, head %d, log %d; appended from %d, durable %d, last %d",
			s.doneSeq, s.issuedSeq, s.identitySeq, s.headSeq, s.logSeq, s.appendedFrom, s.durable, last)
	}
	before := s.doneSeq
	for _, x := range s.issued {
		if x.seq <= before || x.seq > s.issuedSeq || x.last > last {
			return fmt.Errorf("save %d, up to op %d, follows %d; issued %d, last %d", x.seq, x.last, before, s.issuedSeq, last)
		}
		before = x.seq
	}
	for _, x := range s.deferred {
		if x.save <= s.doneSeq || x.save > s.nextSeq() {
			return fmt.Errorf("%v waits for save %d; done %d, issued %d", KindOf(x.out.Message), x.save, s.doneSeq, s.issuedSeq)
		}
	}
	return nil
}

// check returns an error if the numbers of the requests are out of order.
func (q *requests) check() error {
	end := q.floor + uint64(len(q.waiting))
	if q.nextToSend < q.floor || q.nextToSend > end || len(q.waiting) > 0 && q.waiting[0] == nil {
		return fmt.Errorf("X2: requests %d to %d, of which %d is next to be sent", q.floor, end, q.nextToSend)
	}
	return q.results.check(len(q.waiting))
}

// checkPrimary returns an error if what a primary knows of its backups contradicts its log.
func (r *Replica) checkPrimary() error {
	if !r.isPrimary() {
		return nil
	}
	last, round := r.log.last.Op, r.primary.round
	if r.primary.opening > last || r.primary.progress[r.self].match > r.saves.durable {
		return fmt.Errorf("opening %d, own match %d, durable %d, last %d", r.primary.opening, r.primary.progress[r.self].match, r.saves.durable, last)
	}
	for _, i := range r.others {
		p := &r.primary.progress[i]
		if p.match >= p.next || p.next > last+1 || max(p.preparePrev, p.seen, p.sentTo, p.forwarded) > last ||
			p.answeredRound > round || p.match > p.seen || p.commitSent > r.commit || p.probeSent && p.state != probing {
			return fmt.Errorf("progress of %s: %+v; round %d, commit %d, last %d", r.memberID(i), *p, round, r.commit, last)
		}
	}
	return nil
}

// checkReads returns an error if a round has not begun at this primary, or if reads are both
// confirmed here and asked of the primary.
func (r *Replica) checkReads() error {
	w := &r.reads
	if r.isPrimary() && len(w.inquirers) > 0 || !r.isPrimary() && len(w.rounds) > 0 {
		return fmt.Errorf("R1: %d rounds of reads, %d reads asked of the primary; primary: %v", len(w.rounds), len(w.inquirers), r.isPrimary())
	}
	asked := [MaxVoters]int{} // by other members
	count := func(all []reader) {
		for _, x := range all {
			asked[x.from]++
		}
	}
	count(w.waiting)
	before := Round(0)
	for _, b := range w.rounds {
		count(b.readers)
		if b.round <= before || b.round > r.primary.round || b.op > r.commit {
			return fmt.Errorf("R1: reads of round %d at op %d follow round %d; round %d, commit %d", b.round, b.op, before, r.primary.round, r.commit)
		}
		before = b.round
	}
	for _, i := range r.others {
		if asked[i] > 1 || asked[i] > 0 && !r.isPrimary() {
			return fmt.Errorf("11.10: %d questions of %s wait for a round, not 1 at most; primary: %v", asked[i], r.memberID(i), r.isPrimary())
		}
	}
	return nil
}

// check returns an error if too many chunks are in flight.
func (t *transfer) check() error {
	under := len(t.requested) + t.writing
	if len(t.requested) > chunkWindow || t.completing && under+len(t.missing) > 0 {
		return fmt.Errorf("C2: %d chunks requested, %d being written, %d missing; completing: %v", len(t.requested), t.writing, len(t.missing), t.completing)
	}
	return nil
}

// checkLimits returns an error if something in memory exceeds its limit (11.10). A limit in bytes
// may be exceeded by the one element that was accepted while there was room.
func (r *Replica) checkLimits() error {
	q, a := &r.requests, &r.applying
	waiting, count := int64(0), 0
	for _, w := range q.waiting {
		if w != nil {
			waiting += int64(len(w.body)) + entryOverhead
			count++
		}
	}
	switch {
	case q.bytes != waiting || q.bytes > r.cfg.Window && count > 1:
		return fmt.Errorf("11.10: requests of %d bytes wait, counted as %d; the window is %d", waiting, q.bytes, r.cfg.Window)
	case len(q.waiting) > SessionLimit:
		return fmt.Errorf("11.10: requests of %d numbers are open, not %d at most (X2)", len(q.waiting), SessionLimit)
	case len(r.chunkReads) > maxChunkReads:
		return fmt.Errorf("11.10: %d chunks are read for other members, not %d at most", len(r.chunkReads), maxChunkReads)
	case len(a.batches) > 1 && a.bytes-a.batches[len(a.batches)-1].bytes > min(maxDelivered, r.cfg.Window):
		return fmt.Errorf("11.10: %d bytes wait to be applied, and more were handed out", a.bytes-a.batches[len(a.batches)-1].bytes)
	}
	if err := r.saves.checkDeferred(r.n); err != nil {
		return err
	}
	return cmp.Or(r.checkWindow(), r.checkUnapplied(), r.checkMemory(), r.checkInFlight(), r.checkForwarding())
}

// sessionEntries is an upper bound on the bytes of the entries that open sessions, which need no room.
const sessionEntries = 1 << 10

// checkWindow checks the bytes of the entries that a primary has accepted and that are not applied and
// durable here (N1).
func (r *Replica) checkWindow() error {
	l, opening := &r.log, r.primary.opening
	from := max(min(r.applied, r.saves.durable), opening)
	if !r.isPrimary() || opening == 0 || from >= l.last.Op {
		return nil
	}
	if n := l.bytesAbove(from) - l.bytesAbove(l.last.Op-1); n > r.cfg.Window+sessionEntries {
		return fmt.Errorf("11.10: %d bytes above op %d and one entry more are in the window; applied %d, durable %d, limit %d", n, from, r.applied, r.saves.durable, r.cfg.Window)
	}
	return nil
}

// checkInFlight checks the bytes of entries in flight to each member (C1).
func (r *Replica) checkInFlight() error {
	if !r.isPrimary() {
		return nil
	}
	most := r.newFlow()
	limit := most.Limit()
	for i := range r.primary.progress {
		p, sum, seen := &r.primary.progress[i], int64(0), int64(0)
		for i, x := range p.inFlight {
			sum += x.bytes
			if i < p.seenCount {
				seen += x.bytes
			}
		}
		limit := limit
		if seen > 0 {
			limit = max(limit, r.cfg.Window) // it may outrun its disk
		}
		if n := len(p.inFlight); sum != p.inFlightBytes || seen != p.seenBytes || n > 0 && sum-p.inFlight[n-1].bytes > limit {
			return fmt.Errorf("11.10: %d bytes are in flight to %s, counted as %d; the limit is %d and one message", sum, r.memberID(Index(i)), p.inFlightBytes, limit)
		}
	}
	return nil
}

// checkDeferred checks that at most one message of each superseding kind is queued per receiver and
// save. A primary that forms the group repeats the other kinds until a member answers, and does not
// abdicate; they have a limit of their own.
func (s *saves) checkDeferred(members int) error {
	again := 0
	for i := range s.deferred {
		if messageKinds[KindOf(s.deferred[i].out.Message)].supersedes {
			again++
		}
	}
	if again > 2*len(s.issued)+2*members || len(s.deferred)-again > 16*members {
		return fmt.Errorf("11.10: %d messages wait for %d saves, of which %d repeat one another", len(s.deferred), len(s.issued), again)
	}
	return nil
}

// checkUnapplied checks the bytes of entries that a backup without a disk holds and has not applied. The one message that
// was taken while there was room may exceed the limit.
func (r *Replica) checkUnapplied() error {
	l, limit := &r.log, 2*r.cfg.Window
	if !r.cfg.Volatile || r.isPrimary() || r.applied >= l.last.Op {
		return nil
	}
	if n := l.bytesAbove(r.applied) - l.bytesAbove(l.last.Op-1); n > limit+MaxBatch {
		return fmt.Errorf("11.10: %d bytes in memory and one entry more are not applied, and the limit is %d and one message", n, limit)
	}
	return nil
}

// checkMemory checks the bytes of durable entries in memory: of those that are applied, and of all.
func (r *Replica) checkMemory() error {
	l, limit := &r.log, r.cfg.Tail+r.cfg.Tail/8
	if r.cfg.Volatile || r.saves.doneSeq == 0 || l.tail.empty() {
		return nil
	}
	if unsaved, limit := l.bytesAbove(r.saves.durable), r.mostUnsaved()+MaxBody+MaxBatch; !r.isPrimary() && unsaved > limit {
		return fmt.Errorf("11.10: %d bytes wait to be durable, not %d at most", unsaved, limit)
	}
	all := l.tail.bytes()
	if applied := all - l.bytesAbove(min(r.applied, r.saves.durable)); applied > limit {
		return fmt.Errorf("11.10: %d bytes in memory are durable and applied, not %d at most", applied, limit)
	}
	if durable := all - l.bytesAbove(r.saves.durable); durable > limit && durable-l.tail.chunks[0].entries[0].size() > r.cfg.Window {
		return fmt.Errorf("11.10: %d bytes in memory are durable, and the window is %d", durable, r.cfg.Window)
	}
	return nil
}

// check returns an error if views fall along the log, or its parts disagree.
func (l *log) check() error {
	before := l.base
	for i, run := range l.runs {
		if run.Compare(before) <= 0 || run.Op <= before.Op || i == 0 && run.Op != l.base.Op+1 {
			return fmt.Errorf("11.4: run %v after %v", run, before)
		}
		before = run
	}
	if (len(l.runs) == 0) != (l.base == l.last) || before.Op > l.last.Op || !before.sameView(l.last) {
		return fmt.Errorf("last run %v, log ends at %v", before, l.last)
	}
	return l.checkTail()
}

// checkTail checks that the entries in memory have the views of runs. It walks both in parallel,
// because it runs after every step.
func (l *log) checkTail() error {
	runs, last := l.runs, l.tailFrom()-1
	var run Viewstamp // the run of the entry; op 0: none
	for e := range l.tail.all() {
		for len(runs) > 0 && runs[0].Op <= e.Op {
			run, runs = runs[0], runs[1:]
		}
		if run.Op == 0 || e.Op > l.last.Op || e.View != run.View || e.Epoch != run.Epoch {
			return fmt.Errorf("11.4: entry %v is in memory, and not in the log: base %v, last %v, runs %v", e.Stamp(), l.base, l.last, l.runs)
		}
		last = e.Op
	}
	if last != l.last.Op {
		return fmt.Errorf("op %d is the last in memory, and the log ends at %d", last, l.last.Op)
	}
	return l.tail.check()
}
