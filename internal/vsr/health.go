package vsr

import (
	"slices"
	"time"
)

// What a replica knows of the members. A member's answers to heartbeats state how far it is and describe
// its own problem. The primary's heartbeats report to all members the state of each.

// MaxProblem is the maximum length in bytes of a problem in a message.
const MaxProblem = 255

// Report is what the primary knows of one member.
type Report struct {
	Silent     time.Duration // since the member's latest message reached the primary; Never if none has
	Unanswered time.Duration // since the member's latest answer to the primary
	Late       time.Duration // since the member began to lack entries that it should hold; 0: it lacks none
	Stuck      time.Duration // since its state machine began to fall behind; 0: it has not
	Match      OpNumber      // last op that the member holds durably, as far as it has acknowledged that in this view
	Applied    OpNumber      // last op that the member's state machine has applied
	Full       bool          // its disk has no space (F13)
	Relayed    bool          // its messages reach the primary through another member only
	Problem    string        // of the member itself, at most MaxProblem bytes; "" if it has none
}

// twin is what shows that two processes use one ID: the messages of the member's memory, and questions of another one,
// come in turn (S3).
type twin struct {
	askedAt time.Time // when the other memory last asked
	turns   int       // questions in a row between which the member was heard
	since   time.Time // since when they come in turn
}

// asked records a question of another memory than the member's, which was last heard at heard.
func (t *twin) asked(now, heard time.Time, lapse time.Duration) {
	if t.askedAt.IsZero() || now.Sub(t.askedAt) > lapse || !heard.After(t.askedAt) {
		t.turns, t.since = 0, now
	} else {
		t.turns++
	}
	t.askedAt = now
}

// Never is the Silent of a member that was not heard since the primary started.
const Never = time.Duration(1<<63 - 1)

// health is what a replica knows of the members' health and its own.
type health struct {
	// reports are those of the latest heartbeat, by member: sent by this replica as primary, or
	// received. Messages share them. reportedAt is when that was. They are nil at first.
	reports    []Report
	reportedAt time.Time

	startedAt time.Time
	followed  Index     // the primary that this replica followed last; -1: none
	ledAt     time.Time // when that primary was last heard as the primary of its view; zero if it never was
	servedAt  time.Time // when this replica last knew a primary that served it, or served as one
	calls     calls
	applying  lag      // of the state machine here, behind commit numbers
	committed OpNumber // highest commit number that this replica has heard of
	weak      []weak   // by member
	refused   []string // by member: why its connections are refused; "" if they are not, or it was heard since

	// strangerAt is, by member, when a memory that is not in the member list last asked for its group.
	strangerAt [MaxVoters]time.Time
	twins      [MaxVoters]twin

	// The assessment, which assess makes at most once in a heartbeat, at assessAt.
	assessAt  time.Time
	own       string // the fault of this replica itself, at most MaxProblem bytes; "" if it has none
	problem   string // what prevents calls here, or lowers the tolerance; "" if nothing does
	ready     bool   // calls here succeed
	tolerance int    // how many more members may fail
}

// calls is what a replica knows of the calls of its callers, whatever they wait for.
type calls struct {
	answered  bool      // one has been answered since track looked last
	failingAt time.Time // since when none has, although some wait; the time of the latest look if that is not so
	givenUpAt time.Time // when a caller last gave up without an answer

	unapplied []ReadReady // reads that a round has confirmed, and whose ops are not applied here
}

// ended records that a proposal has ended, perhaps without an answer.
func (c *calls) ended(answered bool, now time.Time) {
	if answered {
		c.answered = true
	} else {
		c.givenUpAt = now
	}
}

// confirmed records that a read may run once an op is applied.
func (c *calls) confirmed(read uint64, op, applied OpNumber) {
	if op <= applied {
		c.answered = true
	} else {
		c.unapplied = append(c.unapplied, ReadReady{read, op})
	}
}

// forgotten records that a read has ended without an answer.
func (c *calls) forgotten(read uint64, now time.Time) {
	c.unapplied = slices.DeleteFunc(c.unapplied, func(x ReadReady) bool { return x.Read == read })
	c.ended(false, now)
}

