package vsr

import (
	"math"
	"slices"
	"time"
)

// Save is a set of changes to make durable atomically: after a crash all of them are there, or
// none. Saves become durable in the order of their numbers; several may share one sync.
type Save struct {
	Seq     uint64
	Head    Head
	From    OpNumber   // if not 0: the entries of the log at From and above are dropped first
	Base    *Viewstamp // if set: the log is emptied, and begins after Base (C3)
	Entries []Entry    // appended to the log
}

// saves gathers the changes of one turn into one Save, and defers messages until their claims are
// durable. The core owns it; the shell reports completed saves with Saved.
//
//	doneSeq <= issuedSeq;  identitySeq <= headSeq;  headSeq, logSeq <= issuedSeq+1
type saves struct {
	issuedSeq   uint64 // number of the latest save issued
	doneSeq     uint64 // saves up to this one are durable
	identitySeq uint64 // the save that makes durable what every header names: group, epoch, incarnation, start
	headSeq     uint64 // the save that makes the head durable: the same, and the view
	logSeq      uint64 // the save that makes the log durable

	pending      Save     // the save of this turn so far, without its entries
	dirty        bool     // the turn needs a save, if only of the head
	appendedFrom OpNumber // first op appended in this turn and not cut since; 0: none. appendedFrom <= log.last.Op

	issued   []issuedSave      // not durable yet: doneSeq < seq <= issuedSeq, rising
	durable  OpNumber          // last op of the log that is durable; durable <= log.last.Op
	deferred []deferredMessage // in the order sent; doneSeq < save <= issuedSeq+1
}

// issuedSave is a save that the disk has not completed.
type issuedSave struct {
	seq  uint64
	last OpNumber // last op of the log once this save is durable; last <= log.last.Op
	at   time.Time
}

// deferredMessage is a message that must not be sent before a save is durable.
type deferredMessage struct {
	save uint64
	out  Outgoing
}

// nextSeq is the number of the save that this turn gathers.
func (s *saves) nextSeq() uint64 { return s.issuedSeq + 1 }

// saveIdentity includes the head in this turn's save, because a part of it has changed that every header
// names.
func (r *Replica) saveIdentity() {
	r.saveView()
	r.saves.identitySeq = r.saves.nextSeq()
}

// saveView includes the head in this turn's save, because the view has changed.
func (r *Replica) saveView() {
	r.saves.dirty = true
	r.saves.headSeq = r.saves.nextSeq()
}

// identified reports whether the headers of this replica's messages are true on its disk. A Request or a
// ReadRound claims no more: no receiver enters its view (section 2).
func (s *saves) identified() bool { return s.identitySeq <= s.doneSeq }

// appendLog appends a copy of an entry to the log, in memory at once and on disk with this turn's save.
func (r *Replica) appendLog(e *Entry) {
	r.appendsFrom(r.log.last.Op + 1)
	r.log.append(e)
}

// adoptLog appends entries to the log in the same way. Their memory becomes the log's.
func (r *Replica) adoptLog(entries []Entry) {
	r.appendsFrom(r.log.last.Op + 1)
	r.log.adopt(entries)
}

// appendsFrom records that this turn appends entries from op on.
func (r *Replica) appendsFrom(op OpNumber) {
	s := &r.saves
	if s.appendedFrom == 0 {
		s.appendedFrom = op
	}
	s.dirty, s.logSeq = true, s.nextSeq()
}

// cutLog drops the entries above op.
func (r *Replica) cutLog(op OpNumber) {
	s := &r.saves
	if op >= r.log.last.Op {
		return
	}
	switch {
	case s.appendedFrom == 0 || op+1 < s.appendedFrom:
		s.pending.From, s.appendedFrom = op+1, 0
	case op+1 == s.appendedFrom:
		s.appendedFrom = 0
	}
	s.dirty, s.logSeq = true, s.nextSeq()
	r.log.cut(op)
	s.durable = min(s.durable, op)
	for i := range s.issued {
		s.issued[i].last = min(s.issued[i].last, op)
	}
}

// resetLog empties the log and makes base the entry before its first (C3).
func (r *Replica) resetLog(base Viewstamp) {
	s := &r.saves
	r.log.reset(base)
	s.pending.From, s.pending.Base, s.appendedFrom = 0, &base, 0
	s.dirty, s.logSeq = true, s.nextSeq()
	s.durable = base.Op
	for i := range s.issued {
		s.issued[i].last = base.Op
	}
}

