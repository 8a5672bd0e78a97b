package vsr

import (
	"cmp"
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

// patience is the time after which a condition that should pass by itself counts as a problem.
func (r *Replica) patience() time.Duration {
	return max(r.cfg.Abdication, 10*r.cfg.Heartbeat, 3*r.cfg.IdleHeartbeat)
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
	weak, tolerance := r.weaknesses() // first: blocked looks at the weakness of this replica
	blocked, slow := r.blocked()
	h.ready = blocked == ""
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
