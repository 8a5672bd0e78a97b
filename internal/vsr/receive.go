package vsr

import (
	"fmt"
	"time"
)

// receive accepts a message from a member.
func (r *Replica) receive(from Index, h Header, m Message) {
	if from < 0 || int(from) >= r.n || from == r.self || !r.admit(from, h, m) {
		return
	}
	if r.stranger(from, h, m) {
		r.health.twins[from].asked(r.now, r.heardAt[from], r.strangerLapse())
		r.health.strangerAt[from] = r.now // it asks for its group, and counts as silent (S3)
	} else if !r.memories.lost[from] { // S6: likewise
		if from == r.prim() && r.now.Sub(r.heardAt[from]) > r.lapse() {
			r.relays.answersSince = r.now
			if r.status == normal {
				r.resendRequests()
			}
		}
		r.heardAt[from], r.health.refused[from] = r.now, ""
	}
	r.heardDirectly(from)
	r.handle(from, h, m)
}

// stranger reports whether a message comes from a memory of a member that is not in the list of the confirmed group. If
// one comes from the memory that is, the member is no stranger any more.
func (r *Replica) stranger(from Index, h Header, m Message) bool {
	switch m.(type) {
	case *Question, *Answer:
		return r.confirmed() && h.Incarnation != r.members.Members[from].Incarnation
	}
	r.health.strangerAt[from] = time.Time{}
	return false
}

// handle handles a message that is admitted.
func (r *Replica) handle(from Index, h Header, m Message) {
	switch m := m.(type) {
	case *Relay:
		r.onRelay(from, h, m)
	case *Prepare:
		r.onPrepare(from, h, m)
	case *PrepareOK:
		r.onPrepareOK(from, h, m)
	case *Gap:
		r.onGap(from, m)
	case *Commit:
		r.onCommit(from, h, m)
	case *CommitOK:
		r.onCommitOK(from, m)
	case *StartViewChange:
		r.onStartViewChange(from, h, m)
	case *DoViewChange:
		r.onDoViewChange(from, m)
	case *GetState:
		r.onGetState(from, m)
	case *NewState:
		r.onNewState(from, h, m)
	case *Question:
		r.onQuestion(from, h, m)
	case *Answer:
		r.onAnswer(from, h, m)
	case *Outdated:
		r.onOutdated(m)
	case *Request:
		r.onRequest(from, h, m)
	case *Reply:
		r.onReply(m)
	case *ReadRound:
		r.onReadRound(from, h, m)
	case *ReadRoundOK:
		r.onReadRoundOK(m)
	case *SnapshotOffer:
		r.onSnapshotOffer(from, m)
	case *GetChunk:
		r.onGetChunk(from, m)
	case *SnapshotChunk:
		r.onSnapshotChunk(from, m)
	case *Part:
		r.onPart(from)
	}
}

// admit reports whether a message belongs to this replica's group and epoch, and comes from the
// sender's incarnation in the member list (S4), its latest start, and a memory that is not lost (S6).
func (r *Replica) admit(from Index, h Header, m Message) bool {
	switch m.(type) {
	case *Question, *Answer:
		return true
	case *Prepare, *NewState:
		if r.head.Group == (GroupID{}) {
			return h.Group != (GroupID{})
		}
	}
	if h.Group != r.head.Group || h.Epoch != r.head.Epoch || r.head.Group == (GroupID{}) ||
		h.Incarnation != r.members.Members[from].Incarnation {
		return false
	}
	if h.Start < r.startSeen[from] {
		r.sendTo(from, &Outdated{Start: r.startSeen[from]}) // S6
		return false
	}
	r.startSeen[from] = h.Start
	r.noteLoss(from, h.Start, m)
	if r.memories.lost[from] {
		r.refuse(from, h, m)
		return false
	}
	return true
}

// refuse answers a message of a member whose memory is lost with the last entry that it acknowledged (S6). It
// does not answer a report about this replica's own memory: two that did would never stop.
func (r *Replica) refuse(from Index, h Header, m Message) {
	if report, ok := m.(*Outdated); ok {
		r.onOutdated(report)
		return
	}
	r.sendTo(from, &Outdated{Start: h.Start, Acknowledged: r.memories.acknowledged[from].Last})
}

// onOutdated stops a replica whose directory is an older copy of itself, or has lost entries (S6).
func (r *Replica) onOutdated(m *Outdated) {
	if m.Start > r.head.Start && r.out.Err == nil {
		r.out.Err = &OutdatedError{Own: r.head.Start, Known: m.Start}
	}
	r.stopUnlessCovered(m.Acknowledged)
}

// OutdatedError reports that another member knows a higher start number of this incarnation than
// its directory has.
type OutdatedError struct{ Own, Known uint64 }

func (e *OutdatedError) Error() string {
	return fmt.Sprintf("this directory has start number %s, but another member has seen %s: the directory is an older copy, or in use by another process; entries that it acknowledged may be missing",
		StartText(e.Own), StartText(e.Known))
}
