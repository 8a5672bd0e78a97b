package vsr

import (
	"cmp"
	"fmt"
	"strings"
	"time"
)

// Why calls through this replica do not succeed.

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

// diskHangs is how the problem of a member whose disk hangs begins.
const diskHangs = "the disk has not completed a read or a write"

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
		text := diskHangs + sinceText(at) + "; check it"
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
	switch l, since := &r.health.applying, r.health.applying.since; {
	case since.IsZero():
		return ""
	case r.applied < r.commit && l.grows:
		return "operations are committed faster than StateMachine.Apply applies them here" + sinceText(since)
	case r.applied < r.commit: // after a restart, for example, those of its own log
		return fmt.Sprintf("this replica applies operations up to op %d, which are committed, and catches up%s", r.commit, sinceText(since))
	default:
		return "this replica lacks committed operations, and catches up" + sinceText(since)
	}
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
	if f := r.forwardingNow(); len(f.inFlight) > 0 && r.now.Sub(f.partAt) <= r.patience() {
		return text + fmt.Sprintf(": operations of %d bytes are on their way to the primary, %s, or from there, and arrive bit by bit", f.bytes, prim)
	}
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
	if h.weak[r.self].what == notHeard {
		return r.weakText(r.self)
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
