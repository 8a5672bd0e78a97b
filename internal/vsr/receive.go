package vsr

import "fmt"

// receive accepts a message from a member.
func (r *Replica) receive(from Index, h Header, m Message) {
	if from < 0 || int(from) >= r.n || from == r.self || !r.admit(from, h, m) {
		return
	}
	r.heardAt[from] = r.now
	switch m := m.(type) {
	case *Prepare:
		r.onPrepare(from, h, m)
	case *PrepareOK:
		r.onPrepareOK(from, m)
	case *Gap:
		r.onGap(from, m)
	case *Commit:
		r.onCommit(from, m)
	case *CommitOK:
		r.onCommitOK(from, m)
	case *StartViewChange:
		r.onStartViewChange(from, m)
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
	}
}

// admit reports whether a message belongs to this replica's group and epoch, and comes from the
// sender's incarnation in the member list (S4) and its latest start (S6).
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
	return true
}

// onOutdated stops a replica whose directory is an older copy of itself (S6).
func (r *Replica) onOutdated(m *Outdated) {
	if m.Start > r.head.Start && r.out.Err == nil {
		r.out.Err = &OutdatedError{Own: r.head.Start, Known: m.Start}
	}
}

// OutdatedError reports that another member knows a higher start number of this incarnation than
// its directory has.
type OutdatedError struct{ Own, Known uint64 }

func (e *OutdatedError) Error() string {
	return fmt.Sprintf("this directory has start number %d, but another member has seen %d: the directory is an older copy, or in use by another process; entries that it acknowledged may be missing", e.Own, e.Known)
}
