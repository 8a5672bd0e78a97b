package vsr

import (
	"fmt"
	"strings"
)

// State is what a replica tells of itself.
type State struct {
	Phase    Phase
	Head     Head
	Primary  Index // -1: unknown
	Members  Membership
	Last     Viewstamp
	First    OpNumber // first op of the log
	Commit   OpNumber
	Applied  OpNumber
	Snapshot OpNumber
	Problem  string

	HandingOver bool // a primary: a handover is under way
}

// Phase names what a replica does for those outside.
type Phase uint8

// The phases.
const (
	Forming      Phase = iota // holds no group, or one that is not confirmed
	Recovering                // the group exists, its memory is not of it (S3)
	InViewChange              //
	Backup                    //
	Primary                   //
)

var phaseNames = [...]string{"forming", "recovering", "view change", "backup", "primary"}

func (p Phase) String() string { return phaseNames[p] }

// State returns what this replica is and holds now.
func (r *Replica) State() State {
	s := State{Phase: r.phase(), Head: r.head, Primary: -1, Members: r.members, Last: r.log.last, First: r.log.base.Op + 1,
		Commit: r.commit, Applied: r.applied, Snapshot: r.snapshot.Last.Op, Problem: r.problem,
		HandingOver: r.isPrimary() && r.primary.handover.active}
	if r.status == normal && s.Phase != InViewChange {
		s.Primary = r.prim()
	}
	if s.Problem == "" {
		s.Problem = r.missingQuorum()
	}
	if r.full {
		s.Problem = "the disk is full: this replica acknowledges nothing until there is space"
	}
	return s
}

func (r *Replica) phase() Phase {
	switch {
	case r.forming.lost:
		return Recovering
	case r.status == recovering || !r.confirmed():
		return Forming
	case r.status == changingView:
		return InViewChange
	case r.isPrimary() && r.primary.resigned == noQuorum:
		return InViewChange // it takes nothing, and waits for another, or for answers
	case r.isPrimary():
		return Primary
	}
	return Backup
}

// missingQuorum says which members are missing when too few are heard for the group to go on.
func (r *Replica) missingQuorum() string {
	left := r.isPrimary() && r.primary.resigned == noQuorum
	if !left && (r.status != changingView || r.viewChange.timeout <= changeTimeout*r.cfg.Heartbeat) {
		return "" // nothing is wrong, or it has not lasted
	}
	var silent []string
	for _, i := range r.others {
		if !r.heardLately(i) {
			silent = append(silent, r.memberID(i))
		}
	}
	if r.n-len(silent) >= max(r.members.Qr, r.members.Qv) {
		return ""
	}
	return fmt.Sprintf("no quorum: %d of %d members are there, %d are needed; %s cannot be heard",
		r.n-len(silent), r.n, max(r.members.Qr, r.members.Qv), strings.Join(silent, ", "))
}

// Commit returns the commit number.
func (r *Replica) Commit() OpNumber { return r.commit }

// Stamp returns the viewstamp of an op that the log holds, or that it begins after.
func (r *Replica) Stamp(op OpNumber) (Viewstamp, bool) { return r.log.stamp(op) }

// Check returns an error if one of the invariants of a single replica is broken (section 11).
func (r *Replica) Check() error {
	l := &r.log
	switch {
	case r.applied > r.delivered || r.delivered > r.commit || r.commit > l.last.Op:
		return fmt.Errorf("11.1: applied %d <= delivered %d <= commit %d <= last %d", r.applied, r.delivered, r.commit, l.last.Op)
	case l.base.Op > l.last.Op || l.base.Op > r.snapshot.Last.Op:
		return fmt.Errorf("log begins after %d: last %d, snapshot %d", l.base.Op, l.last.Op, r.snapshot.Last.Op)
	case l.last.Epoch > r.head.Epoch || l.last.Epoch == r.head.Epoch && l.last.View > r.head.View:
		return fmt.Errorf("11.4: log ends at %v, above the replica's view %d", l.last, r.head.View)
	case len(l.tail) != len(l.sizes) || OpNumber(len(l.tail)) > l.last.Op-l.base.Op:
		return fmt.Errorf("tail of %d entries, %d sizes, log of %d", len(l.tail), len(l.sizes), l.last.Op-l.base.Op)
	case r.checked > l.last.Op:
		return fmt.Errorf("checked %d, last %d", r.checked, l.last.Op)
	case r.saves.durable > l.last.Op:
		return fmt.Errorf("durable %d, last %d", r.saves.durable, l.last.Op)
	case r.isPrimary() && r.viewChange.barred:
		return fmt.Errorf("V2: leads view %d, in which it restarted", r.head.View)
	}
	if err := l.check(); err != nil {
		return err
	}
	return r.checkLimits()
}

// checkLimits returns an error if something in memory has grown beyond its limit (11.10). What is limited in
// bytes may go beyond by the one thing that was taken while there was room.
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
	case len(a.batches) > 1 && a.bytes-a.batches[len(a.batches)-1].bytes > min(maxDelivered, r.cfg.Window):
		return fmt.Errorf("11.10: %d bytes wait to be applied, and more were handed out", a.bytes-a.batches[len(a.batches)-1].bytes)
	}
	if err := r.saves.checkDeferred(r.n); err != nil {
		return err
	}
	return r.checkMemory()
}

// checkDeferred checks that of what is said again and again only the latest waits, to each member and for each save. A
// primary that forms the group says the rest for as long as it hears nobody and does not abdicate.
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

// checkMemory checks the bytes of durable entries in memory: of those that are applied, and of all.
func (r *Replica) checkMemory() error {
	l, limit := &r.log, r.cfg.Tail+r.cfg.Tail/8
	if r.cfg.Volatile || r.saves.doneSeq == 0 || len(l.tail) == 0 {
		return nil
	}
	all := l.sizeEnd() - l.size0
	if applied := all - l.bytesAbove(min(r.applied, r.saves.durable)); applied > limit {
		return fmt.Errorf("11.10: %d bytes in memory are durable and applied, not %d at most", applied, limit)
	}
	if durable := all - l.bytesAbove(r.saves.durable); durable > limit && durable-l.tail[0].size() > r.cfg.Window {
		return fmt.Errorf("11.10: %d bytes in memory are durable, and the window is %d", durable, r.cfg.Window)
	}
	return nil
}

// check returns an error if the log's views fall along it, or its parts disagree.
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

// checkTail checks that the entries in memory are those that the runs say. Both are walked through
// side by side: it is done after every step.
func (l *log) checkTail() error {
	tail, runs := l.tail, l.runs
	var run Viewstamp // that the entry is of; op 0: none
	for i := range tail {
		e := &tail[i]
		for len(runs) > 0 && runs[0].Op <= e.Op {
			run, runs = runs[0], runs[1:]
		}
		if run.Op == 0 || e.Op > l.last.Op || e.View != run.View || e.Epoch != run.Epoch || i > 0 && e.Op != tail[i-1].Op+1 {
			return fmt.Errorf("11.4: entry %v is in memory, and not in the log: base %v, last %v, runs %v", e.Stamp(), l.base, l.last, l.runs)
		}
	}
	return nil
}
