package sim

import (
	"cmp"
	"fmt"

	"github.com/smr-go/smr/internal/vsr"
)

// checkClaims compares what a message says with what its sender's disk is known to hold: nothing is
// sent that is not yet true there (section 2, 11.6).
func (s *Sim) checkClaims(p *process, h vsr.Header, m vsr.Outgoing) {
	if err := s.claims(p, h, m.Message); err != nil {
		s.fail("11.6", "%s sends %s, and its disk holds view %d, log %v..%v: %v", Name(p.h.i), showMessage(m.Message),
			p.h.truth.head.View, p.h.truth.base, p.h.truth.last, err)
	}
}

func (s *Sim) claims(p *process, h vsr.Header, m vsr.Message) error {
	d := &p.h.truth
	if d.head.Incarnation != h.Incarnation || d.head.Start != h.Start || d.head.Group != h.Group || d.head.Epoch != h.Epoch {
		return fmt.Errorf("the header says %v start %d, the disk %v start %d", h.Incarnation, h.Start, d.head.Incarnation, d.head.Start)
	}
	switch m.(type) {
	case *vsr.Question, *vsr.Answer:
		return nil
	}
	if p.h.lost {
		return fmt.Errorf("S3: its memory is lost, and it takes part")
	}
	if v := viewOf(m); v > d.head.View {
		return fmt.Errorf("view %d is not durable", v)
	}
	switch m := m.(type) {
	case *vsr.Prepare:
		return cmp.Or(s.claimsCommit(m.Commit), s.ledger.run(m.Prev, m.Entries),
			s.claimsView(h.Epoch, m.View, m.Prev.Op+vsr.OpNumber(len(m.Entries)), lastOf(m.Prev, m.Entries)))
	case *vsr.Commit:
		return s.claimsCommit(m.Commit)
	case *vsr.PrepareOK:
		return s.claimsLog(d, m)
	case *vsr.CommitOK:
		// Of a view that a later message of the same turn has ended the log is not known any more.
		if stamp, ok := p.core.Stamp(m.Op); ok && m.Op > 0 && p.core.State().Head.View == m.View {
			return s.claimsView(h.Epoch, m.View, m.Op, stamp)
		}
	case *vsr.Gap:
		return s.claimsGap(p, m)
	case *vsr.DoViewChange:
		if s.members.Members[int(uint64(m.View)%uint64(len(s.hosts)))].ID != Name(p.h.i) && m.Last != d.last {
			return fmt.Errorf("the log does not end so")
		}
		return s.claimsCommit(m.Commit)
	case *vsr.NewState:
		return s.claimsState(d, m)
	case *vsr.ReadRoundOK:
		return s.claimsCommit(m.Op)
	case *vsr.SnapshotOffer:
		if m.Snapshot.Last.Op+1 < m.First {
			return fmt.Errorf("its log begins with op %d, which does not follow", m.First)
		}
		return s.claimsSnapshot(m.Snapshot.Last)
	case *vsr.SnapshotChunk:
		return s.claimsChunk(m)
	}
	return nil
}

// claimsLog: an acknowledgement is of the view that is durable (V5), and of entries that are, and
// that agree with that view's primary (N3), whether that is still there or not.
func (s *Sim) claimsLog(d *durable, m *vsr.PrepareOK) error {
	if m.View != d.head.View {
		return fmt.Errorf("view %d is left", m.View)
	}
	if m.Op > d.last.Op {
		return fmt.Errorf("op %d is not durable", m.Op)
	}
	return s.claimsView(d.head.Epoch, m.View, m.Op, s.ledger.at(d.last, m.Op))
}

// claimsView: what stands at op is what the view's primary has there.
func (s *Sim) claimsView(epoch vsr.Epoch, view vsr.View, op vsr.OpNumber, stamp vsr.Viewstamp) error {
	if op == 0 {
		return nil
	}
	theirs, ok := s.ledger.ofView(epoch, view, op)
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

// claimsGap: the log stands as a Gap says, at the op before the refused ones or below (N3): in memory, or on the disk
// still, if a later message of the same turn has changed that.
func (s *Sim) claimsGap(p *process, m *vsr.Gap) error {
	if m.Last.Op > m.Prev {
		return fmt.Errorf("it is asked for op %d", m.Prev)
	}
	if stamp, ok := p.core.Stamp(m.Last.Op); ok && stamp != m.Last && !s.ledger.holds(p.h.truth.last, m.Last) {
		return fmt.Errorf("its op %d is %v", m.Last.Op, stamp)
	}
	return nil
}

// claimsState: what is given of a log is of the one that was described, and is durable (V6).
func (s *Sim) claimsState(d *durable, m *vsr.NewState) error {
	switch {
	case m.Best != d.last:
		return fmt.Errorf("the log does not end so")
	case m.Gone:
		return nil
	case s.ledger.at(m.Best, m.Prev.Op) != m.Prev || !s.ledger.holds(m.Best, lastOf(m.Prev, m.Entries)):
		return fmt.Errorf("that is not in the log")
	}
	return s.ledger.run(m.Prev, m.Entries)
}

// claimsSnapshot: a snapshot ends with what is committed (C3).
func (s *Sim) claimsSnapshot(last vsr.Viewstamp) error {
	if err := s.claimsCommit(last.Op); err != nil {
		return err
	}
	if was := s.ledger.committed[last.Op]; was != last {
		return fmt.Errorf("op %d is committed as %v", last.Op, was)
	}
	return nil
}

// claimsChunk: a chunk of a snapshot is the same, whoever sends it (C2).
func (s *Sim) claimsChunk(m *vsr.SnapshotChunk) error {
	if len(m.Data) == 0 {
		return nil
	}
	id, sum := chunkID{m.Snapshot, m.Chunk}, sumOf(m.Data)
	if was, ok := s.chunks[id]; ok && was != sum {
		return fmt.Errorf("another has sent it as something else")
	}
	s.chunks[id] = sum
	return s.claimsSnapshot(m.Snapshot.Last)
}

// chunkID names a chunk of a snapshot.
type chunkID struct {
	snapshot vsr.SnapshotID
	chunk    uint32
}

func (s *Sim) claimsCommit(op vsr.OpNumber) error {
	if end := s.ledger.end(); op > end.Op {
		return fmt.Errorf("op %d is said to be committed; what is known to be ends with %v", op, end)
	}
	return nil
}

// viewOf returns the view that a message says its sender has entered.
func viewOf(m vsr.Message) vsr.View {
	switch m := m.(type) {
	case *vsr.Prepare:
		return m.View
	case *vsr.PrepareOK:
		return m.View
	case *vsr.Gap:
		return m.View
	case *vsr.Commit:
		return m.View
	case *vsr.CommitOK:
		return m.View
	case *vsr.StartViewChange:
		return m.View
	case *vsr.DoViewChange:
		return m.View
	case *vsr.GetState:
		return m.View
	case *vsr.NewState:
		return m.View
	case *vsr.Request:
		return m.View
	case *vsr.Reply:
		return m.View
	case *vsr.ReadRound:
		return m.View
	case *vsr.ReadRoundOK:
		return m.View
	case *vsr.SnapshotOffer:
		return m.View
	}
	return 0
}
