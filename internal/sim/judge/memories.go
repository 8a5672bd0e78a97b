package judge

import (
	"fmt"
	"slices"

	"github.com/smr-go/smr/internal/vsr"
)

// What members know of each other's memories (S2, S6).

// Unremembered reports that committed ops were lost and that no member that took part could have prevented it. Either
// one of them had lost the end of its log, and the others did not remember its acknowledgements; or all had lost their
// memory, and none knew that a group exists. No rule is broken, but the judge's record of the group has become invalid.
type Unremembered struct{ text string }

func (u *Unremembered) Error() string { return u.text }

// confirm records that a member knows its group to be confirmed. Another group may be confirmed only if all members
// have lost their memory, and none of them had reported before that the first one exists (S2).
func (j *Judge) confirm(group vsr.GroupID) error {
	if j.group == (vsr.GroupID{}) {
		j.group = group
	}
	if group == j.group {
		return nil
	}
	text := fmt.Sprintf("group %v is confirmed, and so was group %v", group, j.group)
	for i := range j.members {
		if m := &j.members[i]; m.reportedGroup {
			return violates("S2", "%s; %s had reported that a group exists", text, m.id)
		}
	}
	return &Unremembered{text}
}

// groupIsKnown reports whether a group is confirmed, and all its members that have their memory know it.
func (j *Judge) groupIsKnown() bool {
	return j.group != (vsr.GroupID{}) && !slices.ContainsFunc(j.members, func(m member) bool {
		return m.disk.Head.Group == j.group && m.seen.Commit == 0 && m.seen.Last.Op <= 1
	})
}

// described is a log that a member has described for a view.
type described struct {
	view  vsr.View
	start uint64
	last  vsr.Viewstamp
}

// LostTail reports that the disk of a member that is down has lost its latest saves. The next process of the member may
// not notice that.
func (j *Judge) LostTail(i int) { j.members[i].tailLost = true }

// shortened returns what a disk that has lost its latest saves holds: an earlier log, and no newer head.
func (m *member) shortened(l *ledger, o *Opened) (Disk, error) {
	was, now := &m.disk, &o.Durable
	known := now.Last == now.Base || l.find(now.Last) != nil
	if !known || now.Head.Group != was.Head.Group || now.Head.Incarnation != was.Head.Incarnation ||
		now.Head.Start > was.Head.Start || now.Head.View > was.Head.View {
		return *was, violates("S5", "the disk held %+v; without its end, it holds %+v %v..%v", *was, now.Head, now.Base,
			now.Last)
	}
	m.forgot, m.had = true, append(m.had, was.Last)
	d := Disk{Head: now.Head, Base: now.Base, Last: now.Last}
	return d, d.sound(l, o)
}

// acknowledges records that a process of the member with that start number has acknowledged op.
func (m *member) acknowledges(start uint64, op vsr.OpNumber) {
	if m.acknowledged == nil {
		m.acknowledged = map[uint64]vsr.OpNumber{}
	}
	m.acknowledged[start] = max(m.acknowledged[start], op)
}

// describes records that the member has described a log.
func (m *member) describes(h vsr.Header, d *vsr.DoViewChange) {
	x := described{d.View, h.Start, d.Last}
	if n := len(m.described); n == 0 || m.described[n-1] != x { // else it is sent again
		m.described = append(m.described, x)
	}
}

// claimsAcknowledged checks that members have acknowledged what the sender remembers, and that it is committed. A
// primary acknowledges its own entries when they are durable.
func (j *Judge) claimsAcknowledged(i int, h vsr.Header, all []vsr.Acknowledged) error {
	for k, a := range all {
		if a.Last.Op == 0 {
			continue
		}
		if err := j.claimsSnapshot(a.Last); err != nil {
			return err
		}
		m := &j.members[k]
		if k == i && a.Start == h.Start && a.Last.Op <= m.disk.Last.Op {
			m.acknowledges(a.Start, a.Last.Op)
		}
		if m.acknowledged[a.Start] < a.Last.Op {
			return fmt.Errorf("%s has not acknowledged %v under start number %s", m.id, a.Last, vsr.StartText(a.Start))
		}
	}
	return nil
}

// checkLosses checks that a member takes only memories for lost that are.
func (j *Judge) checkLosses(m *member, lost []bool) error {
	for k, is := range lost {
		if x := &j.members[k]; is && !x.forgot && !x.lost {
			return violates("S6", "%s takes the memory of %s for lost", m.id, x.id)
		}
	}
	return nil
}

// checkChoice checks that a member that begins to lead a view had descriptions of logs from Qv members, apart from
// those that it knew to have lost their memory (V6, S6), and that its log holds every op committed in earlier views. A
// group is formed without descriptions.
func (j *Judge) checkChoice(i int, now *vsr.State) error {
	if now.Head.View == 0 {
		return nil
	}
	count, m := 1, &j.members[i]
	for k := range j.members {
		x := &j.members[k]
		counts := func(d described) bool { return d.view == now.Head.View && !m.knowsLost(k, d) }
		if k != i && slices.ContainsFunc(x.described, counts) {
			count++
		}
	}
	if count < j.config.Members.Qv {
		return violates("S6", "%s leads view %d with the logs of %d members that have their memory, not %d", m.id,
			now.Head.View, count, j.config.Members.Qv)
	}
	if end := j.ledger.endBefore(now.Head.View); !j.ledger.holds(m.memory.Last, end) {
		text := fmt.Sprintf("%s leads view %d with a log to %v, and %v is committed", m.id, now.Head.View,
			m.memory.Last, end)
		if slices.ContainsFunc(j.members, func(x member) bool { return x.forgot }) {
			return &Unremembered{text}
		}
		return violates("11.3", "%s", text)
	}
	return nil
}

// knowsLost reports whether the member knew, after its last turn, that a log which another member has described lacks
// an entry that this other member had acknowledged.
func (m *member) knowsLost(k int, d described) bool {
	if k >= len(m.remembers) {
		return false
	}
	a := m.remembers[k]
	return a.Start < d.start && inOrder(d.last, a.Last) < 0
}

// checkCounted checks that Qr members hold an entry that a primary commits, apart from those that it took for lost
// after its last turn (N4, S6).
func (j *Judge) checkCounted(m *member, stamp vsr.Viewstamp) error {
	count := j.holders(stamp, func(i int) bool { return i >= len(m.distrusts) || !m.distrusts[i] })
	if qr := j.config.Members.Qr; count < qr {
		return violates("S6", "%v is committed, and %d disks hold it whose memory is not lost to %s, not %d", stamp,
			count, m.id, qr)
	}
	return nil
}
