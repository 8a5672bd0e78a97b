package shell

import (
	"fmt"
	"slices"
	"time"

	"github.com/smr-go/smr/internal/vsr"
)

// Handover is a caller's request to give the primary's role to another member. The loop owns it until it has called
// Done, or CancelHandover.
type Handover struct {
	To   vsr.Index       // -1: to the member that can take it soonest
	Done func(err error) // called once, by the loop; it must not call the loop

	view vsr.View // in which this replica is, or was, primary
}

// handovers are the requests that wait. Owned by the loop.
type handovers struct {
	loop     *Loop
	patience time.Duration // how long the core waits for the successor, for the error
	waiting  []*Handover
}

// name returns how errors call the successor.
func (q *handovers) name(s *vsr.State, i vsr.Index) string {
	if i < 0 {
		return ""
	}
	return s.Members.Members[i].ID
}

// Handover begins a handover.
func (l *Loop) Handover(h *Handover) {
	q, s := &l.handovers, l.core.State()
	switch {
	case s.Phase == vsr.Primary && h.To == l.self:
		h.Done(nil)
	case s.Phase == vsr.Primary && q.begin(h.To):
		h.view = s.Head.View
		q.waiting = append(q.waiting, h)
	case h.To < 0 || h.To == s.Primary:
		h.Done(nil)
	case s.Primary < 0:
		h.Done(fmt.Errorf("smr: handover to %q: this replica is not primary, and there is no primary at present",
			q.name(&s, h.To)))
	default:
		h.Done(fmt.Errorf("smr: handover to %q: this replica is not primary, %q is", q.name(&s, h.To), q.name(&s, s.Primary)))
	}
}

func (q *handovers) begin(to vsr.Index) bool {
	e := vsr.Handover{To: to}
	q.loop.step(&e)
	return e.Begun
}

// CancelHandover forgets a handover that its caller has abandoned; the primary goes on if it still can and no other
// caller waits for a handover.
func (l *Loop) CancelHandover(h *Handover) {
	q := &l.handovers
	i := slices.Index(q.waiting, h)
	if i < 0 {
		return
	}
	q.waiting = slices.Delete(q.waiting, i, i+1)
	if len(q.waiting) == 0 {
		l.step(&vsr.CancelHandover{})
	}
}

// follow ends the handovers that have succeeded or failed.
func (q *handovers) follow(s *vsr.State) {
	q.waiting = slices.DeleteFunc(q.waiting, func(h *Handover) bool {
		over, err := q.outcome(s, h)
		if over {
			h.Done(err)
		}
		return over
	})
}

// outcome reports whether a handover is over, and how it ended.
func (q *handovers) outcome(s *vsr.State, h *Handover) (over bool, err error) {
	leads := s.Phase == vsr.Primary
	switch {
	case s.Head.View == h.view && leads && !s.HandingOver:
		return true, fmt.Errorf("smr: handover to %q: operations have waited for %v, and it does not hold the whole log "+
			"(is its disk full, or slow?); %q goes on as primary", q.name(s, h.To), q.patience, q.name(s, s.Primary))
	case s.Head.View == h.view || s.Primary < 0:
		return false, nil
	case h.To < 0 && leads && q.begin(-1): // the role has come back
		h.view = s.Head.View
		return false, nil
	case h.To != s.Primary && (h.To >= 0 || leads):
		return true, fmt.Errorf("smr: handover to %q: %q became primary instead", q.name(s, h.To), q.name(s, s.Primary))
	}
	return true, nil
}

// stop ends all handovers because the replica stops.
func (q *handovers) stop(why error) {
	for _, h := range q.waiting {
		h.Done(why)
	}
	q.waiting = nil
}
