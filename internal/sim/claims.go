package sim

import (
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
		return s.claimsCommit(m.Commit)
	case *vsr.Commit:
		return s.claimsCommit(m.Commit)
	case *vsr.PrepareOK:
		return s.claimsLog(p, m)
	case *vsr.DoViewChange:
		if s.members.Members[int(uint64(m.View)%uint64(len(s.hosts)))].ID != Name(p.h.i) && m.Last != d.last {
			return fmt.Errorf("the log does not end so")
		}
		return s.claimsCommit(m.Commit)
	case *vsr.ReadRoundOK:
		return s.claimsCommit(m.Op)
	case *vsr.SnapshotOffer:
		return s.claimsCommit(m.Snapshot.Last.Op)
	}
	return nil
}

// claimsLog: an acknowledgement is of the view that is durable (V5), and of entries that are, and
// that agree with that view's primary (N3).
func (s *Sim) claimsLog(p *process, m *vsr.PrepareOK) error {
	d := &p.h.truth
	if m.View != d.head.View {
		return fmt.Errorf("view %d is left", m.View)
	}
	if m.Op > d.last.Op {
		return fmt.Errorf("op %d is not durable", m.Op)
	}
	primary := s.hosts[uint64(m.View)%uint64(len(s.hosts))].proc
	if primary == nil || primary.seen.Head.View != m.View || primary.seen.Primary != vsr.Index(primary.h.i) {
		return nil
	}
	if theirs, ok := primary.core.Stamp(m.Op); ok && m.Op > d.base.Op && theirs != s.ledger.at(d.last, m.Op) {
		return fmt.Errorf("its op %d is %v, the primary's is %v", m.Op, s.ledger.at(d.last, m.Op), theirs)
	}
	return nil
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
