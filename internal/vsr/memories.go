package vsr

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Lost memory (S6). A member whose log has lost its end does not notice that by itself. Others do:
// they remember up to which entry it has acknowledged.

// Acknowledged is the highest entry that a member has acknowledged with a PrepareOK, or has counted
// itself for as primary, and that is committed. Start is the start number of the process that
// acknowledged it. The zero value stands for none.
type Acknowledged struct {
	Last  Viewstamp
	Start uint64
}

// memories is what a replica knows of the members' memories.
type memories struct {
	acknowledged []Acknowledged // by member; nil: nothing is known
	shared       bool           // messages share acknowledged, which is copied before it changes
	lost         []bool         // by member: it has lost entries that it acknowledged, and counts in no quorum
	problem      string         // names the lost members; "" if there are none
}

// share returns the table for a message.
func (m *memories) share() []Acknowledged {
	m.shared = true
	return m.acknowledged
}

// raise records what a member has acknowledged, unless more is known. Of two acknowledgements of one
// entry the later process's counts: that process still held the entry.
func (m *memories) raise(i Index, a Acknowledged) {
	if m.acknowledged == nil {
		m.acknowledged = make([]Acknowledged, len(m.lost))
	}
	own := m.acknowledged[i]
	if c := a.Last.Compare(own.Last); c < 0 || c == 0 && a.Start <= own.Start {
		return
	}
	if m.shared {
		m.acknowledged, m.shared = slices.Clone(m.acknowledged), false
	}
	m.acknowledged[i] = a
}

// refutes reports whether a log that ends with end, of a process with that start number, proves that
// the member has lost its memory. A log of the same start may be older than the acknowledgement.
func (m *memories) refutes(i Index, start uint64, end Viewstamp) bool {
	return m.acknowledged != nil && m.acknowledged[i].Start < start && end.Compare(m.acknowledged[i].Last) < 0
}

// Memories returns, by member, what this replica knows of acknowledgements, which does not change, and
// which members it takes to have lost their memory, which is valid until the next event.
func (r *Replica) Memories() (acknowledged []Acknowledged, lost []bool) {
	return r.memories.share(), r.memories.lost
}

// noteAcknowledged records which committed entries the members have acknowledged to this primary.
// Uncommitted entries may still be cut in a view change.
func (r *Replica) noteAcknowledged() {
	if !r.isPrimary() {
		return
	}
	for _, i := range r.all {
		p := &r.primary.progress[i]
		if stamp, ok := r.log.stamp(min(p.match, r.commit)); ok && stamp.Op > 0 {
			r.memories.raise(i, Acknowledged{stamp, p.matchStart})
		}
	}
}

// learnAcknowledged adopts what another member remembers, and applies it to the logs that members
// have described.
func (r *Replica) learnAcknowledged(all []Acknowledged) {
	for i := range min(len(all), r.n) {
		if all[i].Last.Op > 0 {
			r.memories.raise(Index(i), all[i])
		}
	}
	for i, d := range r.viewChange.logs {
		if d != nil && r.memories.refutes(Index(i), r.startSeen[i], d.Last) {
			r.lose(Index(i), d.Last)
		}
	}
}

// noteLoss looks for proof, in a message that names the end of the sender's log, that the sender has
// lost its memory. A Gap names the end only if that is below its Prev.
func (r *Replica) noteLoss(from Index, start uint64, m Message) {
	var end Viewstamp
	switch m := m.(type) {
	case *DoViewChange:
		end = m.Last
	case *Gap:
		if end = m.Last; end.Op >= m.Prev {
			return
		}
	default:
		return
	}
	r.noteAcknowledged()
	if r.memories.refutes(from, start, end) {
		r.lose(from, end)
	}
}

// lose excludes a member from every quorum: its earlier votes and acknowledgements no longer count,
// and its messages are dropped.
func (r *Replica) lose(i Index, end Viewstamp) {
	m := &r.memories
	if m.lost[i] {
		return
	}
	m.lost[i] = true
	text := fmt.Sprintf("%s has lost its memory: its log ended with %v, and it had acknowledged %v, which is committed; it counts in no quorum",
		r.memberID(i), end, m.acknowledged[i].Last)
	m.problem = strings.TrimPrefix(m.problem+"; "+text, "; ")
	r.health.assessAt = r.now
	r.heardAt[i] = time.Time{}
	r.primary.progress[i] = progress{next: 1}
	c := &r.viewChange
	c.votes[i] = time.Time{}
	if c.logs != nil && c.logs[i] != nil {
		c.logs[i], c.best, c.stateRequested = nil, nil, false
	}
}

// covers reports whether the log or the snapshot holds a committed entry.
func (r *Replica) covers(s Viewstamp) bool {
	return s.Op <= max(r.log.base.Op, r.snapshot.Last.Op) || r.log.has(s)
}

// stopUnlessCovered stops this replica if it lacks an entry that it has acknowledged. It reports
// whether it did.
func (r *Replica) stopUnlessCovered(acknowledged Viewstamp) bool {
	if r.covers(acknowledged) {
		return false
	}
	r.out.Err = cmp.Or[error](r.out.Err, &LostMemoryError{Acknowledged: acknowledged, Last: r.log.last})
	return true
}

// LostMemoryError reports that a replica's directory lacks an entry that the replica has
// acknowledged.
type LostMemoryError struct{ Acknowledged, Last Viewstamp }

func (e *LostMemoryError) Error() string {
	return fmt.Sprintf("this replica has acknowledged %v, which is committed, but the log in its directory ends with %v: the directory has lost entries; keep the directory, and leave this replica out: the group goes on without it, if enough other members run",
		e.Acknowledged, e.Last)
}