// issue returns this turn's save; nil if nothing has changed.
func (r *Replica) issue() *Save {
	s := &r.saves
	if !s.dirty {
		return nil
	}
	s.issuedSeq++
	save := s.pending
	save.Seq = s.issuedSeq
	save.Head = r.head
	save.Head.Commit = r.commit
	if s.appendedFrom > 0 { // shares memory with the tail, which never changes entries that it has handed out
		save.Entries = r.log.entries(s.appendedFrom, r.log.last.Op, math.MaxInt64/2)
	}
	s.pending, s.dirty, s.appendedFrom = Save{}, false, 0
	s.issued = append(s.issued, issuedSave{s.issuedSeq, r.log.last.Op, r.now})
	return &save
}

// saved releases the messages that waited for the saves up to seq, which are now durable.
func (r *Replica) saved(seq uint64) {
	s := &r.saves
	done := 0
	for done < len(s.issued) && s.issued[done].seq <= seq {
		s.durable = s.issued[done].last
		done++
	}
	s.issued = slices.Delete(s.issued, 0, done)
	s.doneSeq = max(s.doneSeq, seq)
	r.trimTail()
	r.release()
	if r.head.Known != (GroupID{}) && s.headSeq <= s.doneSeq {
		r.stayOut()
	}
	if r.isPrimary() {
		r.ackOwn()
		r.resumeDisk()
	}
	r.tryLead()
}

// send sends a message, or defers it until the save that makes its claims true is durable (section
// 2). It is the only way out for messages. It retains the list of receivers.
func (r *Replica) send(m Message, to ...Index) {
	after := r.saves.headSeq
	switch m := m.(type) {
	case *PrepareOK, *DoViewChange:
		after = max(after, r.saves.logSeq)
	case *Request, *ReadRound, *Relay:
		after = r.saves.identitySeq
	case *Gap:
		if m.Prev > 0 { // it answers a Prepare of this view's primary, which is in that view
			after = r.saves.identitySeq
		}
	}
	out := Outgoing{To: to, Message: m}
	if after <= r.saves.doneSeq {
		r.out.Messages = append(r.out.Messages, out)
		return
	}
	r.saves.deferUntilSaved(deferredMessage{after, out})
}

// sendTo sends a message to one member.
func (r *Replica) sendTo(to Index, m Message) { r.send(m, r.all[to:to+1:to+1]...) }

// deferUntilSaved queues a message until its save is durable. It replaces an earlier message that
// this one supersedes, so that the queue stays short while the disk hangs.
func (s *saves) deferUntilSaved(h deferredMessage) {
	kind := KindOf(h.out.Message)
	for i := len(s.deferred) - 1; i >= 0 && messageKinds[kind].supersedes; i-- {
		before := &s.deferred[i]
		if KindOf(before.out.Message) != kind || !slices.Equal(before.out.To, h.out.To) {
			continue
		}
		if before.save == h.save {
			*before = h
			return
		}
		break
	}
	s.deferred = append(s.deferred, h)
}

// release sends the deferred messages whose saves are durable, in order.
func (r *Replica) release() {
	kept := r.saves.deferred[:0]
	for _, h := range r.saves.deferred {
		if h.save <= r.saves.doneSeq {
			r.out.Messages = append(r.out.Messages, h.out)
		} else {
			kept = append(kept, h)
		}
	}
	clear(r.saves.deferred[len(kept):])
	r.saves.deferred = kept
}

// dropDeferred discards the deferred messages of a view that has just been left.
func (r *Replica) dropDeferred() {
	clear(r.saves.deferred)
	r.saves.deferred = r.saves.deferred[:0]
}

// dropDescription discards a deferred DoViewChange: the view has begun, and the log that it
// describes is changing.
func (r *Replica) dropDescription() {
	r.saves.deferred = slices.DeleteFunc(r.saves.deferred, func(h deferredMessage) bool {
		_, describes := h.out.Message.(*DoViewChange)
		return describes
	})
}

// diskDeadline returns when the oldest pending write or read of the disk becomes too old (D3); zero
// if none is pending.
func (r *Replica) diskDeadline() time.Time {
	since := r.diskWaitsSince()
	if r.cfg.DiskLimit <= 0 || r.n == 1 || since.IsZero() {
		return time.Time{}
	}
	return since.Add(r.cfg.DiskLimit)
}

// diskWaitsSince returns when the oldest pending write or read of the disk was requested; zero if none
// is pending. A read counts if entries cannot be applied without it, here or at another member.
func (r *Replica) diskWaitsSince() time.Time {
	since := r.applying.loadingSince
	oldest := func(at time.Time) {
		if since.IsZero() || at.Before(since) {
			since = at
		}
	}
	if len(r.saves.issued) > 0 && !r.full { // F13: it waits for space
		oldest(r.saves.issued[0].at)
	}
	for i := range r.primary.progress {
		if p := &r.primary.progress[i]; r.isPrimary() && !p.loadingSince.IsZero() {
			oldest(p.loadingSince)
		}
	}
	if len(r.chunkReads) > 0 {
		oldest(r.chunkReads[0].since)
	}
	return since
}
