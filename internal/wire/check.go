package wire

import (
	"cmp"
	"errors"
	"fmt"
	"math"

	"github.com/smr-go/smr/internal/vsr"
)

// check returns an error if no replica that follows the protocol could have sent the message,
// whatever its state. The core relies on this check. Whether a message fits the receiver's own
// state is for the receiver to decide.
func check(h *vsr.Header, m vsr.Message) error {
	if err := checkHeader(h); err != nil {
		return err
	}
	switch m := m.(type) {
	case *vsr.Prepare:
		return cmp.Or(
			checkFollow(m.Prev, m.Entries),
			checkReached("entry", lastOf(m.Prev, m.Entries), h.Epoch, m.View))
	case *vsr.Gap:
		return cmp.Or(
			checkReached("last entry", m.Last, h.Epoch, m.View),
			checkOrder("last entry", m.Last.Op, "entry before the refused", m.Prev))
	case *vsr.Commit:
		return cmp.Or(checkAcknowledged(m.Acknowledged, h.Epoch, m.View), checkReports(m.Reports))
	case *vsr.CommitOK:
		return checkProblem(m.Problem)
	case *vsr.DoViewChange:
		return checkDoViewChange(h, m)
	case *vsr.GetState:
		return checkGetState(h, m)
	case *vsr.NewState:
		return checkNewState(h, m)
	case *vsr.Answer:
		return checkAnswer(h, m)
	case *vsr.Outdated:
		return checkStamp(m.Acknowledged)
	case *vsr.Request:
		return checkProposals(m.Requests)
	case *vsr.SnapshotOffer:
		return checkOffer(h, m)
	case *vsr.GetChunk:
		return checkSnapshotID(h, &m.Snapshot)
	case *vsr.SnapshotChunk:
		return checkSnapshotID(h, &m.Snapshot)
	case *vsr.Part:
		return checkPart(m)
	case *vsr.Relay:
		return checkRelay(m)
	}
	return nil // the other kinds hold only numbers, which may have any value
}

// checkPart checks that a part is not empty.
func checkPart(m *vsr.Part) error {
	if len(m.Data) == 0 {
		return fmt.Errorf("part %d is empty", m.Number)
	}
	return nil
}

// checkRelay checks that a message goes from one member to another, and what its sender sent.
func checkRelay(m *vsr.Relay) error {
	if m.From == m.To || max(m.From, m.To) >= vsr.MaxVoters {
		return fmt.Errorf("from member %d to member %d", m.From, m.To)
	}
	if err := check(&m.Sender, m.Message); err != nil {
		return fmt.Errorf("%v: %w", vsr.KindOf(m.Message), err)
	}
	return nil
}

// checkHeader checks that the sender has an incarnation, which it creates before it sends anything
// (S1), and that the epochs of a group begin at 1 (S2).
func checkHeader(h *vsr.Header) error {
	if h.Incarnation == (vsr.Incarnation{}) {
		return errors.New("sender has no incarnation")
	}
	if (h.Group == vsr.GroupID{}) != (h.Epoch == 0) {
		return fmt.Errorf("epoch %d in group %v: a group's epochs begin at 1", h.Epoch, h.Group)
	}
	return nil
}

// checkDoViewChange checks that the log begins at the op after the snapshot or below, and ends at the
// snapshot or above (section 2), and that committed ops are in the log or in the snapshot (11.1).
func checkDoViewChange(h *vsr.Header, m *vsr.DoViewChange) error {
	return cmp.Or(
		checkReached("last entry", m.Last, h.Epoch, m.View),
		checkOrder("commit number", m.Commit, "last entry", m.Last.Op),
		checkOrder("snapshot", m.Snapshot, "last entry", m.Last.Op),
		checkStart(m.First, m.Snapshot),
		checkAcknowledged(m.Acknowledged, h.Epoch, m.View))
}

// checkAcknowledged checks that the members with acknowledged entries are not more than a group can have,
// and that these entries belong to the sender's view or an earlier one.
func checkAcknowledged(all []vsr.Acknowledged, e vsr.Epoch, v vsr.View) error {
	if len(all) > vsr.MaxVoters {
		return fmt.Errorf("%d members have acknowledged entries; a group has %d at most", len(all), vsr.MaxVoters)
	}
	for i := range all {
		if err := checkReached("acknowledged entry", all[i].Last, e, v); err != nil {
			return err
		}
	}
	return nil
}

// checkReports checks that the reports are not more than a group can have members, and that their texts
// are short.
func checkReports(all []vsr.Report) error {
	if len(all) > vsr.MaxVoters {
		return fmt.Errorf("reports of %d members; a group has %d at most", len(all), vsr.MaxVoters)
	}
	for i := range all {
		if err := checkProblem(all[i].Problem); err != nil {
			return err
		}
	}
	return nil
}

func checkProblem(text string) error {
	if len(text) > vsr.MaxProblem {
		return fmt.Errorf("a problem of %d bytes; the limit is %d", len(text), vsr.MaxProblem)
	}
	return nil
}

// checkGetState checks that the requested log is better than the requester's, though it may be
// shorter (V6).
func checkGetState(h *vsr.Header, m *vsr.GetState) error {
	return cmp.Or(
		checkStamp(m.Prev),
		checkReached("best", m.Best, h.Epoch, m.View),
		checkBest("entry before", m.Prev, m.Best))
}

