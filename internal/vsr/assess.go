package vsr

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// How a replica judges its own health and that of its group, from the messages that it has received.

// Health is what a replica knows of itself and of its group.
type Health struct {
	Ready     bool // calls through this replica succeed, as far as it knows
	Tolerance int  // how many more members may fail before the group stops
	Members   []MemberHealth
}

// MemberHealth is what a replica knows of one member.
type MemberHealth struct {
	Heard     time.Time // when the primary, or this replica, last heard the member; zero if never
	Sends     bool      // messages of the member reach the primary; of the primary: this replica
	Receives  bool      // messages of the primary reach the member; of the primary: those of this replica
	Behind    OpNumber  // committed ops that the member has not acknowledged
	Unapplied OpNumber  // committed ops that its state machine has not applied
	Problem   string    // of the member itself
}

// weakness is why a member does not count among those that make up for a failure.
type weakness uint8

const (
	none         weakness = iota
	notHeard              // by the primary
	notAnswering          // it is heard, and does not answer the primary
	lacking               // it lacks committed entries
	fullDisk              // F13
	relayed               // its messages and the primary's pass through another member
	lostMemory            // S6
	outside               // S3
)

// weak is the weakness of a member, and since when it has it.
type weak struct {
	what  weakness
	since time.Time // zero: unknown
}

// patience is the time after which a condition that should pass by itself counts as a problem.
func (r *Replica) patience() time.Duration {
	return max(r.cfg.Abdication, 10*r.cfg.Heartbeat, 3*r.cfg.IdleHeartbeat)
}

// tolerable returns how many failures the full group tolerates, and how many members it needs.
func (r *Replica) tolerable() (failures, needed int) {
	needed = max(r.members.Qr, r.members.Qv)
	return r.n - needed, needed
}

// assess judges the health of this replica and its group, if it is time to.
func (r *Replica) assess() {
	h := &r.health
	if r.now.Before(h.assessAt) {
		return
	}
	h.assessAt = r.now.Add(r.cfg.Heartbeat)
	r.track()
	h.own = limited(cmp.Or(r.localProblem(), r.lateness()))
	blocked, slow := r.blocked()
	h.ready = blocked == ""
	weak, tolerance := r.weaknesses()
	switch h.tolerance = tolerance; {
	case blocked == "":
		h.problem = weak
	case slow && weak != "":
		h.problem = blocked + "; " + weak // which may be the reason
	default:
		h.problem = blocked
	}
}

