package vsr

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// forming is the state of a replica that belongs to no group and tries to form or join one (S1 to
// S3).
type forming struct {
	questionAt       time.Time // when the next questions are sent; zero once this replica belongs to a group
	questionInterval time.Duration
	nonce            uint64        // of the current question
	nonceAt          time.Time     // when it was chosen
	blank            []Incarnation // by member: incarnation that answered the current question that it belongs to no group
	lost             bool          // a group exists, and its list does not name this incarnation (S3)
	differing        []string      // by member: that it was last known to be configured with another member list; "" if it was not
	// strangers marks members whose questions came from an incarnation that the formation does not
	// name.
	strangers []bool
}

// Heartbeats from one repetition of a question to the next, which double, and for which its answers
// are kept.
const (
	firstInterval = 4
	lastInterval  = 64
	keepAnswers   = 100
)

func (r *Replica) startForming() {
	r.status = recovering
	r.forming.questionInterval = firstInterval * r.cfg.Heartbeat
	r.sendQuestions()
}

// sendQuestions asks every member a new question. The member that forms the group keeps the answers to
// a question for some time, in which it asks only those that are silent (S2).
func (r *Replica) sendQuestions() {
	f := &r.forming
	if f.nonce == 0 || r.members.prim(0) != r.self || r.now.Sub(f.nonceAt) >= keepAnswers*r.cfg.Heartbeat {
		f.nonce, f.nonceAt = r.cfg.Rand.Uint64()|1, r.now
		f.blank = make([]Incarnation, r.n)
		f.blank[r.self] = r.head.Incarnation
	}
	f.questionAt = r.now.Add(f.questionInterval)
	f.questionInterval = min(2*f.questionInterval, lastInterval*r.cfg.Heartbeat)
	silent := slices.DeleteFunc(slices.Clone(r.others), func(i Index) bool { return f.blank[i] != (Incarnation{}) })
	if len(silent) > 0 {
		r.send(&Question{Nonce: f.nonce, List: r.cfg.Members.List()}, silent...)
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
	a := &Answer{Nonce: m.Nonce, Group: r.head.Group, Confirmed: r.confirmed()}
	if r.head.Known != (GroupID{}) {
		a.Group, a.Confirmed = r.head.Known, true
	}
	if list := r.cfg.Members.List(); m.List != list && !r.confirmed() {
		a.List = list
	}
	r.compareLists(from, m.List)
	if r.head.Group != (GroupID{}) {
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

// compareLists records whether a member is configured with the same member list as this one (S2). Once the group is
// confirmed, the list in the log holds.
func (r *Replica) compareLists(other Index, list string) {
	r.health.assessAt = time.Time{}
	theirs, own := ListTexts(list, r.cfg.Members.List())
	if r.forming.differing[other] = ""; list != r.cfg.Members.List() {
		r.forming.differing[other] = fmt.Sprintf("member %s is configured with another member list: %q there, %q here; "+
			"configure all members with the same list", r.memberID(other), theirs, own)
	}
}

func (r *Replica) memberID(i Index) string { return r.cfg.Members.Members[i].ID }

// refused records why this replica refuses a member's connections (S2, S4, S6).
func (r *Replica) refused(e *Refused) {
	for _, i := range r.others {
		if r.memberID(i) != e.From {
			continue
		}
		if r.health.refused[i] = limited(e.Reason); e.List != "" {
			r.compareLists(i, e.List)
		}
	}
}

// onAnswer counts the members that belong to no group, or finds that the group exists (S2, S3).
func (r *Replica) onAnswer(from Index, h Header, m *Answer) {
	if r.head.Group != (GroupID{}) || m.Nonce != r.forming.nonce {
		return
	}
	switch {
	case m.Confirmed:
		r.learnGroup(m.Group)
	case m.List != "":
		r.compareLists(from, m.List)
	case m.Group == (GroupID{}):
		r.forming.differing[from] = ""
		if f := &r.forming; f.blank[from] == (Incarnation{}) { // others may run too, and their answers be lost
			f.questionInterval = firstInterval * r.cfg.Heartbeat
			f.questionAt = earlier(f.questionAt, r.now.Add(f.questionInterval))
		}
		r.forming.blank[from] = h.Incarnation
		r.tryForm()
	case !m.Named:
		r.stayOut() // not remembered: the group may never be confirmed
	}
}

// learnGroup remembers that a confirmed group exists: other members may lose their memory too and
// ask this replica. It forms and joins no other group any more, and reports why once that is
// durable (S2).
func (r *Replica) learnGroup(group GroupID) {
	if r.head.Known == (GroupID{}) {
		r.head.Known = group
		r.dropDeferred() // an Answer that it holds nothing
		r.saveIdentity()
	}
}

// stayOut reports that this replica takes no part, because a group exists that does not include it
// (S3).
func (r *Replica) stayOut() {
	r.forming.lost = true
	r.problem = "the group exists and does not include this replica: its memory was lost, or it never belonged to the group; it stays out"
}

// tryForm forms the group if this replica is the first electable voter of the list and every member
// has answered the current question that it belongs to no group (S2).
func (r *Replica) tryForm() {
	if r.members.prim(0) != r.self || r.forming.lost || r.head.Known != (GroupID{}) {
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
	m.Group = GroupID(r.random16())
	r.enterGroup(m, 0)
	r.appendOwn(Entry{Op: 1, Epoch: m.Epoch, Kind: Formation, Time: r.now.UnixNano(), Body: m.Encode()})
	r.lead()
}

// enterGroup makes this replica a member of a group.
func (r *Replica) enterGroup(m Membership, v View) {
	r.head.Group, r.head.Epoch, r.head.View = m.Group, m.Epoch, v
	r.members = m
	r.forming = forming{strangers: make([]bool, r.n), differing: make([]string, r.n)}
	r.status, r.problem = normal, ""
	r.dropDeferred()
	r.out.Messages = nil // these were sent without a group, and the header would now name one
	r.saveIdentity()
}

// joinInViewChange joins a group from its formation, in a view that has no primary yet.
func (r *Replica) joinInViewChange(from Index, h Header, m *NewState) {
	if len(m.Entries) == 1 && r.joinGroup(from, h, m.View, m.Prev, m.Entries) {
		r.adoptLog(m.Entries)
		r.beginChange(false)
		r.describeLog()
	}
}

// joinGroup joins the group whose entries begin with op 1, if its list names this replica's
// incarnation (S2).
func (r *Replica) joinGroup(from Index, h Header, v View, prev Viewstamp, entries []Entry) bool {
	if r.head.Known != (GroupID{}) || prev != (Viewstamp{}) || len(entries) == 0 || entries[0].Kind != Formation || entries[0].Op != 1 {
		return false
	}
	list, err := DecodeMembership(entries[0].Body)
	if err != nil || list.List() != r.cfg.Members.List() || list.Group != h.Group || list.Epoch != h.Epoch ||
		list.Members[from].Incarnation != h.Incarnation || list.Members[r.self].Incarnation != r.head.Incarnation {
		return false
	}
	r.enterGroup(list, v)
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
		r.problem = fmt.Sprintf("the group's formation cannot be confirmed if %s lost its memory before confirming it: unless a member reports a primary, stop all members, empty the directories of %s, and start again",
			strings.Join(lost, ", "), strings.Join(holds, ", "))
	}
}
