package vsr

// MessageKind is the type of a message, as a number.
type MessageKind uint8

// The kinds of messages. Their values are on the wire: add, never renumber.
const (
	KindPrepare         MessageKind = 1
	KindPrepareOK       MessageKind = 2
	KindGap             MessageKind = 3
	KindCommit          MessageKind = 4
	KindCommitOK        MessageKind = 5
	KindStartViewChange MessageKind = 6
	KindDoViewChange    MessageKind = 7
	KindGetState        MessageKind = 8
	KindNewState        MessageKind = 9
	KindQuestion        MessageKind = 10
	KindAnswer          MessageKind = 11
	KindOutdated        MessageKind = 12
	KindRequest         MessageKind = 13
	KindReply           MessageKind = 14
	KindReadRound       MessageKind = 15
	KindReadRoundOK     MessageKind = 16
	KindSnapshotOffer   MessageKind = 17
	KindGetChunk        MessageKind = 18
	KindSnapshotChunk   MessageKind = 19
	KindRelay           MessageKind = 20
	KindPart            MessageKind = 21
	KindPartOK          MessageKind = 22
)

// messageKinds describes every kind: its name, how to make an empty message of it, whether a later
// message of the kind supersedes an earlier one that has not been sent, whether it is bulk, and
// whether it may go through a relay.
var messageKinds = [...]struct {
	name       string
	empty      func() Message
	supersedes bool
	bulk       bool
	relayed    bool
}{
	KindPrepare:         {"Prepare", func() Message { return new(Prepare) }, false, true, true},
	KindPrepareOK:       {"PrepareOK", func() Message { return new(PrepareOK) }, true, false, true},
	KindGap:             {"Gap", func() Message { return new(Gap) }, true, false, true},
	KindCommit:          {"Commit", func() Message { return new(Commit) }, true, false, true},
	KindCommitOK:        {"CommitOK", func() Message { return new(CommitOK) }, true, false, true},
	KindStartViewChange: {"StartViewChange", func() Message { return new(StartViewChange) }, true, false, false},
	KindDoViewChange:    {"DoViewChange", func() Message { return new(DoViewChange) }, true, false, false},
	KindGetState:        {"GetState", func() Message { return new(GetState) }, true, false, false},
	KindNewState:        {"NewState", func() Message { return new(NewState) }, false, true, false},
	KindQuestion:        {"Question", func() Message { return new(Question) }, true, false, false},
	KindAnswer:          {"Answer", func() Message { return new(Answer) }, true, false, false},
	KindOutdated:        {"Outdated", func() Message { return new(Outdated) }, true, false, false},
	KindRequest:         {"Request", func() Message { return new(Request) }, false, true, true},
	KindReply:           {"Reply", func() Message { return new(Reply) }, false, false, true},
	KindReadRound:       {"ReadRound", func() Message { return new(ReadRound) }, true, false, true},
	KindReadRoundOK:     {"ReadRoundOK", func() Message { return new(ReadRoundOK) }, false, false, true},
	KindSnapshotOffer:   {"SnapshotOffer", func() Message { return new(SnapshotOffer) }, true, false, true},
	KindGetChunk:        {"GetChunk", func() Message { return new(GetChunk) }, false, false, true},
	KindSnapshotChunk:   {"SnapshotChunk", func() Message { return new(SnapshotChunk) }, false, true, true},
	KindRelay:           {"Relay", func() Message { return new(Relay) }, false, true, false},
	KindPart:            {"Part", func() Message { return new(Part) }, false, true, false},
	KindPartOK:          {"PartOK", func() Message { return new(PartOK) }, true, false, false},
}

// LastKind is the kind with the highest number.
const LastKind = KindPartOK

// KindOf returns the kind of a message.
func KindOf(m Message) MessageKind { return m.kind() }

// KindNamed returns the kind with that name, or 0.
func KindNamed(name string) MessageKind {
	for k := KindPrepare; k <= LastKind; k++ {
		if messageKinds[k].name == name {
			return k
		}
	}
	return 0
}

// String returns the name of the message's type, or "" if no kind has that number.
func (k MessageKind) String() string {
	if k > LastKind {
		return ""
	}
	return messageKinds[k].name
}

// Bulk reports whether messages of the kind carry entries, proposals or chunks. All others are short, and go ahead of
// those that wait to be sent (C1).
func (k MessageKind) Bulk() bool { return k <= LastKind && messageKinds[k].bulk }

// Relayed reports whether messages of the kind may go through a relay. Votes and descriptions of
// logs may not: they show which members can lead.
func (k MessageKind) Relayed() bool { return k <= LastKind && messageKinds[k].relayed }

// Supersedes reports whether a later message of the kind makes an earlier one superfluous that has not been sent.
func (k MessageKind) Supersedes() bool { return k <= LastKind && messageKinds[k].supersedes }

// New returns an empty message of the kind, or nil if no kind has that number.
func (k MessageKind) New() Message {
	if k == 0 || k > LastKind {
		return nil
	}
	return messageKinds[k].empty()
}

func (*Prepare) kind() MessageKind         { return KindPrepare }
func (*PrepareOK) kind() MessageKind       { return KindPrepareOK }
func (*Gap) kind() MessageKind             { return KindGap }
func (*Commit) kind() MessageKind          { return KindCommit }
func (*CommitOK) kind() MessageKind        { return KindCommitOK }
func (*StartViewChange) kind() MessageKind { return KindStartViewChange }
func (*DoViewChange) kind() MessageKind    { return KindDoViewChange }
func (*GetState) kind() MessageKind        { return KindGetState }
func (*NewState) kind() MessageKind        { return KindNewState }
func (*Question) kind() MessageKind        { return KindQuestion }
func (*Answer) kind() MessageKind          { return KindAnswer }
func (*Outdated) kind() MessageKind        { return KindOutdated }
func (*Request) kind() MessageKind         { return KindRequest }
func (*Reply) kind() MessageKind           { return KindReply }
func (*ReadRound) kind() MessageKind       { return KindReadRound }
func (*ReadRoundOK) kind() MessageKind     { return KindReadRoundOK }
func (*SnapshotOffer) kind() MessageKind   { return KindSnapshotOffer }
func (*GetChunk) kind() MessageKind        { return KindGetChunk }
func (*SnapshotChunk) kind() MessageKind   { return KindSnapshotChunk }
func (*Relay) kind() MessageKind           { return KindRelay }
func (*Part) kind() MessageKind            { return KindPart }
func (*PartOK) kind() MessageKind          { return KindPartOK }
