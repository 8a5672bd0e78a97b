package smr

import (
	"fmt"

	"github.com/smr-go/smr/internal/vsr"
)

// roles follows who is primary: for the log, and for callers of Handover. Owned by the loop.
type roles struct {
	last    vsr.State
	waiting []handing
}

// handing is a caller of Handover who waits.
type handing struct {
	to     ID
	view   vsr.View // in which this replica is, or was, primary
	result chan error
}

// handover begins a handover for a caller.
func (q *roles) handover(r *Replica, to ID, i vsr.Index, result chan error) {
	s := r.core.State()
	switch {
	case s.Phase == vsr.Primary && to == r.cfg.ID:
		result <- nil
	case s.Phase == vsr.Primary && q.begin(r, i):
		q.waiting = append(q.waiting, handing{to, s.Head.View, result})
	case to == "" || to == primaryOf(&s):
		result <- nil
	default:
		result <- fmt.Errorf("smr: handover to %q: this replica is not primary, %q is", to, primaryOf(&s))
	}
}

// begin asks the core to hand over, and reports whether it does.
func (q *roles) begin(r *Replica, to vsr.Index) bool {
	h := vsr.Handover{To: to}
	r.core.Step(r.core.now, &h)
	return h.Begun
}

// cancel forgets a caller whose context has ended; the primary goes on if it still can.
func (q *roles) cancel(r *Replica, result chan error) {
	for i, w := range q.waiting {
		if w.result == result {
			q.waiting = append(q.waiting[:i], q.waiting[i+1:]...)
			if len(q.waiting) == 0 {
				r.core.Step(r.core.now, &vsr.CancelHandover{})
			}
			return
		}
	}
}

// follow notices what has changed since the last turn.
func (q *roles) follow(r *Replica, s *vsr.State) {
	if s.Phase != q.last.Phase || s.Head.View != q.last.Head.View || s.Primary != q.last.Primary {
		r.log.Info("role", "phase", s.Phase, "view", uint64(s.Head.View), "primary", string(primaryOf(s)), "op", uint64(s.Last.Op), "commit", uint64(s.Commit))
	}
	if s.Problem != q.last.Problem && s.Problem != "" {
		r.log.Warn(s.Problem)
	}
	q.last = *s
	q.answer(r, s)
}

// answer ends the handovers that are over, one way or the other.
func (q *roles) answer(r *Replica, s *vsr.State) {
	kept := q.waiting[:0]
	for _, w := range q.waiting {
		switch now, leads := primaryOf(s), s.Phase == vsr.Primary; {
		case s.Head.View == w.view && leads && !s.HandingOver:
			w.result <- fmt.Errorf("smr: handover to %q: operations have waited for %v, and it does not hold the whole log (is its disk full, or slow?); %q goes on as primary", w.to, r.cfg.Abdication, r.cfg.ID)
		case s.Head.View == w.view || s.Primary < 0:
			kept = append(kept, w)
		case w.to == "" && leads && q.begin(r, -1): // the role has come back
			kept = append(kept, handing{w.to, s.Head.View, w.result})
		case w.to != now && (w.to != "" || leads):
			w.result <- fmt.Errorf("smr: handover to %q: %q became primary instead", w.to, now)
		default:
			w.result <- nil
		}
	}
	clear(q.waiting[len(kept):])
	q.waiting = kept
}

// primaryOf returns the primary's id, "" if it is not known.
func primaryOf(s *vsr.State) ID {
	if s.Primary < 0 {
		return ""
	}
	return ID(s.Members.Members[s.Primary].ID)
}
