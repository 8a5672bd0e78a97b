package vsr

import (
	"fmt"
	"strings"
	"time"
)

// Which members do not count among those that make up for a failure, and why.

// weakness is why a member does not count among those that make up for a failure.
type weakness uint8

const (
	none         weakness = iota
	notHeard              // by the primary
	notAnswering          // it is heard, and does not answer the primary
	lacking               // it lacks committed entries
	fullDisk              // F13
	hungDisk              // F15
	relayed               // its messages and the primary's pass through another member
	lostMemory            // S6
	outside               // S3
)

// weak is the weakness of a member, and since when it has it.
type weak struct {
	what  weakness
	since time.Time // zero: unknown
}

// tolerable returns how many failures the full group tolerates, and how many members it needs.
func (r *Replica) tolerable() (failures, needed int) {
	needed = max(r.members.Qr, r.members.Qv)
	return r.n - needed, needed
}

// weaknesses describes the members that cannot make up for a failure, if the group tolerates fewer
// failures than the full group does, and returns how many more it tolerates.
func (r *Replica) weaknesses() (problem string, tolerance int) {
	h := &r.health
	full, needed := r.tolerable()
	if !r.informed() {
		return r.memories.problem, 0
	}
	strong, apply := 0, 0
	var texts, stuck []string
	for _, i := range r.all {
		x := r.reportNow(i)
		r.judge(i, x)
		w := &h.weak[i]
		if w.what == none {
			strong++
		} else if text := r.weakText(i); text != "" {
			texts = append(texts, text)
		}
		if w.what == none && x.Stuck == 0 {
			apply++
		} else if x.Problem != "" {
			stuck = append(stuck, r.memberID(i)+": "+x.Problem)
		}
	}
	if r.memories.problem != "" {
		texts = append(texts, r.memories.problem)
	}
	twins := r.twinsText()
	if tolerance = max(0, min(strong-needed, apply-1)); tolerance >= full {
		return twins, tolerance
	}
	if strong-needed >= full {
		texts = stuck
	}
	if twins != "" {
		texts = append(texts, twins)
	}
	return strings.Join(texts, "; ") + "; " + toleranceText(tolerance), tolerance
}

func toleranceText(tolerance int) string {
	switch tolerance {
	case 0:
		return "no further failure can be tolerated"
	case 1:
		return "only one more failure can be tolerated"
	}
	return fmt.Sprintf("only %d more failures can be tolerated", tolerance)
}

// judge updates the weakness of a member, which does not change until the member is known to be well.
func (r *Replica) judge(i Index, x Report) {
	w, patience := &r.health.weak[i], r.patience()
	at := r.health.reportedAt
	if r.isPrimary() {
		at = r.now
	}
	now := weak{}
	switch {
	case r.memories.lost[i]:
		now.what = lostMemory
	case r.isOutside(i):
		now = weak{outside, r.health.strangerAt[i]}
	case x.Silent > patience && (x.Unanswered > patience || w.what == notHeard):
		now = weak{notHeard, r.health.startedAt}
		if x.Silent != Never {
			now.since = at.Add(-x.Silent)
		}
	case x.Unanswered > patience:
		now = weak{notAnswering, at.Add(-x.Unanswered)}
	case x.Full:
		now = weak{fullDisk, at}
	case strings.HasPrefix(x.Problem, diskHangs):
		now = weak{hungDisk, at}
	case x.Relayed:
		now = weak{relayed, at}
	case x.Late > 0:
		now = weak{lacking, at.Add(-x.Late)}
	}
	if w.what != now.what {
		*w = now
	}
}

// isOutside reports whether a member asks for its group under another memory (S3).
func (r *Replica) isOutside(i Index) bool {
	at := r.health.strangerAt[i]
	return !at.IsZero() && r.now.Sub(at) <= r.strangerLapse() && !r.hasTwin(i)
}

// strangerLapse is the time after which a memory that does not ask any more is gone.
func (r *Replica) strangerLapse() time.Duration { return 3 * lastInterval * r.cfg.Heartbeat }

// turnsOfTwins is the number of turns that show two processes: fewer may be a member that lost its memory, and late
// messages of the process before.
const turnsOfTwins = 3

// hasTwin reports whether two processes use the member's ID, with different memories (S3).
func (r *Replica) hasTwin(i Index) bool {
	t := &r.health.twins[i]
	return t.turns >= turnsOfTwins && r.now.Sub(t.askedAt) <= r.strangerLapse()
}

// twinsText names the members whose ID two processes use; "" if there are none.
func (r *Replica) twinsText() string {
	var texts []string
	for _, i := range r.others {
		if r.hasTwin(i) {
			texts = append(texts, r.memberID(i)+" is the ID of two processes"+sinceText(r.health.twins[i].since)+
				": one of them holds nothing of the group, and was started by mistake; stop that one")
		}
	}
	return strings.Join(texts, "; ")
}

// weakText describes the weakness of a member. That of this replica itself is what its primary reports of it.
func (r *Replica) weakText(i Index) string {
	id, w := r.memberID(i), &r.health.weak[i]
	if i == r.self {
		id = "this replica"
	}
	switch prim := r.memberID(r.prim()); {
	case i != r.self:
	case w.what == notHeard:
		return "the primary, " + prim + ", has received no message from this replica" + sinceText(w.since) +
			"; check the connection from here to there, and the address of " + prim
	case w.what == notAnswering:
		return "the primary, " + prim + ", has received no answer from this replica" + sinceText(w.since)
	}
	switch w.what {
	case notHeard:
		return id + " has not been heard" + sinceText(w.since) + r.refusals(i)
	case notAnswering:
		return id + " is heard, but has not answered the primary" + sinceText(w.since)
	case fullDisk:
		if why, ok := shortage(r.reportNow(i).Problem); ok {
			return id + " has saved no operations" + sinceText(w.since) + ": " + why
		}
		return id + "'s disk has been full" + sinceText(w.since)
	case hungDisk:
		return id + ": " + r.reportNow(i).Problem
	case outside:
		return r.outsideText(i, w.since)
	case relayed:
		return id + " and the primary have reached each other only through another member" + sinceText(w.since)
	case lacking:
		return id + " has lacked committed operations" + sinceText(w.since)
	}
	return "" // Replica.memories.problem names it
}

func (r *Replica) outsideText(i Index, since time.Time) string {
	return r.memberID(i) + " has taken no part" + sinceText(since) + ": it has lost its memory of the group"
}

// absence returns why this replica, which no primary informs, counts another member as absent; "" if it
// hears the member.
func (r *Replica) absence(i Index) string {
	at := later(r.heardAt[i], r.health.startedAt)
	switch {
	case i == r.self:
		return ""
	case r.isOutside(i):
		return r.outsideText(i, r.health.strangerAt[i])
	case r.heardLately(i) || r.now.Sub(at) <= r.patience():
		return ""
	}
	return r.memberID(i) + " has not been heard" + sinceText(at) + r.refusals(i)
}

// refusals returns why the connections of silent members are refused.
func (r *Replica) refusals(silent ...Index) (text string) {
	for _, i := range silent {
		if reason := r.health.refused[i]; reason != "" {
			text += "; connections of " + r.memberID(i) + " are refused: " + reason
		}
	}
	return text
}
