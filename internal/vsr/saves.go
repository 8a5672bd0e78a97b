package vsr

import (
	"math"
	"slices"
	"time"
)

// Save is what a replica wants durable, as one: after a crash either all of it is there or none.
// Saves are made durable in the order of their numbers; several may share one sync.
type Save struct {
	Seq     uint64
	Head    Head
	From    OpNumber   // if not 0: entries of the log at From and above are dropped first
	Base    *Viewstamp // if set: the log begins anew, empty, after Base (C3)
	Entries []Entry    // follow the log's end
}

// saves gathers what one turn changes into one Save, and holds back what may not be said before.
// Owned by the core; the shell reports completed saves with Saved.
type saves struct {
	seq     uint64 // number of the last save issued
	done    uint64 // all up to this one are durable
	dirty   bool   // pending has something
	pending Save
	first   OpNumber // first op that this turn has appended and not cut again; 0: none
	issued  []issued // not durable yet, in order
	head    uint64   // save after which the head is durable: view, epoch, incarnation, start
	log     uint64   // save after which the log is durable
	durable OpNumber // last op of the log that is durable
	held    []held
}

type issued struct {
	seq  uint64
	last OpNumber // of the log, once this save is durable
	at   time.Time
}

type held struct {
	after uint64
	out   Outgoing
}

// next is the number that the save being gathered will have.
func (s *saves) next() uint64 { return s.seq + 1 }

// saveHead makes the head part of this turn's save.
func (r *Replica) saveHead() {
	r.saves.dirty = true
	r.saves.head = r.saves.next()
}

// appendLog appends entries, in memory at once and on disk with this turn's save.
func (r *Replica) appendLog(entries ...Entry) {
	s := &r.saves
	if s.first == 0 {
		s.first = r.log.last.Op + 1
	}
	r.log.append(entries...)
	s.dirty, s.log = true, s.next()
}

// cutLog drops the entries above op.
func (r *Replica) cutLog(op OpNumber) {
	s := &r.saves
	if op >= r.log.last.Op {
		return
	}
	switch {
	case s.first == 0 || op+1 < s.first:
		s.pending.From, s.first = op+1, 0
	case op+1 == s.first:
		s.first = 0
	}
	s.dirty, s.log = true, s.next()
	r.log.cut(op)
	s.durable = min(s.durable, op)
	for i := range s.issued {
		s.issued[i].last = min(s.issued[i].last, op)
	}
}

// resetLog begins the log empty after base (C3).
func (r *Replica) resetLog(base Viewstamp) {
	s := &r.saves
	r.log.reset(base)
	s.pending.From, s.pending.Base, s.first = 0, &base, 0
	s.dirty, s.log = true, s.next()
	s.durable = base.Op
	for i := range s.issued {
		s.issued[i].last = base.Op
	}
}

// issue closes this turn's save, if it has anything.
func (r *Replica) issue() *Save {
	s := &r.saves
	if !s.dirty {
		return nil
	}
	s.seq++
	save := s.pending
	save.Seq = s.seq
	save.Head = r.head
	save.Head.Commit = r.commit
	if s.first > 0 { // shared with the log's tail, which does not change what it has handed out
		save.Entries = r.log.entries(s.first, r.log.last.Op, math.MaxInt64/2)
	}
	s.pending, s.dirty, s.first = Save{}, false, 0
	s.issued = append(s.issued, issued{s.seq, r.log.last.Op, r.now})
	return &save
}

// saved releases what waited for the saves up to seq, which are durable now.
func (r *Replica) saved(seq uint64) {
	s := &r.saves
	done := 0
	for done < len(s.issued) && s.issued[done].seq <= seq {
		s.durable = s.issued[done].last
		done++
	}
	s.issued = slices.Delete(s.issued, 0, done)
	s.done = max(s.done, seq)
	r.trimTail()
	r.release()
	if r.isPrimary() {
		r.ackOwn()
		if r.primary.resigned == diskHung && len(s.issued) == 0 {
			r.goOn()
		}
	}
	r.tryLead()
}

// send is the one place that messages leave by: nothing is sent that is not yet true on disk
// (section 2). It waits for the save that makes its claims so. The list of receivers is not to change.
func (r *Replica) send(m Message, to ...Index) {
	after := r.saves.head
	switch m.(type) {
	case *PrepareOK, *DoViewChange:
		after = max(after, r.saves.log)
	}
	out := Outgoing{To: to, Message: m}
	if after <= r.saves.done {
		r.out.Messages = append(r.out.Messages, out)
		return
	}
	r.saves.hold(held{after, out})
}

// sendTo sends to one.
func (r *Replica) sendTo(to Index, m Message) { r.send(m, r.all[to:to+1:to+1]...) }

// hold keeps a message until its save is done, in the place of one that it makes needless, so that
// a disk that hangs makes no heap of what is said again and again.
func (s *saves) hold(h held) {
	kind := KindOf(h.out.Message)
	for i := len(s.held) - 1; i >= 0 && messageKinds[kind].supersedes; i-- {
		before := &s.held[i]
		if KindOf(before.out.Message) != kind || !slices.Equal(before.out.To, h.out.To) {
			continue
		}
		if before.after == h.after {
			*before = h
			return
		}
		break
	}
	s.held = append(s.held, h)
}

// release lets go what waited for saves that are durable now, in the order it was sent.
func (r *Replica) release() {
	kept := r.saves.held[:0]
	for _, h := range r.saves.held {
		if h.after <= r.saves.done {
			r.out.Messages = append(r.out.Messages, h.out)
		} else {
			kept = append(kept, h)
		}
	}
	clear(r.saves.held[len(kept):])
	r.saves.held = kept
}

// dropHeld forgets what was to be said in the view that has just been left.
func (r *Replica) dropHeld() {
	clear(r.saves.held)
	r.saves.held = r.saves.held[:0]
}

// dropDescription forgets a DoViewChange that has not left yet: the view has begun, and the log it
// describes is changing.
func (r *Replica) dropDescription() {
	r.saves.held = slices.DeleteFunc(r.saves.held, func(h held) bool {
		_, describes := h.out.Message.(*DoViewChange)
		return describes
	})
}

// diskDeadline returns when the oldest unfinished write is too old (D3), or the read without which nothing
// more is applied, here or at a backup; zero if there is none.
func (r *Replica) diskDeadline() time.Time {
	since := r.applying.loading
	oldest := func(at time.Time) {
		if since.IsZero() || at.Before(since) {
			since = at
		}
	}
	if len(r.saves.issued) > 0 {
		oldest(r.saves.issued[0].at)
	}
	for i := range r.primary.progress {
		if p := &r.primary.progress[i]; p.loading {
			oldest(p.loadingAt)
		}
	}
	if r.cfg.DiskLimit <= 0 || r.n == 1 || since.IsZero() {
		return time.Time{}
	}
	return since.Add(r.cfg.DiskLimit)
}