// track updates the lags, and when this replica was served: by a primary that has committed something
// in its view. Views that follow one another without that serve no caller.
func (r *Replica) track() {
	h, patience := &r.health, r.patience()
	h.calls.follow(r.applied, len(r.requests.waiting) > 0 || r.reads.own(r.self) > 0, r.now, patience)
	h.committed = max(h.committed, r.commit)
	h.applying.follow(r.applied, h.committed, r.now, patience)
	if r.isPrimary() {
		for _, i := range r.others {
			p := &r.primary.progress[i]
			p.matching.follow(p.match, r.commit, r.now, patience)
			p.applying.follow(p.applied, r.commit, r.now, patience)
		}
	}
	switch last, _ := r.log.stamp(r.commit); {
	case r.status != normal || !r.confirmed() || r.viewChange.voting || last.View != r.head.View:
	case !r.isPrimary():
		h.servedAt = later(h.servedAt, h.ledAt)
	case r.primary.resigned == serving:
		h.servedAt = later(h.servedAt, r.quorumHeardAt())
	}
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// quorumHeardAt returns when enough voters to make max(Qr, Rb) with this primary had last answered.
func (r *Replica) quorumHeardAt() time.Time {
	at := []time.Time{r.now}
	for _, i := range r.others {
		at = append(at, r.primary.progress[i].answeredAt)
	}
	slices.SortFunc(at, func(a, b time.Time) int { return b.Compare(a) })
	return at[max(r.members.Qr, r.members.Rb())-1]
}

// sinceText returns the end of a sentence that gives the time since which something lasts.
func sinceText(t time.Time) string { return " since " + t.UTC().Format(time.RFC3339) }

// limited returns a text of at most MaxProblem bytes.
func limited(text string) string {
	if len(text) > MaxProblem {
		text = strings.ToValidUTF8(text[:MaxProblem-3], "") + "..."
	}
	return text
}

// localProblem returns the problem of this replica itself, whatever the others do.
func (r *Replica) localProblem() string {
	patience := r.patience()
	switch {
	case r.refusesForSpace():
		return r.spaceText()
	case r.full:
		return r.fullProblem()
	}
	if at := r.diskWaitsSince(); !at.IsZero() && r.now.Sub(at) > patience {
		text := "the disk has not completed a read or a write" + sinceText(at) + "; check it"
		if !r.health.applying.since.IsZero() && r.applied == r.commit {
			text += fmt.Sprintf("; until it does, operations after op %d are not received here", r.applied)
		}
		return text
	}
	a := &r.applying
	if r.applied < r.delivered && r.now.Sub(a.movedAt) > patience {
		if r.applied < r.snapshot.Last.Op {
			return fmt.Sprintf("the snapshot of op %d is being restored%s", r.snapshot.Last.Op, sinceText(a.movedAt))
		}
		return fmt.Sprintf("op %d has not been applied%s: StateMachine.Apply, or a function given to Read, does not return", r.applied+1, sinceText(a.movedAt))
	}
	if r.stalledFor() > patience && r.confirmed() {
		return r.stallText()
	}
	return ""
}

// lateness returns the problem that this replica lags behind the commit number, or "" if it does not.
func (r *Replica) lateness() string {
	switch since := r.health.applying.since; {
	case since.IsZero():
		return ""
	case r.applied < r.commit:
		return "operations are committed faster than StateMachine.Apply applies them here" + sinceText(since)
	default:
		return "this replica lacks committed operations, and catches up" + sinceText(since)
	}
}

// blocked returns why calls through this replica do not succeed, "" if they do, and whether it is only known that they
// wait: another member may be the reason.
func (r *Replica) blocked() (text string, slow bool) {
	h := &r.health
	if r.problem != "" {
		return r.problem, false
	}
	if r.status == recovering || !r.confirmed() {
		return r.notFormed(), false
	}
	if local := r.localProblem(); local != "" {
		return local, false
	}
	follows := r.status == normal && !r.isPrimary() && !r.viewChange.voting && r.now.Sub(h.ledAt) <= r.patience()
	if follows {
		if text := r.primaryProblem(); text != "" {
			return text, false
		}
	}
	late := r.lateness()
	if r.now.Sub(h.servedAt) > r.patience() && (late == "" || !follows) {
		return r.noPrimary(), false
	}
	late = cmp.Or(late, r.congested())
	if at := h.calls.failingAt; late == "" && r.now.Sub(at) > r.callPatience() {
		return r.noAnswer(), true
	}
	return late, true
}

// callPatience is the time after which calls that have no answer are a problem. A call is sent again
// before that.
func (r *Replica) callPatience() time.Duration { return r.patience() * 3 / 2 }

// noAnswer returns the problem that calls have no answer, although no reason for that is known.
func (r *Replica) noAnswer() string {
	text := "no call through this replica has been answered" + sinceText(r.health.calls.failingAt)
	switch {
	case r.isPrimary():
		return text
	case r.status != normal:
		return text + ", and a view change goes on" + r.awaited()
	}
	prim := r.memberID(r.prim())
	return text + ", although the primary, " + prim + ", is heard; look at the Status of " + prim + ", and check the connection from here to there"
}

// primaryProblem returns why the primary, which this replica hears, does not serve it.
func (r *Replica) primaryProblem() string {
	h, prim := &r.health, r.memberID(r.prim())
	if len(h.reports) == 0 {
		return ""
	}
	if p := h.reports[r.prim()].Problem; p != "" {
		return "the primary, " + prim + ": " + p
	}
	if w := &h.weak[r.self]; w.what == notHeard {
		return "the primary, " + prim + ", has received no message from this replica" + sinceText(w.since) +
			"; check the connection from here to there, and the address of " + prim
	}
	return ""
}

// notFormed returns why the group does not exist yet.
func (r *Replica) notFormed() string {
	h := &r.health
	for _, text := range r.forming.differing {
		if text != "" {
			return text
		}
	}
	if r.now.Sub(h.startedAt) <= r.patience() {
		return ""
	}
	var missing []string
	for _, i := range r.others {
		unheard := r.heardAt[i].IsZero() || r.now.Sub(r.heardAt[i]) > 2*lastInterval*r.cfg.Heartbeat
		unconfirmed := r.status == normal && len(h.reports) > 0 && h.reports[i].Match == 0
		if unheard && r.status == recovering || unconfirmed {
			missing = append(missing, r.memberID(i))
		}
	}
	text := "the group has not formed" + sinceText(h.startedAt) + ": all members must run and reach one another"
	if len(missing) > 0 {
		text += "; nothing was heard of " + strings.Join(missing, ", ")
	}
	return text + r.refusals(r.others...)
}

// noPrimary returns why no primary serves this replica.
func (r *Replica) noPrimary() string {
	heard, needed := 1, max(r.members.Qr, r.members.Qv)
	var unheard []string
	refusals, outsiders := "", ""
	reported := r.status == normal && !r.isPrimary() && r.now.Sub(r.health.reportedAt) <= r.patience() && len(r.health.reports) > 0
	for _, i := range r.others {
		switch {
		case r.isOutside(i):
			outsiders += "; " + r.absence(i)
		case r.heardLately(i) || reported && r.health.reports[i].Silent <= r.patience():
			heard++
		case !r.memories.lost[i]:
			unheard, refusals = append(unheard, r.memberID(i)), refusals+r.refusals(i)
		}
	}
	names := ""
	if len(unheard) > 0 {
		names = "; no messages from " + strings.Join(unheard, ", ") + refusals
	}
	if names += outsiders; r.memories.problem != "" {
		names += "; " + r.memories.problem
	}
	since := sinceText(r.health.servedAt)
	if heard < needed {
		return fmt.Sprintf("no quorum%s: %d of %d members can be reached, %d are needed%s", since, heard, r.n, needed, names)
	}
	return fmt.Sprintf("no primary%s: %d of %d members can be reached, but no view change finishes%s; another member may report why", since, heard, r.n, names+r.awaited())
}

// awaited names the members that this replica hears and waits for in a view change, such as one whose disk hangs (V5,
// V6); "" if there are none.
func (r *Replica) awaited() string {
	switch prim := r.prim(); {
	case prim != r.self && !r.heardLately(prim):
		return ""
	case prim != r.self && r.status == normal:
		return "; " + r.memberID(prim) + " is heard, and does not act as primary"
	case prim != r.self:
		return "; " + r.memberID(prim) + " is heard, and has not begun its view"
	case r.status == normal || len(r.viewChange.logs) == 0:
		return ""
	}
	var silent []string
	for _, i := range r.others {
		if r.viewChange.logs[i] == nil && r.heardLately(i) && !r.memories.lost[i] {
			silent = append(silent, r.memberID(i))
		}
	}
	if len(silent) == 0 {
		return ""
	}
	return "; no log has been described by " + strings.Join(silent, ", ")
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

// informed reports whether this replica has reports on all members that are not out of date: its own as
// the primary, or those of a primary that it hears.
func (r *Replica) informed() bool {
	h := &r.health
	return r.status == normal && (r.isPrimary() || len(h.reports) > 0 && r.now.Sub(h.ledAt) <= r.patience())
}

// reportNow returns the latest report on a member.
func (r *Replica) reportNow(i Index) Report {
	if r.isPrimary() {
		return r.reportOn(i)
	}
	return r.health.reports[i]
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

// weakText describes the weakness of a member.
func (r *Replica) weakText(i Index) string {
	id, w := r.memberID(i), &r.health.weak[i]
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

// Health returns what this replica knows of the members. It appends them to members.
func (r *Replica) Health(members []MemberHealth) Health {
	h := &r.health
	leads := r.isPrimary() && r.primary.resigned == serving
	follows := r.status == normal && !r.isPrimary() && !r.viewChange.voting
	out := Health{Ready: h.ready && r.confirmed() && (leads || follows), Tolerance: h.tolerance, Members: members}
	patience := r.patience()
	known := r.informed()
	for _, i := range r.all {
		m := MemberHealth{Heard: r.heardAt[i], Sends: r.heardLately(i)}
		if known {
			x := r.reportNow(i)
			if !r.isPrimary() && x.Silent != Never {
				m.Heard = later(m.Heard, h.reportedAt.Add(-x.Silent))
			}
			m.Sends, m.Receives = x.Silent <= patience, x.Unanswered <= patience
			m.Behind, m.Unapplied = h.committed-min(x.Match, h.committed), h.committed-min(x.Applied, h.committed)
			if m.Problem = x.Problem; h.weak[i].what != none {
				m.Problem = r.weakText(i)
			}
			if i == r.prim() && !r.isPrimary() {
				own := h.reports[r.self]
				m.Sends, m.Receives = r.now.Sub(r.heardAt[i]) <= patience, own.Silent <= patience
			}
		} else {
			m.Problem = r.absence(i)
		}
		if i == r.self {
			m.Heard, m.Problem, m.Unapplied = r.now, cmp.Or(h.own, r.problem), h.committed-min(r.applied, h.committed)
		}
		out.Members = append(out.Members, m)
	}
	return out
}
