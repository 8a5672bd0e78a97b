package vsr

import (
	"fmt"
	"strings"
	"time"
)

// The watch on progress (V2): a primary whose commit number does not rise, although a quorum answers its
// heartbeats, reports that, and leaves if another member may do better. Without the exceptions below,
// view changes would never end.

// stalls is what a replica knows of views that ended because an op was not committed.
type stalls struct {
	op    OpNumber  // the highest such op; 0 if no view has ended so
	count int       // recent views that ended so
	at    time.Time // when it learned of the latest
}

// Multiples of Config.Abdication.
const (
	stallLimit  = 4  // time without progress after which a primary leaves
	stallMemory = 64 // time without another such view after which the earlier ones are forgotten
)

// learnStall records that a view ended because op was not committed.
func (r *Replica) learnStall(op OpNumber) {
	s := &r.stalls
	if op <= s.op {
		return
	}
	if r.now.Sub(s.at) > stallMemory*r.cfg.Abdication {
		s.count = 0
	}
	s.op, s.at = op, r.now
	s.count++
}

// stallPatience returns how long the commit number may stand before the primary leaves. It doubles
// with each view that ended so.
func (r *Replica) stallPatience() time.Duration {
	return stallLimit * r.cfg.Abdication << min(r.stalls.count, 4)
}

// advanced records that a member which may complete the quorum for the next op has come closer to
// holding it.
func (r *Replica) advanced(i Index) {
	if r.primary.progress[i].match <= r.commit {
		r.primary.movedAt = r.now
	}
}

// stalledFor returns for how long nothing has changed about an op that is not committed. A primary
// that has not saved the op itself waits for its own disk (D3).
func (r *Replica) stalledFor() time.Duration {
	if !r.isPrimary() || r.primary.resigned != serving || r.commit == r.log.last.Op || r.saves.durable <= r.commit {
		return 0
	}
	return r.now.Sub(r.primary.movedAt)
}

// mustYield reports whether the primary leaves because its commit number stands. It stays if a view
// has ended for this op before, if the group is not confirmed (S2), if too few voters have space (F13),
// or if it hears no successor.
func (r *Replica) mustYield() bool {
	return r.stalledFor() > r.stallPatience() && r.commit >= r.stalls.op && r.primary.opening > 0 &&
		r.withSpace() >= r.members.Qr && r.bestSuccessor() > 0
}

// stallText describes why the commit number stands.
func (r *Replica) stallText() string {
	var without []string
	for _, i := range r.others {
		if r.primary.progress[i].match <= r.commit {
			id := r.memberID(i)
			if r.health.weak[i].what == notHeard {
				id += " (not heard)"
			}
			without = append(without, id)
		}
	}
	return fmt.Sprintf("op %d has not been committed%s, although a quorum answers: %s did not acknowledge it; look at their Status",
		r.commit+1, sinceText(r.primary.movedAt), strings.Join(without, ", "))
}

// applierSuccessor returns the next view of the member that has applied most, if this primary's state
// machine hangs and that member has applied more (D3); otherwise 0. Each primary that leaves for this
// reason names one that has applied more than itself, so this comes to an end.
func (r *Replica) applierSuccessor() View {
	if r.cfg.DiskLimit <= 0 || r.applied >= r.commit || r.now.Sub(r.applying.movedAt) <= r.cfg.DiskLimit {
		return 0
	}
	best := r.self
	for _, i := range r.others {
		if p := &r.primary.progress[i]; r.heardLately(i) && p.applied > max(r.applied, r.primary.progress[best].applied) {
			best = i
		}
	}
	if best == r.self {
		return 0
	}
	return r.members.viewOf(best, r.head.View)
}
