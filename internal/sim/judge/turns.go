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
	if disk := m.disk.Head.Commit; state.Commit < disk {
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
	if op > m.memory.Last.Op {
		return violates("11.2", "%s knows op %d committed, and its log ends with %v", m.id, op, m.memory.Last)
	}
	stamp := j.ledger.at(m.memory.Last, op)
	fresh, err := j.ledger.commit(stamp)
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
	return m.breaks(cmp.Or(j.checkHolders(stamp), j.checkQuorums()))
}

// Turned reports the state of a member after a turn whose output was performed.
func (j *Judge) Turned(i int, t Turn) error {
	m, now := &j.members[i], &t.State
	was := &m.seen
	defer func() { m.seen = *now }()
	switch {
	case t.Check != nil:
		return m.breaks(t.Check)
	case now.Head.View < was.Head.View && now.Head.Epoch == was.Head.Epoch, now.Head.Epoch < was.Head.Epoch,
		now.Commit < was.Commit, now.Applied < was.Applied, now.Head.View < m.disk.Head.View:
		return violates("11.1", "%s: from view %d, commit %d, applied %d to %d, %d, %d", m.id,
			was.Head.View, was.Commit, was.Applied, now.Head.View, now.Commit, now.Applied)
	case now.Last != m.memory.Last:
		return violates("11.4", "the log of %s ends with %v, and by its saves with %v", m.id, now.Last, m.memory.Last)
	case m.lost && now.Head.Group != (vsr.GroupID{}):
		return violates("S3", "%s: its memory was lost, and it holds group %v", m.id, now.Head.Group)
	case now.Snapshot > was.Snapshot && now.Snapshot >= now.First && !t.Compacts:
		return violates("11.10", "%s has a snapshot at op %d, and does not compact its log, which begins with op %d", m.id, now.Snapshot, now.First)
	case now.Primary == vsr.Index(i):
		return j.checkReign(i, now)
	}
	return nil
}

// checkReign checks that at most one process is ever primary of a view (11.5, V2).
func (j *Judge) checkReign(i int, now *vsr.State) error {
	key, mine := epochView{now.Head.Group, now.Head.Epoch, now.Head.View}, reign{i, now.Head.Start}
	if other, ok := j.reigns[key]; ok && other != mine {
		return violates("11.5", "view %d is led by %s of start %d and by %s of start %d", now.Head.View,
			j.members[i].id, mine.start, j.members[other.member].id, other.start)
	}
	j.reigns[key] = mine
	return nil
}

// checkHolders checks that a committed entry is on Qr disks, those that were lost later included (N4).
func (j *Judge) checkHolders(stamp vsr.Viewstamp) error {
	count := 0
	for i := range j.members {
		last := j.members[i].disk.Last
		if j.members[i].lost {
			last = j.members[i].had
		}
		if j.ledger.holds(last, stamp) {
			count++
		}
	}
	if qr := j.config.Members.Qr; count < qr {
		return violates("N4", "%v is committed, and %d disks hold it, not %d", stamp, count, qr)
	}
	return nil
}

// checkQuorums checks that any Qv members with their memory would choose, in a view change, a log that holds every
// committed op (11.3). A log is the best of some Qv exactly if Qv-1 others are not better.
func (j *Judge) checkQuorums() error {
	end := j.ledger.end()
	logs := j.logs[:0]
	for i := range j.members {
		if !j.members[i].lost {
			logs = append(logs, j.members[i].disk.Last)
		}
	}
	j.logs = logs
	slices.SortFunc(logs, inOrder)
	for i, log := range logs {
		if i >= j.config.Members.Qv-1 && !j.ledger.holds(log, end) {
			return violates("11.3", "%v is committed; a view change could choose the log that ends with %v, which does not hold it; all: %v", end, log, logs)
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
