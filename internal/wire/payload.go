package wire

import "github.com/smr-go/smr/internal/vsr"

// payload visits the fields of m. It is also the description of the payloads: a number has 8 bytes
// unless it is a num32, and a stamp is three numbers.
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
	case *vsr.CommitOK:
		num3(f, &m.View, &m.Round, &m.Op)
	case *vsr.StartViewChange:
		num2(f, &m.View, &m.Next)
	case *vsr.DoViewChange:
		num4(f, &m.View, &m.Commit, &m.First, &m.Snapshot)
		f.stamp(&m.Last)
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
		f.flag(&m.Exists)
		f.flag(&m.Named)
		f.text(&m.List)
	case *vsr.Outdated:
		num(f, &m.Start)
	case *vsr.Request:
		num2(f, &m.View, &m.Attempt)
		f.proposals(&m.Requests)
	case *vsr.Reply:
		num4(f, &m.View, &m.Start, &m.Attempt, &m.From)
		f.flag(&m.Overloaded)
	case *vsr.ReadRound:
		num2(f, &m.View, &m.Read)
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
	}
}
