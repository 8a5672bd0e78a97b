package vsr

import (
	"fmt"
	"strings"
	"time"
)

// forming is the state of a replica that belongs to no group and tries to form or join one (S1 to
// S3).
type forming struct {
	questionAt       time.Time // when the next questions are sent; zero once this replica belongs to a group
	questionInterval time.Duration
	nonce            uint64        // of the current round of questions
	blank            []Incarnation // by member: incarnation that answered the current question that it belongs to no group
	lost             bool          // a group exists, and its list does not name this incarnation (S3)
	// strangers marks members whose questions came from an incarnation that the formation does not
	// name.
	strangers []bool
}

// Limits of the interval between rounds of questions, in heartbeats.
const (
	firstInterval = 4
	lastInterval  = 64
)

func (r *Replica) startForming() {
	r.status = recovering
	r.forming.questionInterval = firstInterval * r.cfg.Heartbeat
	r.sendQuestions()
}

// sendQuestions begins a new round of questions to every member (S2).
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

// onQuestion answers whether this replica belongs to a group (S2).
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
		// There may be no primary to send op 1: the former primary has restarted, and no other
		// member holds the entry.
		r.sendTo(from, &NewState{View: r.head.View, Best: first[0].Stamp(), Entries: first})
	}
}

func listsDiffer(other, theirs, own string) string {
	theirs, own = ListTexts(theirs, own)
	return fmt.Sprintf("member %s is configured with another member list: %q there, %q here; configure all members with the same list", other, theirs, own)
}

func (r *Replica) memberID(i Index) string { return r.cfg.Members.Members[i].ID }

// misconfigured reports a member that greeted with another member list (S2).
func (r *Replica) misconfigured(id, list string) {
	if !r.confirmed() {
		r.problem = listsDiffer(id, list, r.cfg.Members.List())
	}
}

// onAnswer counts the members that belong to no group, or finds that the group exists (S2, S3).
func (r *Replica) onAnswer(from Index, h Header, m *Answer) {
	if r.head.Group != (GroupID{}) || m.Nonce != r.forming.nonce {
		return
	}
	switch {
	case m.List != "":
		r.problem = listsDiffer(r.memberID(from), m.List, r.cfg.Members.List())
	case m.Exists && !m.Named:
		r.forming.lost = true
		r.problem = "the group exists and does not include this replica: its memory was lost, or it never belonged to the group; it stays out"
	case !m.Exists:
		r.forming.blank[from] = h.Incarnation
		r.tryForm()
	}
}

// tryForm forms the group if this replica is the first electable voter of the list and every member
// has answered the current question that it belongs to no group (S2).
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

// enterGroup makes this replica a member of a group.
func (r *Replica) enterGroup(group GroupID, m Membership, v View) {
	r.head.Group, r.head.Epoch, r.head.View = group, m.Epoch, v
	r.members = m
	r.forming = forming{strangers: make([]bool, r.n)}
	r.status, r.problem = normal, ""
	r.dropDeferred()
	r.out.Messages = nil // these were sent without a group, and the header would now name one
	r.saveHead()
}

// joinInViewChange joins a group from its formation, in a view that has no primary yet.
func (r *Replica) joinInViewChange(from Index, h Header, m *NewState) {
	if len(m.Entries) == 1 && r.joinGroup(from, h, m.View, m.Prev, m.Entries) {
		r.appendLog(m.Entries...)
		r.beginChange(false)
		r.describeLog()
	}
}

// joinGroup joins the group whose entries begin with op 1, if its list names this replica's
// incarnation (S2).
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
	r.status = changingView // follow makes it a backup
	return true
}

// noteStranger records whether the formation names the incarnation of a member, and reports the
// members for which it does not.
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
		r.problem = fmt.Sprintf("the group's formation cannot be confirmed: %s lost its memory before confirming it; stop all members, empty the directories of %s, and start again",
			strings.Join(lost, ", "), strings.Join(holds, ", "))
	}
}
