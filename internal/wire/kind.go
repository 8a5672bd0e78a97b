package wire

import (
	"fmt"
	"strings"

	"github.com/smr-go/smr/internal/vsr"
)

// kind is a message's kind as the second byte says it.
type kind uint8

// The kinds of messages. Their values are on the wire: add, never renumber.
const (
	prepare         kind = 1
	prepareOK       kind = 2
	gap             kind = 3
	commit          kind = 4
	commitOK        kind = 5
	startViewChange kind = 6
	doViewChange    kind = 7
	getState        kind = 8
	newState        kind = 9
	question        kind = 10
	answer          kind = 11
	outdated        kind = 12
	request         kind = 13
	reply           kind = 14
	readRound       kind = 15
	readRoundOK     kind = 16
	snapshotOffer   kind = 17
	getChunk        kind = 18
	snapshotChunk   kind = 19
)

var makers = [...]func() vsr.Message{
	prepare:         func() vsr.Message { return new(vsr.Prepare) },
	prepareOK:       func() vsr.Message { return new(vsr.PrepareOK) },
	gap:             func() vsr.Message { return new(vsr.Gap) },
	commit:          func() vsr.Message { return new(vsr.Commit) },
	commitOK:        func() vsr.Message { return new(vsr.CommitOK) },
	startViewChange: func() vsr.Message { return new(vsr.StartViewChange) },
	doViewChange:    func() vsr.Message { return new(vsr.DoViewChange) },
	getState:        func() vsr.Message { return new(vsr.GetState) },
	newState:        func() vsr.Message { return new(vsr.NewState) },
	question:        func() vsr.Message { return new(vsr.Question) },
	answer:          func() vsr.Message { return new(vsr.Answer) },
	outdated:        func() vsr.Message { return new(vsr.Outdated) },
	request:         func() vsr.Message { return new(vsr.Request) },
	reply:           func() vsr.Message { return new(vsr.Reply) },
	readRound:       func() vsr.Message { return new(vsr.ReadRound) },
	readRoundOK:     func() vsr.Message { return new(vsr.ReadRoundOK) },
	snapshotOffer:   func() vsr.Message { return new(vsr.SnapshotOffer) },
	getChunk:        func() vsr.Message { return new(vsr.GetChunk) },
	snapshotChunk:   func() vsr.Message { return new(vsr.SnapshotChunk) },
}

// newMessage returns an empty message of kind k, nil if there is no such kind.
func newMessage(k kind) vsr.Message {
	if int(k) >= len(makers) || makers[k] == nil {
		return nil
	}
	return makers[k]()
}

// kindOf returns the kind of m.
func kindOf(m vsr.Message) kind {
	switch m.(type) {
	case *vsr.Prepare:
		return prepare
	case *vsr.PrepareOK:
		return prepareOK
	case *vsr.Gap:
		return gap
	case *vsr.Commit:
		return commit
	case *vsr.CommitOK:
		return commitOK
	case *vsr.StartViewChange:
		return startViewChange
	case *vsr.DoViewChange:
		return doViewChange
	case *vsr.GetState:
		return getState
	case *vsr.NewState:
		return newState
	case *vsr.Question:
		return question
	case *vsr.Answer:
		return answer
	case *vsr.Outdated:
		return outdated
	case *vsr.Request:
		return request
	case *vsr.Reply:
		return reply
	case *vsr.ReadRound:
		return readRound
	case *vsr.ReadRoundOK:
		return readRoundOK
	case *vsr.SnapshotOffer:
		return snapshotOffer
	case *vsr.GetChunk:
		return getChunk
	case *vsr.SnapshotChunk:
		return snapshotChunk
	}
	panic(fmt.Sprintf("wire: %T has no kind; give it one here and a layout in payload.go", m))
}

// nameOf returns the name of m's kind as the protocol says it.
func nameOf(m vsr.Message) string { return strings.TrimPrefix(fmt.Sprintf("%T", m), "*vsr.") }
