package judge

import (
	"cmp"
	"errors"
	"regexp"
	"slices"
	"strings"

	"github.com/smr-go/smr/internal/vsr"
)

// Turn is the state of a member after a turn of its core.
type Turn struct {
	State    vsr.State
	Check    error // of vsr.Replica.Check
	Compacts bool  // a compaction of the log is under way or queued, or the log is in memory only

	TakenBack vsr.OpNumber // the highest commit number before the log was cut on a full disk (F13)

	Lost         []bool             // by member: the core takes that memory for lost
	Acknowledged []vsr.Acknowledged // what the core knows of acknowledgements; it does not change
}

// epochView names the period of one primary, and reign the process that has it.
type epochView struct {
	group vsr.GroupID
	epoch vsr.Epoch
	view  vsr.View
}

type reign struct {
	member int
	start  uint64
}

// Started reports the state of a core that was just made from what Opened reported.
func (j *Judge) Started(i int, state vsr.State) error {
	m := &j.members[i]
	m.seen = state
	m.seen.Commit = 0 // the commit number that its first turn reports is compared like any other
	if disk := min(m.disk.Head.Commit, m.disk.Last.Op); state.Commit < disk {
		return violates("11.1", "%s starts with commit number %d, and its disk holds %d", m.id, state.Commit, disk)
	}
	return nil
}

// Knows reports that a member knows op, and all before it, to be committed. It comes after Issued of the same turn.
func (j *Judge) Knows(i int, op vsr.OpNumber) error {
	m := &j.members[i]
	if op == 0 || op == m.seen.Commit {
		return nil
	}
	last := m.memory.Last
	if op > last.Op {
		last = m.seen.Last // the turn has taken it back
	}
	if op > last.Op {
		return violates("11.2", "%s knows op %d committed, and its log ends with %v", m.id, op, last)
	}
	if err := j.confirm(m.memory.Head.Group); err != nil {
		return err
	}
	stamp := j.ledger.at(last, op)
	fresh, err := j.ledger.commit(stamp, m.memory.Head.View)
	if err != nil {
		return m.breaks(err)
	}
	for _, f := range fresh {
		if err := j.execute(&j.ledger.find(f).entry); err != nil {
			return err
		}
	}
	if len(fresh) == 0 {
		return nil
	}
	err = cmp.Or(j.checkHolders(stamp), j.checkQuorums())
	if err == nil && m.seen.Primary == vsr.Index(i) && m.memory.Head.View == m.seen.Head.View {
		err = j.checkCounted(m, stamp)
	}
	return m.breaks(err)
}

// Turned reports the state of a member after a turn whose output was performed.
func (j *Judge) Turned(i int, t Turn) error {
	m, now := &j.members[i], &t.State
	was := &m.seen
	defer func() {
		m.seen, m.remembers = *now, t.Acknowledged
		m.distrusts = append(m.distrusts[:0], t.Lost...)
	}()
	m.reportedGroup = m.reportedGroup || now.Phase == vsr.Outside && j.groupIsKnown()
	switch {
	case t.Check != nil:
		return m.breaks(t.Check)
	case now.Head.View < was.Head.View && now.Head.Epoch == was.Head.Epoch, now.Head.Epoch < was.Head.Epoch,
		now.Commit < was.Commit && t.TakenBack < was.Commit, now.Applied < was.Applied,
		now.Head.View < m.disk.Head.View:
		return violates("11.1", "%s: from view %d, commit %d, applied %d to %d, %d, %d", m.id,
			was.Head.View, was.Commit, was.Applied, now.Head.View, now.Commit, now.Applied)
	case now.Last != m.memory.Last:
		return violates("11.4", "the log of %s ends with %v, and by its saves with %v", m.id, now.Last, m.memory.Last)
	case m.lost && now.Head.Group != (vsr.GroupID{}):
		return violates("S3", "%s: its memory was lost, and it holds group %v", m.id, now.Head.Group)
	case now.Snapshot > was.Snapshot && now.Snapshot >= now.First && !t.Compacts:
		return violates("11.10", "%s has a snapshot at op %d, and does not compact its log, which begins with op %d",
			m.id, now.Snapshot, now.First)
	case now.Primary == vsr.Index(i):
		if err := j.checkReign(i, now); err != nil {
			return err
		}
	}
	return j.checkLosses(m, t.Lost)
}

