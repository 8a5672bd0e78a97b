package vsr

import (
	"fmt"
	"slices"
)

// follow makes this replica a backup of view v, after a message from that view's primary (N3, V4).
func (r *Replica) follow(v View) {
	if v > r.head.View || r.status != normal {
		if v > r.head.View {
			r.setView(v)
		}
		r.status = normal
		r.endViewChange()
		r.cfg.Detector.Reset(r.now)
		r.health.followed = r.prim()
		r.retryRequests()
	}
	r.cfg.Detector.Heard(r.now) // D1
	r.health.ledAt = r.now
	r.withdraw() // V1
}

// fromPrimary reports whether a message of view m comes from the primary of the current view,
// entering m first if it is newer.
func (r *Replica) fromPrimary(from Index, m View) bool {
	if m < r.head.View {
		r.sendTo(from, &Gap{View: r.head.View})
		return false
	}
	if from != r.members.prim(m) {
		return false
	}
	r.follow(m)
	return true
}

// onPrepare appends the primary's entries to the log (N3).
func (r *Replica) onPrepare(from Index, h Header, m *Prepare) {
	if r.head.Group == (GroupID{}) && (from != r.members.prim(m.View) || !r.joinGroup(from, h, m.View, m.Prev, m.Entries)) ||
		!r.fromPrimary(from, m.View) {
		return
	}
	if r.swamped() {
		return
	}
	entries := r.takes(m.Entries)
	if m.Prev.Op > r.commit && !r.log.has(m.Prev) {
		r.sendGap(from, m.Prev.Op)
		return
	}
	if err := r.merge(entries); err != nil {
		r.out.Err = err
		return
	}
	r.requestsArrived(entries)
	r.checked = max(r.checked, m.Prev.Op+OpNumber(len(entries)))
	r.learnCommit(m.Commit)
	r.ackDue = r.checked > 0
}

// sendGap answers a Prepare that does not follow on from the log, with the place where the log
// stands (N3).
func (r *Replica) sendGap(from Index, prev OpNumber) {
	last, ok := r.log.stamp(min(prev, r.log.last.Op))
	if !ok {
		last = r.log.base
	}
	r.sendTo(from, &Gap{View: r.head.View, Prev: prev, Last: last})
}

// merge puts entries into the log, which holds the entry before the first of them. It skips those
// that the log has, cuts the log at the first conflict, and appends the rest (N3).
func (r *Replica) merge(entries []Entry) error {
	for i := range entries {
		stamp := entries[i].Stamp()
		if stamp.Op <= r.commit || r.log.has(stamp) {
			continue
		}
		if stamp.Op <= r.log.last.Op {
			r.cutLog(stamp.Op - 1)
		}
		if stamp.Op != r.log.last.Op+1 {
			return fmt.Errorf("log ends at %v, next entry is %v", r.log.last, stamp)
		}
		r.adoptLog(detached(entries[i:], i))
		return nil
	}
	return nil
}

// detached returns entries without references to the message that they are part of, if that holds others before them. A
// member that is sent the same entries again and again, with some new ones each time, would otherwise keep each message.
func detached(entries []Entry, before int) []Entry {
	if before == 0 {
		return entries
	}
	entries = slices.Clone(entries)
	for i := range entries {
		entries[i].Body = slices.Clone(entries[i].Body)
	}
	return entries
}

// learnCommit adopts the primary's commit number, as far as the log has been checked (N5).
func (r *Replica) learnCommit(commit OpNumber) {
	r.commit = max(r.commit, min(commit, r.checked))
	r.health.committed = max(r.health.committed, commit)
}

// onCommit answers a heartbeat (N5, N6).
func (r *Replica) onCommit(from Index, h Header, m *Commit) {
	if !r.fromPrimary(from, m.View) {
		return
	}
	r.withdrawn[from].raise(h.Start, m.Withdrawn)
	r.learnAcknowledged(m.Acknowledged)
	r.learnCommit(m.Commit)
	r.learnReports(m.Reports)
	r.keepAbove = m.Keep
	r.sendTo(from, &CommitOK{View: m.View, Round: m.Round, Op: r.checked, Applied: r.applied, Full: r.full, Problem: r.health.own})
}

// compactStep is the number of ops that make a compaction worthwhile.
const compactStep = 1024

// compact requests that the log be cut below the snapshot, up to the entries that a slow replica
// still needs (N9).
func (r *Replica) compact() {
	s := r.snapshot.Last.Op
	to := min(r.keepAbove, s)
	if !r.compactDue && (s <= r.log.base.Op || to <= r.compactTarget || to < min(s, r.compactTarget+compactStep)) {
		return // a new snapshot may have replaced the whole log, whose files take space
	}
	r.compactDue, r.compactTarget = false, to
	if r.cfg.Volatile {
		r.log.dropTo(max(to, min(s, r.log.opWithin(0, r.cfg.KeepLog+r.log.bytesAbove(s)))))
		return
	}
	r.out.Compact = &Compact{Keep: to, Snapshot: s}
}

// logCompacted drops from memory the entries below first, which the log on disk no longer holds.
func (r *Replica) logCompacted(first OpNumber) {
	if first > 0 && first-1 <= r.snapshot.Last.Op {
		r.log.dropTo(first - 1)
	}
}