// checkNewState checks that no entry lies above the best viewstamp (V6).
func checkNewState(h *vsr.Header, m *vsr.NewState) error {
	if m.Gone && len(m.Entries) > 0 {
		return fmt.Errorf("Gone is set, but the message has %d entries", len(m.Entries))
	}
	last := lastOf(m.Prev, m.Entries)
	return cmp.Or(
		checkFollow(m.Prev, m.Entries),
		checkReached("best", m.Best, h.Epoch, m.View),
		checkBest("last entry sent", last, m.Best),
		checkOrder("last entry sent", last.Op, "best", m.Best.Op))
}

// checkAnswer checks that a member of a group reports that group, that only such a member knows its
// list, and that a member of none reports a group only if it is confirmed (S2).
func checkAnswer(h *vsr.Header, m *vsr.Answer) error {
	none := vsr.GroupID{}
	switch {
	case h.Group != none && m.Group != h.Group:
		return fmt.Errorf("group %v in the header, %v in the answer", h.Group, m.Group)
	case m.Named && h.Group == none:
		return errors.New("Named is set, but the header names no group")
	case h.Group == none && m.Confirmed != (m.Group != none):
		return fmt.Errorf("group %v of others, confirmed: %v", m.Group, m.Confirmed)
	}
	return nil
}

// checkOffer checks that the primary's log begins at the op after its snapshot or below.
func checkOffer(h *vsr.Header, m *vsr.SnapshotOffer) error {
	s := &m.Snapshot
	if s.Size < 0 || (s.Size > 0 && s.Chunks == 0) {
		return fmt.Errorf("snapshot of %d bytes in %d chunks", s.Size, s.Chunks)
	}
	if s.Members.Group != s.Group {
		return fmt.Errorf("snapshot of group %v with members of group %v", s.Group, s.Members.Group)
	}
	return cmp.Or(
		checkSnapshotID(h, &s.SnapshotID),
		checkReached("snapshot", s.Last, h.Epoch, m.View),
		checkStart(m.First, s.Last.Op))
}

// checkSnapshotID checks that the snapshot belongs to the sender's group (C2).
func checkSnapshotID(h *vsr.Header, s *vsr.SnapshotID) error {
	switch {
	case s.Last.Op == 0:
		return errors.New("snapshot without ops: its last op is 0")
	case s.Group != h.Group:
		return fmt.Errorf("snapshot of group %v from a member of group %v", s.Group, h.Group)
	}
	return checkStamp(s.Last)
}

// checkProposals checks the kinds and sizes of proposals: a primary creates the other kinds of entries
// itself.
func checkProposals(proposals []vsr.Proposal) error {
	for i := range proposals {
		p := &proposals[i]
		if p.Kind != vsr.Command && p.Kind != vsr.OpenSession {
			return fmt.Errorf("request %d: kind %d cannot be proposed", p.Request, p.Kind)
		}
		if len(p.Body) > vsr.MaxBody {
			return fmt.Errorf("request %d: its body has %d bytes; the limit is %d", p.Request, len(p.Body), vsr.MaxBody)
		}
	}
	return nil
}

// checkFollow checks that entries follow prev and one another. Along a log, neither (epoch, view)
// (11.4) nor time (N2) decreases.
func checkFollow(prev vsr.Viewstamp, entries []vsr.Entry) error {
	if err := checkStamp(prev); err != nil {
		return err
	}
	clock := int64(math.MinInt64)
	for i := range entries {
		e := &entries[i]
		if err := e.Check(); err != nil {
			return err
		}
		at := e.Stamp()
		if at.Op != prev.Op+1 || at.Compare(prev) < 0 {
			return fmt.Errorf("entry %v cannot follow %v", at, prev)
		}
		if e.Time < clock {
			return fmt.Errorf("entry %v: time %d is before the previous entry's, %d", at, e.Time, clock)
		}
		prev, clock = at, e.Time
	}
	return nil
}

// lastOf returns the viewstamp of the last entry, or prev if entries is empty.
func lastOf(prev vsr.Viewstamp, entries []vsr.Entry) vsr.Viewstamp {
	if n := len(entries); n > 0 {
		return entries[n-1].Stamp()
	}
	return prev
}

// checkStamp checks that epoch and view are zero for op 0, which precedes the first entry, and that
// an entry's epoch is not.
func checkStamp(s vsr.Viewstamp) error {
	if (s.Op == 0) != (s.Epoch == 0) || (s.Op == 0 && s.View != 0) {
		return fmt.Errorf("no entry can have viewstamp %v", s)
	}
	return nil
}

// checkReached checks that s does not exceed the sender's epoch and view: a replica's log has no
// entry of a later view than its own (11.4).
func checkReached(what string, s vsr.Viewstamp, e vsr.Epoch, v vsr.View) error {
	if s.Compare(vsr.Viewstamp{Epoch: e, View: v, Op: math.MaxUint64}) > 0 {
		return fmt.Errorf("%s %v is above the sender's view, %d.%d", what, s, e, v)
	}
	return checkStamp(s)
}

func checkBest(what string, s, best vsr.Viewstamp) error {
	if s.Compare(best) > 0 {
		return fmt.Errorf("%s %v is above the best, %v", what, s, best)
	}
	return nil
}

func checkOrder(what string, op vsr.OpNumber, than string, limit vsr.OpNumber) error {
	if op > limit {
		return fmt.Errorf("%s %d is above %s %d", what, op, than, limit)
	}
	return nil
}

// checkStart checks that no op is missing between a snapshot and the log above it.
func checkStart(first, snapshot vsr.OpNumber) error {
	if first == 0 || first-1 > snapshot {
		return fmt.Errorf("log begins at %d, snapshot ends at %d: ops are missing", first, snapshot)
	}
	return nil
}
