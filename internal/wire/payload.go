package wire

import (
	"fmt"

	"github.com/smr-go/smr/internal/vsr"
)

// payload visits the fields of m. It is also the description of the payloads: a number has 8 bytes
// unless it is a num32, a stamp is three numbers, what a member has acknowledged is a stamp and a
// number, and a report is four numbers, a flag, two numbers, a flag and a text.
func (f *fields) payload(m vsr.Message) {
	switch m := m.(type) {
	case *vsr.Prepare:
		num2(f, &m.View, &m.Commit)
		f.stamp(&m.Prev)
		f.entries(&m.Entries)
	case *vsr.PrepareOK:
		num2(f, &m.View, &m.Op)
	case *vsr.Gap:
		num2(f, &m.View, &m.Prev)
		f.stamp(&m.Last)
	case *vsr.Commit:
		num4(f, &m.View, &m.Commit, &m.Round, &m.Keep)
		num(f, &m.Withdrawn)
		f.acknowledged(&m.Acknowledged)
		f.reports(&m.Reports)
	case *vsr.CommitOK:
		num4(f, &m.View, &m.Round, &m.Op, &m.Applied)
		f.flag(&m.Full)
		f.text(&m.Problem)
	case *vsr.StartViewChange:
		num3(f, &m.View, &m.Next, &m.Stalled)
		num(f, &m.Vote)
	case *vsr.DoViewChange:
		num4(f, &m.View, &m.Commit, &m.First, &m.Snapshot)
		num(f, &m.Stalled)
		f.flag(&m.Full)
		f.stamp(&m.Last)
		f.acknowledged(&m.Acknowledged)
	case *vsr.GetState:
		num(f, &m.View)
		f.stamp(&m.Best)
		f.stamp(&m.Prev)
	case *vsr.NewState:
		num(f, &m.View)
		f.stamp(&m.Best)
		f.stamp(&m.Prev)
		f.flag(&m.Gone)
		f.entries(&m.Entries)
	default:
		f.payloadOutsideLog(m)
	}
}

// payloadOutsideLog visits the fields of m if it concerns the group, requests, reads or snapshots.
func (f *fields) payloadOutsideLog(m vsr.Message) {
	switch m := m.(type) {
	case *vsr.Question:
		num(f, &m.Nonce)
		f.text(&m.List)
	case *vsr.Answer:
		num(f, &m.Nonce)
		f.raw(m.Group[:])
		f.flag(&m.Confirmed)
		f.flag(&m.Named)
		f.text(&m.List)
	case *vsr.Outdated:
		num(f, &m.Start)
		f.stamp(&m.Acknowledged)
	case *vsr.Request:
		num3(f, &m.View, &m.Attempt, &m.Op)
		f.proposals(&m.Requests)
	case *vsr.Reply:
		num4(f, &m.View, &m.Start, &m.Attempt, &m.From)
		num(f, &m.Accepted)
		f.flag(&m.Overloaded)
		f.flag(&m.Full)
	case *vsr.ReadRound:
		num3(f, &m.View, &m.Read, &m.Op)
	case *vsr.ReadRoundOK:
		num4(f, &m.View, &m.Start, &m.Read, &m.Op)
	case *vsr.SnapshotOffer:
		num2(f, &m.View, &m.First)
		f.snapshotID(&m.Snapshot.SnapshotID)
		num(f, &m.Snapshot.Size)
		f.num32(&m.Snapshot.Chunks)
		f.membership(&m.Snapshot.Members)
	case *vsr.GetChunk:
		f.snapshotID(&m.Snapshot)
		f.num32(&m.Chunk)
	case *vsr.SnapshotChunk:
		f.snapshotID(&m.Snapshot)
		f.num32(&m.Chunk)
		f.bytes(&m.Data)
	case *vsr.Part:
		num2(f, &m.Stream, &m.Number)
		f.flag(&m.Last)
		f.bytes(&m.Data)
	case *vsr.PartOK:
		num3(f, &m.Start, &m.Stream, &m.Arrived)
	case *vsr.Relay:
		f.relay(m)
	}
}

// relay visits a message that goes through another member: sender and addressee as a byte each, the
// sender's header, the kind in a byte, and the payload.
func (f *fields) relay(m *vsr.Relay) {
	from, to, kind := byte(m.From), byte(m.To), byte(0)
	if !f.reading {
		kind = byte(vsr.KindOf(m.Message))
	}
	f.octet(&from)
	f.octet(&to)
	f.flag(&m.Unheard)
	f.header(&m.Sender)
	f.octet(&kind)
	if f.reading {
		m.From, m.To = vsr.Index(from), vsr.Index(to)
		if !vsr.MessageKind(kind).Relayed() {
			f.fail(fmt.Errorf("kind %d may not go through a relay", kind))
			return
		}
		m.Message = vsr.MessageKind(kind).New()
	}
	f.payload(m.Message)
}
