package smr

import (
	"cmp"
	"context"
	"iter"
	"regexp"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/smr-go/smr/internal/seam"
	"github.com/smr-go/smr/internal/vsr"
)

// board holds the replica's status. The loop writes it, and any goroutine may read it.
type board struct {
	mu      sync.Mutex // held only to copy and compare
	now     Status
	changes uint64        // number of changes of now
	changed chan struct{} // closed at the next change; nil if nothing waits for it
	stopped bool

	health   vsr.Health
	members  [vsr.MaxVoters]vsr.MemberHealth // memory of health.Members
	hinders  string                          // why calls may have to wait; "" if nothing is known
	turnedAt time.Time                       // when the loop last ended a turn
}

func (b *board) init(id ID, members []Member) {
	b.now = Status{ID: id, Phase: Forming, Members: members}
}

// put publishes a status if it differs from the previous one.
func (b *board) put(s Status) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !same(&b.now, &s) {
		b.show(s)
	}
}

func (b *board) show(s Status) {
	b.now = s
	b.changes++
	if b.changed != nil {
		close(b.changed)
		b.changed = nil
	}
}

func same(a, b *Status) bool {
	return a.Phase == b.Phase && a.Epoch == b.Epoch && a.View == b.View && a.Primary == b.Primary && a.Op == b.Op &&
		a.Commit == b.Commit && a.Applied == b.Applied && a.Snapshot == b.Snapshot && a.Problem == b.Problem
}

// stop publishes that the replica has stopped, and the cause.
func (b *board) stop(why error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.now
	s.Phase, s.Primary, s.Problem = Stopped, "", why.Error()
	b.stopped = true
	b.show(s)
}

// get returns the present status, and the number of changes up to it.
func (b *board) get() (s Status, changes uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.now, b.changes
}

// turned returns when the loop last ended a turn.
func (b *board) turned() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.turnedAt
}

// next returns a channel that is closed when there are more changes than these, or nil if there will be none.
func (b *board) next(changes uint64) <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.changes != changes {
		over := make(chan struct{})
		close(over)
		return over
	}
	if b.stopped {
		return nil
	}
	if b.changed == nil {
		b.changed = make(chan struct{})
	}
	return b.changed
}

// Status returns the present status of the replica. It never blocks. Status.Applied covers every
// operation whose Propose has returned on this replica.
func (r *Replica) Status() Status {
	s, _ := r.status.get()
	if text := r.loopProblem(r.status.turned()); text != "" && s.Phase != Stopped {
		s.Problem = text
	}
	s.Applied = max(s.Applied, r.state.applied.Load()) // because callers are answered before the loop publishes
	s.Commit, s.Op = max(s.Commit, s.Applied), max(s.Op, s.Applied)
	return s
}

// Watch returns a sequence of the replica's status: first the present one, then one for each change. A
// reader that is slow misses statuses in between and does not delay the replica. The sequence ends when
// ctx ends, or with the status of the stopped replica. A replica whose protocol loop hangs has no new
// status: only Status and Health report that.
func (r *Replica) Watch(ctx context.Context) iter.Seq[Status] {
	return func(yield func(Status) bool) {
		for ctx.Err() == nil {
			s, changes := r.status.get()
			if !yield(s) {
				return
			}
			changed := r.status.next(changes)
			if changed == nil {
				return
			}
			select {
			case <-changed:
			case <-ctx.Done():
			}
		}
	}
}

// turned publishes the core's state at the end of a turn.
func (r *Replica) turned(s *vsr.State) {
	r.greeter.Update(s)
	r.status.put(statusOf(s, r.cfg.ID, r.cfg.Members, r.shell.Loop.Applied()))
	if s.Phase != r.last.Phase || s.Head.View != r.last.Head.View || s.Primary != r.last.Primary {
		r.log.Info("role", "phase", s.Phase, "view", uint64(s.Head.View), "primary", string(primaryOf(s)),
			"op", uint64(s.Last.Op), "commit", uint64(s.Commit))
	}
	r.status.publishHealth(r.shell.Loop.Core(), s.Hindrance())
	r.trouble.log(r.log, problemOf(s), r.status.health.Ready, time.Now())
	r.last = *s
}

// trouble is the problem that was logged last. The loop owns it.
type trouble struct {
	problem string    // as it was logged; "" if it is over
	since   time.Time // when it was logged
	next    string    // what has taken its place, not logged yet
	nextAt  time.Time // since when; zero if nothing has
}

// settled is how long something must have taken a problem's place to be logged: when a member comes back, its problem
// changes several times in a moment, and while a view changes, little is known of the others.
const settled = time.Second

// log writes a warning when a problem begins, one when another has taken its place for good, and a line when none is
// left, at once if the replica is ready, with the latest warning's text and the time since that warning. It writes
// nothing if only the number of an op or a time in the text of a problem has changed.
func (t *trouble) log(log hclog.Logger, problem string, ready bool, now time.Time) {
	switch {
	case sameProblem(problem, t.problem):
		t.nextAt = time.Time{}
		return
	case t.problem == "":
		log.Warn(problem)
		t.problem, t.since = problem, now
		return
	case t.nextAt.IsZero() || !sameProblem(problem, t.next):
		t.next, t.nextAt = problem, now
	}
	switch {
	case now.Sub(t.nextAt) < settled && (problem != "" || !ready):
		return
	case problem != "":
		log.Warn(problem)
	default:
		log.Info("the problem is over", "was", t.problem, "lasted", t.nextAt.Sub(t.since).Round(time.Millisecond))
	}
	t.problem, t.since, t.nextAt = problem, now, time.Time{}
}

// varying matches what changes in the text of a problem while it is the same problem.
var varying = regexp.MustCompile(`\bop \d+|\d{4}-\d\d-\d\dT[0-9:]+Z`)

// sameProblem reports whether two texts differ at most in the numbers of ops and in times.
func sameProblem(a, b string) bool {
	return a == b || varying.ReplaceAllString(a, "") == varying.ReplaceAllString(b, "")
}

// statusOf returns the Status of a replica whose core is in state s.
func statusOf(s *vsr.State, id ID, members []Member, applied vsr.OpNumber) Status {
	return Status{
		ID: id, Phase: phases[s.Phase], Epoch: uint64(s.Head.Epoch), View: uint64(s.Head.View), Primary: primaryOf(s),
		Op: uint64(max(s.Last.Op, applied)), Commit: uint64(max(s.Commit, applied)),
		Applied: uint64(applied), Snapshot: uint64(s.Snapshot),
		Members: members, Problem: problemOf(s),
	}
}

// problemOf returns the problem of a replica whose core is in state s. One that prevents calls comes first.
func problemOf(s *vsr.State) string { return cmp.Or(s.Problem, s.Snapshots) }

func init() {
	seam.Status = func(s *vsr.State, id string, applied vsr.OpNumber) any {
		var members []Member
		for _, m := range s.Members.Members {
			members = append(members, Member{ID: ID(m.ID), Addr: m.Addr})
		}
		return statusOf(s, ID(id), members, applied)
	}
}

// primaryOf returns the ID of the primary, or "" if it is not known.
func primaryOf(s *vsr.State) ID {
	if s.Primary < 0 {
		return ""
	}
	return ID(s.Members.Members[s.Primary].ID)
}

var phases = [...]Phase{
	vsr.Forming: Forming, vsr.Outside: Outside, vsr.InViewChange: ViewChange, vsr.Backup: Normal, vsr.Primary: Normal,
}
