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
)

// messageKinds describes every kind: its name, how to make an empty message of it, and whether a
// later message of the kind supersedes an earlier one that has not been sent.
var messageKinds = [...]struct {
	name       string
	empty      func() Message
	supersedes bool
}{
	KindPrepare:         {"Prepare", func() Message { return new(Prepare) }, false},
	KindPrepareOK:       {"PrepareOK", func() Message { return new(PrepareOK) }, true},
	KindGap:             {"Gap", func() Message { return new(Gap) }, true},
	KindCommit:          {"Commit", func() Message { return new(Commit) }, false},
	KindCommitOK:        {"CommitOK", func() Message { return new(CommitOK) }, true},
	KindStartViewChange: {"StartViewChange", func() Message { return new(StartViewChange) }, true},
	KindDoViewChange:    {"DoViewChange", func() Message { return new(DoViewChange) }, true},
	KindGetState:        {"GetState", func() Message { return new(GetState) }, true},
	KindNewState:        {"NewState", func() Message { return new(NewState) }, false},
	KindQuestion:        {"Question", func() Message { return new(Question) }, true},
	KindAnswer:          {"Answer", func() Message { return new(Answer) }, true},
	KindOutdated:        {"Outdated", func() Message { return new(Outdated) }, true},
	KindRequest:         {"Request", func() Message { return new(Request) }, false},
	KindReply:           {"Reply", func() Message { return new(Reply) }, false},
	KindReadRound:       {"ReadRound", func() Message { return new(ReadRound) }, true},
	KindReadRoundOK:     {"ReadRoundOK", func() Message { return new(ReadRoundOK) }, false},
	KindSnapshotOffer:   {"SnapshotOffer", func() Message { return new(SnapshotOffer) }, false},
	KindGetChunk:        {"GetChunk", func() Message { return new(GetChunk) }, false},
	KindSnapshotChunk:   {"SnapshotChunk", func() Message { return new(SnapshotChunk) }, false},
}

// LastKind is the kind with the highest number.
const LastKind = KindSnapshotChunk

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
