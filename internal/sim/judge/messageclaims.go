package judge

import (
	"cmp"
	"fmt"
	"hash/maphash"
	"reflect"

	"github.com/smr-go/smr/internal/vsr"
	"github.com/smr-go/smr/internal/words"
)

// Sends reports that a member sends a message. Everything that the message claims must be true of the sender's disk
// already (11.6).
func (j *Judge) Sends(i int, h vsr.Header, m vsr.Message) error {
	err := j.checkMessage(i, h, m)
	if err == nil {
		return nil
	}
	d := &j.members[i].disk
	return violates("11.6", "%s sends %s, and its disk holds view %d, log %v..%v: %v", j.members[i].id,
		words.Message(m), d.Head.View, d.Base, d.Last, err)
}

func (j *Judge) checkMessage(i int, h vsr.Header, m vsr.Message) error {
	sender := &j.members[i]
	d := &sender.disk
	if d.Head.Incarnation != h.Incarnation || d.Head.Start != h.Start || d.Head.Group != h.Group ||
		d.Head.Epoch != h.Epoch {
		return fmt.Errorf("the header has %v start %s, the disk %v start %s", h.Incarnation, vsr.StartText(h.Start),
			d.Head.Incarnation, vsr.StartText(d.Head.Start))
	}
	switch m := m.(type) {
	case *vsr.Relay:
		return j.claimsRelay(i, h, m)
	case *vsr.Question, *vsr.Part, *vsr.PartOK:
		return nil // whoever sends a Part has made the claims of its message before
	case *vsr.Answer:
		return j.claimsGroup(d, m)
	}
	if sender.lost {
		return fmt.Errorf("its memory is lost, and it takes part (S3)")
	}
	switch m := m.(type) {
	case *vsr.Request, *vsr.ReadRound:
		return nil // no receiver enters a view because of these
	case *vsr.Gap:
		if m.Prev > 0 {
			return j.claimsGap(sender, m) // nor because of this: the primary that is answered is in that view
		}
	}
	if v, _ := ViewOf(m); v > d.Head.View {
		return fmt.Errorf("view %d is not durable", v)
	}
	switch m := m.(type) {
	case *vsr.Prepare:
		sender.led = max(sender.led, m.View+1)
		return cmp.Or(j.claimsCommit(m.Commit), j.ledger.run(m.Prev, m.Entries),
			j.claimsView(h.Epoch, m.View, m.Prev.Op+vsr.OpNumber(len(m.Entries)), lastOf(m.Prev, m.Entries)))
	case *vsr.Commit:
		return cmp.Or(j.claimsCommit(m.Commit), j.claimsAcknowledged(i, h, m.Acknowledged))
	case *vsr.PrepareOK:
		sender.acknowledges(h.Start, m.Op)
		return j.claimsLog(d, m)
	case *vsr.CommitOK:
		// If a later message of the same turn has ended the view, the log of then is not known any more.
		if log := &sender.memory; m.Op <= log.Last.Op && log.Head.View == m.View {
			return j.claimsView(h.Epoch, m.View, m.Op, j.ledger.at(log.Last, m.Op))
		}
	case *vsr.Gap:
		return j.claimsGap(sender, m)
	case *vsr.DoViewChange:
		if int(uint64(m.View)%uint64(len(j.members))) != i && m.Last != d.Last && !j.late(d, m) {
			return fmt.Errorf("the log does not end so")
		}
		sender.describes(h, m)
		return cmp.Or(j.claimsCommit(m.Commit), j.claimsAcknowledged(i, h, m.Acknowledged))
	case *vsr.NewState:
		return j.claimsState(d, m)
	case *vsr.ReadRoundOK:
		return j.claimsCommit(m.Op)
	case *vsr.SnapshotOffer:
		if m.Snapshot.Last.Op+1 < m.First {
			return fmt.Errorf("its log begins with op %d, which does not follow", m.First)
		}
		return j.claimsSnapshot(m.Snapshot.Last)
	case *vsr.SnapshotChunk:
		return j.claimsChunk(m)
	}
	return nil
}

// claimsRelay checks the message that goes through a relay, where its sender sends it (X6). What a relay passes on was
// true when it was sent.
func (j *Judge) claimsRelay(i int, h vsr.Header, m *vsr.Relay) error {
	switch {
	case j.members[i].lost:
		return fmt.Errorf("its memory is lost, and it takes part (S3)")
	case int(m.From) != i:
		return nil
	case m.Sender != h:
		return fmt.Errorf("the header of the message within is %v", m.Sender)
	}
	return j.checkMessage(i, h, m.Message)
}

// claimsGroup checks that an answer names the same group as the disk, and that the group is confirmed if the answer
// claims that (S2).
func (j *Judge) claimsGroup(d *Disk, m *vsr.Answer) error {
	group := d.Head.Group
	if group == (vsr.GroupID{}) {
		group = d.Head.Known
	}
	switch {
	case m.Group != group:
		return fmt.Errorf("its disk names group %v", group)
	case m.Confirmed && m.Group != j.group:
		return fmt.Errorf("group %v is confirmed", j.group)
	}
	return nil
}