// follow records the last op applied, and whether calls wait.
func (c *calls) follow(applied OpNumber, wait bool, now time.Time, patience time.Duration) {
	c.unapplied = slices.DeleteFunc(c.unapplied, func(x ReadReady) bool {
		c.answered = c.answered || x.Op <= applied
		return x.Op <= applied
	})
	wait = wait || len(c.unapplied) > 0 || now.Sub(c.givenUpAt) <= patience
	if c.answered || !wait {
		c.answered, c.failingAt = false, now
	}
}

// lag measures in time how far one op is behind another that it follows. It is late once it has taken
// longer than the patience to reach an op that the other had reached, until it takes less.
type lag struct {
	goal  OpNumber  // the op to be reached
	setAt time.Time // when the other one had reached goal
	since time.Time // since when it is late; zero if it is not
	gap   OpNumber  // from the op to goal at setAt
	grows bool      // it is late, and gap has grown from the goal before to this one
}

// follow records that op has been reached, and that it follows goal.
func (l *lag) follow(op, goal OpNumber, now time.Time, patience time.Duration) {
	late := now.Sub(l.setAt) > patience
	switch {
	case op < l.goal && late && l.since.IsZero():
		l.since = l.setAt
	case op < l.goal:
	case late && !l.since.IsZero() && op < goal: // reached, and too late
		*l = lag{goal: goal, setAt: now, since: l.since, gap: goal - op, grows: goal-op > l.gap}
	default:
		*l = lag{goal: goal, setAt: now, gap: goal - min(op, goal)}
	}
}

// duration returns for how long it is late, 0 if it is not.
func (l *lag) duration(now time.Time) time.Duration {
	if l.since.IsZero() {
		return 0
	}
	return now.Sub(l.since)
}

// While a backup receives bulk over a link that may carry less than this many bytes a second, one of
// some heartbeats has reports: they are most of a heartbeat.
const (
	narrowLink  = 256 << 10
	skipReports = 12
)

// report returns what this primary knows of the members, for a heartbeat; nil if the heartbeat is
// sent without. Heartbeats in quick succession carry the same reports.
func (r *Replica) report() []Report {
	h := &r.health
	since := r.now.Sub(h.reportedAt)
	switch {
	case len(h.reports) == 0:
	case since < r.cfg.Heartbeat/2:
		return h.reports
	case since < skipReports*r.cfg.Heartbeat-r.cfg.Heartbeat/2 && slices.ContainsFunc(r.primary.progress, progress.narrow):
		return nil
	}
	h.reports, h.reportedAt = make([]Report, r.n), r.now
	for i := range h.reports {
		h.reports[i] = r.reportOn(Index(i))
	}
	return h.reports
}

// reportOn returns what this primary knows of a member now.
func (r *Replica) reportOn(i Index) Report {
	p := &r.primary.progress[i]
	if i == r.self {
		return Report{Match: p.match, Applied: r.applied, Stuck: r.health.applying.duration(r.now), Full: r.full, Problem: r.health.own}
	}
	x := Report{Silent: Never, Unanswered: r.now.Sub(p.answeredAt), Late: p.matching.duration(r.now), Stuck: p.applying.duration(r.now),
		Match: p.match, Applied: p.applied, Full: p.full, Problem: p.problem}
	if !r.heardAt[i].IsZero() {
		x.Silent, x.Relayed = r.now.Sub(r.heardAt[i]), r.hearsByRelay(i)
	}
	if i == r.health.followed && p.answeredRound == 0 { // its silence began before this view
		x.Unanswered = max(x.Unanswered, x.Silent)
	}
	return x
}

// learnReports adopts the primary's reports.
func (r *Replica) learnReports(all []Report) {
	h := &r.health
	if len(all) != r.n {
		return
	}
	if len(h.reports) > 0 && h.reports[r.self].Silent > r.lapse() && all[r.self].Silent <= r.lapse() {
		r.resendRequests()
	}
	h.reports, h.reportedAt = all, r.now
	r.tryRelay()
}
