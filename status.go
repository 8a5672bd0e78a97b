package smr

import (
	"context"
	"iter"
	"sync"
	"sync/atomic"

	"github.com/smr-go/smr/internal/seam"
	"github.com/smr-go/smr/internal/vsr"
)

// board holds the replica's status. The loop writes it, and any goroutine may read it.
type board struct {
	now atomic.Pointer[Status]

	mu      sync.Mutex
	changed chan struct{} // closed at the next change; nil if nothing waits for it
	stopped bool
}

func (b *board) init(id ID, members []Member) {
	b.now.Store(&Status{ID: id, Phase: Forming, Members: members})
}

// put publishes a status if it differs from the previous one.
func (b *board) put(s Status) {
	if same(b.now.Load(), &s) {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.show(&s)
}

func (b *board) show(s *Status) {
	b.now.Store(s)
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
	s := *b.now.Load()
	s.Phase, s.Primary, s.Problem = Stopped, "", why.Error()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stopped = true
	b.show(&s)
}

// next returns a channel that is closed when the status differs from s, or nil if it will not change again.
func (b *board) next(s *Status) <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.now.Load() != s {
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
	s := *r.status.now.Load()
	s.Applied = max(s.Applied, r.state.applied.Load()) // because callers are answered before the loop publishes
	s.Commit, s.Op = max(s.Commit, s.Applied), max(s.Op, s.Applied)
	return s
}

// Watch returns a sequence of the replica's status: first the present one, then one for each change. A
// reader that is slow misses statuses in between and does not delay the replica. The sequence ends when
// ctx ends, or with the status of the stopped replica.
func (r *Replica) Watch(ctx context.Context) iter.Seq[Status] {
	return func(yield func(Status) bool) {
		for ctx.Err() == nil {
			s := r.status.now.Load()
			if !yield(*s) {
				return
			}
			changed := r.status.next(s)
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
		r.log.Info("role", "phase", s.Phase, "view", uint64(s.Head.View), "primary", string(primaryOf(s)), "op", uint64(s.Last.Op), "commit", uint64(s.Commit))
	}
	if s.Problem != r.last.Problem && s.Problem != "" {
		r.log.Warn(s.Problem)
	}
	r.last = *s
}

// statusOf returns the Status of a replica whose core is in state s.
func statusOf(s *vsr.State, id ID, members []Member, applied vsr.OpNumber) Status {
	return Status{
		ID: id, Phase: phases[s.Phase], Epoch: uint64(s.Head.Epoch), View: uint64(s.Head.View), Primary: primaryOf(s),
		Op: uint64(max(s.Last.Op, applied)), Commit: uint64(max(s.Commit, applied)), Applied: uint64(applied), Snapshot: uint64(s.Snapshot),
		Members: members, Problem: s.Problem,
	}
}

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

var phases = [...]Phase{vsr.Forming: Forming, vsr.Recovering: Recovering, vsr.InViewChange: ViewChange, vsr.Backup: Normal, vsr.Primary: Normal}
