package vsr

import (
	"fmt"
	"strings"
	"time"
)

// forming is what a replica that holds no group does to get one (S1 to S3).
type forming struct {
	questionAt       time.Time // when to ask again; zero when a group is held
	questionInterval time.Duration
	nonce            uint64        // of the current question
	blank            []Incarnation // by member: answered the current question with nothing
	lost             bool          // a group exists that this memory is no member of (S3)
	// strangers: members that asked under an incarnation which the formation does not name.
	strangers []bool
}

// Waits between two rounds of questions, in heartbeats.
const (
	firstInterval = 4
	lastInterval  = 64
)

func (r *Replica) startForming() {
	r.status = recovering
	r.forming.questionInterval = firstInterval * r.cfg.Heartbeat
	r.sendQuestions()
}

// sendQuestions asks every member a fresh question (S2).
func (r *Replica) sendQuestions() {
	f := &r.forming
	f.questionAt = r.now.Add(f.questionInterval)
	f.questionInterval = min(2*f.questionInterval, lastInterval*r.cfg.Heartbeat)
	f.nonce = r.cfg.Rand.Uint64()
	f.blank = make([]Incarnation, r.n)
	f.blank[r.self] = r.head.Incarnation
	if len(r.others) > 0 {
		r.send(&Question{Nonce: f.nonce, List: r.cfg.Members.List()}, r.others...)
	}
	r.tryForm()
}

func (r *Replica) tickForming() {
	if !r.forming.questionAt.IsZero() && !r.now.Before(r.forming.questionAt) {
		r.sendQuestions()
	}
}

// onQuestion answers what this replica holds (S2).
func (r *Replica) onQuestion(from Index, h Header, m *Question) {
	a := &Answer{Nonce: m.Nonce, Exists: r.head.Group != (GroupID{})}
	if list := r.cfg.Members.List(); m.List != list && !r.confirmed() {
		a.List = list
		r.problem = listsDiffer(r.memberID(from), m.List, list)
	}
	if a.Exists {
		a.Named = r.members.Members[from].Incarnation == h.Incarnation
		r.noteStranger(from, a.Named)
	}
	r.sendTo(from, a)
	if first := r.log.entries(1, 1, 0); a.Named && len(first) == 1 && !r.confirmed() && r.saves.headSeq <= r.saves.doneSeq {
		// No primary may be there to send it: its former restarted, and nobody else holds it yet.
		r.sendTo(from, &NewState{View: r.head.View, Best: first[0].Stamp(), Entries: first})
	}
}

func listsDiffer(other, theirs, own string) string {
	return fmt.Sprintf("member %s is configured with another member list: it has %q, this replica %q; configure all members alike", other, theirs, own)
}

func (r *Replica) memberID(i Index) string { return r.cfg.Members.Members[i].ID }

// misconfigured notes that a member has greeted with another member list (S2).
func (r *Replica) misconfigured(id, list string) {
	if !r.confirmed() {
		r.problem = listsDiffer(id, list, r.cfg.Members.List())
	}
}

// onAnswer counts the members that hold nothing, or learns that the group exists (S2, S3).
func (r *Replica) onAnswer(from Index, h Header, m *Answer) {
	if r.head.Group != (GroupID{}) || m.Nonce != r.forming.nonce {
		return
	}
	switch {
	case m.List != "":
		r.problem = listsDiffer(r.memberID(from), m.List, r.cfg.Members.List())
	case m.Exists && !m.Named:
		r.forming.lost = true
		r.problem = fmt.Sprintf("the group exists (member %s holds it), but this replica's memory is not part of it: it was lost, or never was; the replica stays out", r.memberID(from))
	case !m.Exists:
		r.forming.blank[from] = h.Incarnation
		r.tryForm()
	}
}

// tryForm forms the group when this replica is the list's first electable voter and every member
// has answered the current question with nothing (S2).
func (r *Replica) tryForm() {
	if r.members.prim(0) != r.self || r.forming.lost {
		return
	}
	for _, i := range r.forming.blank {
		if i == (Incarnation{}) {
			return
		}
	}
	m := r.cfg.Members
	m.Members = append([]Member(nil), m.Members...)
	for i := range m.Members {
		m.Members[i].Incarnation = r.forming.blank[i]
	}
	r.enterGroup(GroupID(r.random16()), m, 0)
	r.appendLog(Entry{Op: 1, Epoch: m.Epoch, Kind: Formation, Time: r.now.UnixNano(), Body: m.Encode()})
	r.lead()
}

// enterGroup takes up a group: this replica holds something from now on.
func (r *Replica) enterGroup(group GroupID, m Membership, v View) {
	r.head.Group, r.head.Epoch, r.head.View = group, m.Epoch, v
	r.members = m
	r.forming = forming{strangers: make([]bool, r.n)}
	r.status, r.problem = normal, ""
	r.dropDeferred()
	r.out.Messages = nil // what it said while it held nothing; their header would say otherwise
	r.saveHead()
}

// joinInViewChange adopts a formation in a view that has no primary yet.
func (r *Replica) joinInViewChange(from Index, h Header, m *NewState) {
	if len(m.Entries) == 1 && r.joinGroup(from, h, m.View, m.Prev, m.Entries) {
		r.appendLog(m.Entries...)
		r.beginChange(false)
		r.describeLog()
	}
}

// joinGroup takes up the group of entries that begin with op 1, if its list names this replica's
// present incarnation; otherwise never (S2).
func (r *Replica) joinGroup(from Index, h Header, v View, prev Viewstamp, entries []Entry) bool {
	if prev != (Viewstamp{}) || len(entries) == 0 || entries[0].Kind != Formation || entries[0].Op != 1 {
		return false
	}
	list, err := DecodeMembership(entries[0].Body)
	if err != nil || list.List() != r.cfg.Members.List() || list.Epoch != h.Epoch ||
		list.Members[from].Incarnation != h.Incarnation || list.Members[r.self].Incarnation != r.head.Incarnation {
		return false
	}
	r.enterGroup(h.Group, list, v)
	r.status = changingView // until follow makes it a backup
	return true
}

// noteStranger remembers members that a formation does not name any more, for Problem.
func (r *Replica) noteStranger(i Index, named bool) {
	if r.confirmed() {
		return
	}
	r.forming.strangers[i] = !named
	var holds, lost []string
	for j := range Index(r.n) {
		if r.forming.strangers[j] {
			lost = append(lost, r.memberID(j))
		} else {
			holds = append(holds, r.memberID(j))
		}
	}
	if len(lost) > 0 {
		r.problem = fmt.Sprintf("the group's formation cannot be confirmed: %s lost its memory before; stop all members, empty the directories of %s, and start again",
			strings.Join(lost, ", "), strings.Join(holds, ", "))
	}
}