// checkReign checks that at most one process is ever primary of a view (11.5, V2).
func (j *Judge) checkReign(i int, now *vsr.State) error {
	key, mine := epochView{now.Head.Group, now.Head.Epoch, now.Head.View}, reign{i, now.Head.Start}
	if other, ok := j.reigns[key]; ok && other != mine {
		return violates("11.5", "view %d is led by %s of start %s and by %s of start %s", now.Head.View,
			j.members[i].id, vsr.StartText(mine.start), j.members[other.member].id, vsr.StartText(other.start))
	}
	_, known := j.reigns[key]
	j.reigns[key] = mine
	j.members[i].led = max(j.members[i].led, now.Head.View+1)
	if known {
		return nil
	}
	return j.checkChoice(i, now)
}

// checkHolders checks that a committed entry is on Qr disks, those that were lost later included (N4).
func (j *Judge) checkHolders(stamp vsr.Viewstamp) error {
	count := j.holders(stamp, func(int) bool { return true })
	if qr := j.config.Members.Qr; count < qr {
		return violates("N4", "%v is committed, and %d disks hold it, not %d", stamp, count, qr)
	}
	return nil
}

// holders counts the members whose disks hold an entry, or held it until it was lost, among those that counts.
func (j *Judge) holders(stamp vsr.Viewstamp, counts func(i int) bool) (n int) {
	for i := range j.members {
		if counts(i) && j.held(i, stamp) {
			n++
		}
	}
	return n
}

// held reports whether a member's disk holds an entry, or held it until it was lost.
func (j *Judge) held(i int, stamp vsr.Viewstamp) bool {
	m := &j.members[i]
	return !m.lost && j.ledger.holds(m.disk.Last, stamp) ||
		slices.ContainsFunc(m.had, func(last vsr.Viewstamp) bool { return j.ledger.holds(last, stamp) })
}

// checkQuorums checks that any Qv members with their memory would choose, in a view change, a log that holds every
// committed op (11.3). A log is the best of some Qv exactly if Qv-1 others are not better.
func (j *Judge) checkQuorums() error {
	end := j.ledger.end()
	logs := j.logs[:0]
	for i := range j.members {
		if !j.members[i].lost && !j.members[i].forgot {
			logs = append(logs, j.members[i].disk.Last)
		}
	}
	j.logs = logs
	slices.SortFunc(logs, inOrder)
	for i, log := range logs {
		if i >= j.config.Members.Qv-1 && !j.ledger.holds(log, end) {
			return violates("11.3", "%v is committed; a view change could choose the log that ends with %v, which "+
				"does not hold it; all: %v", end, log, logs)
		}
	}
	return nil
}

// breaks returns err as a violation that names the member.
func (m *member) breaks(err error) error {
	if err == nil {
		return nil
	}
	v := *Of(err)
	v.Text = m.id + ": " + v.Text
	return &v
}

var leadingRule = regexp.MustCompile(`^([A-Z][0-9]+|11\.[0-9]+): `)

// Of returns err as a violation. The rule of another error is the one that its text begins with, or else "error".
func Of(err error) *Violation {
	if v, ok := errors.AsType[*Violation](err); ok {
		return v
	}
	text := err.Error()
	if m := leadingRule.FindStringSubmatch(text); m != nil {
		return &Violation{Rule: m[1], Text: strings.TrimPrefix(text, m[0])}
	}
	return &Violation{Rule: "error", Text: text}
}

// notHandedOver matches the errors of a handover, but for the end of its context and of its replica. The name is that
// of a primary.
var notHandedOver = regexp.MustCompile(`^smr: handover to "[^"]*": (?:` +
	`this replica is not primary, and there is no primary at present|` +
	`this replica is not primary, "([^"]+)" is|` +
	`operations have waited for [^ ]+, and it does not hold the whole log ` +
	`\(is its disk full, or slow\?\); "([^"]+)" goes on as primary|` +
	`"([^"]+)" became primary instead)$`)

// HandedOver reports the outcome of a handover to a member (-1: to any) that a replica in view from, or in a later one,
// was asked for. The member, or the one that the error names in its place, must have been primary since (V2).
func (j *Judge) HandedOver(to int, from vsr.View, err error) error {
	primary := to
	if err != nil {
		names := notHandedOver.FindStringSubmatch(err.Error())
		if names == nil {
			return violates("V2", "a handover ends with an error of no kind: %v", err)
		}
		name := names[1] + names[2] + names[3]
		primary = slices.IndexFunc(j.members, func(m member) bool { return m.id == name })
	}
	if primary < 0 {
		return nil
	}
	if j.members[primary].led > from {
		return nil
	}
	return violates("V2", "a handover that began in view %d ended with: %v; %s has not been primary since", from, err,
		j.members[primary].id)
}