// claimsLog checks that the view of an acknowledgement is durable (V5), and that the acknowledged entries are durable
// and equal to those of the view's primary (N3), even if that primary is down.
func (j *Judge) claimsLog(d *Disk, m *vsr.PrepareOK) error {
	if m.View != d.Head.View {
		return fmt.Errorf("view %d is left", m.View)
	}
	if m.Op > d.Last.Op {
		return fmt.Errorf("op %d is not durable", m.Op)
	}
	return j.claimsView(d.Head.Epoch, m.View, m.Op, j.ledger.at(d.Last, m.Op))
}

// late reports whether a description of a log waited for the disk while its view, or a later one, began: the log that it
// describes is the whole part of the log on disk that is of earlier views.
func (j *Judge) late(d *Disk, m *vsr.DoViewChange) bool {
	return d.Last.View >= m.View && j.ledger.holds(d.Last, m.Last) && j.ledger.at(d.Last, m.Last.Op+1).View >= m.View
}

// claimsView checks that the entry at op is the one in the log of the view's primary. A member whose
// votes have not sufficed reports its progress to the primary of its view, although none may lead that view yet (X6).
func (j *Judge) claimsView(epoch vsr.Epoch, view vsr.View, op vsr.OpNumber, stamp vsr.Viewstamp) error {
	if op == 0 {
		return nil
	}
	theirs, ok := j.ledger.ofView(epoch, view, op)
	if known := j.ledger.committed; !ok && int(op) < len(known) && known[op] == stamp {
		return nil // the view has no primary yet; the log of every later one holds all committed entries (11.3)
	}
	if !ok {
		return fmt.Errorf("op %d is not in the log of view %d", op, view)
	}
	if theirs != stamp {
		return fmt.Errorf("its op %d is %v, the primary's of view %d %v", op, stamp, view, theirs)
	}
	return nil
}

// lastOf returns the viewstamp of the last entry, or of the one before them all.
func lastOf(prev vsr.Viewstamp, entries []vsr.Entry) vsr.Viewstamp {
	if len(entries) > 0 {
		return entries[len(entries)-1].Stamp()
	}
	return prev
}

// claimsGap checks that the log holds what a Gap names, at the op before the refused ones or below (N3): in memory, or
// still on the disk, if a later message of the same turn has changed that. If one has ended the Gap's view, the log of
// then is not known any more.
func (j *Judge) claimsGap(sender *member, m *vsr.Gap) error {
	if m.Last.Op > m.Prev {
		return fmt.Errorf("it is asked for op %d", m.Prev)
	}
	if sender.memory.Head.View > m.View {
		return nil
	}
	if log := sender.memory.Last; m.Last.Op <= log.Op && !j.ledger.holds(log, m.Last) &&
		!j.ledger.holds(sender.disk.Last, m.Last) {
		return fmt.Errorf("its op %d is %v", m.Last.Op, j.ledger.at(log, m.Last.Op))
	}
	return nil
}

// claimsState checks that the entries sent belong to the log whose end is named, and that this log is durable (V6).
func (j *Judge) claimsState(d *Disk, m *vsr.NewState) error {
	switch {
	case m.Best != d.Last:
		return fmt.Errorf("the log does not end so")
	case m.Gone:
		return nil
	case j.ledger.at(m.Best, m.Prev.Op) != m.Prev || !j.ledger.holds(m.Best, lastOf(m.Prev, m.Entries)):
		return fmt.Errorf("that is not in the log")
	}
	return j.ledger.run(m.Prev, m.Entries)
}

// claimsSnapshot checks that a snapshot ends with a committed entry (C3).
func (j *Judge) claimsSnapshot(last vsr.Viewstamp) error {
	if err := j.claimsCommit(last.Op); err != nil {
		return err
	}
	if was := j.ledger.committed[last.Op]; was != last {
		return fmt.Errorf("op %d is committed as %v", last.Op, was)
	}
	return nil
}

// claimsChunk checks that a chunk of a snapshot is the same from every sender (C2).
func (j *Judge) claimsChunk(m *vsr.SnapshotChunk) error {
	if len(m.Data) == 0 {
		return nil
	}
	id, sum := chunkID{m.Snapshot, m.Chunk}, maphash.Bytes(j.seed, m.Data)
	if was, ok := j.chunks[id]; ok && was != sum {
		return fmt.Errorf("its bytes differ from those that another member has sent")
	}
	j.chunks[id] = sum
	return j.claimsSnapshot(m.Snapshot.Last)
}

// chunkID names a chunk of a snapshot.
type chunkID struct {
	snapshot vsr.SnapshotID
	chunk    uint32
}

func (j *Judge) claimsCommit(op vsr.OpNumber) error {
	if end := j.ledger.end(); op > end.Op {
		return fmt.Errorf("op %d is sent as committed; the last that is known to be is %v", op, end)
	}
	return nil
}

// ViewOf returns the view that the sender of a message has entered, as it claims; ok is false if it claims none.
func ViewOf(m vsr.Message) (v vsr.View, ok bool) {
	if view := reflect.ValueOf(m).Elem().FieldByName("View"); view.IsValid() {
		return vsr.View(view.Uint()), true
	}
	return 0, false
}
