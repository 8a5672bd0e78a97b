package sim

import (
	"time"

	"github.com/smr-go/smr/internal/vsr"
)

// budget is a Watcher that sees whether the faults of a run leave it within the budget of
// RELIABILITY.md (see atlas): beyond it a group may stand still, and nothing is wrong.
type budget struct {
	spare  int // members that may lose their memory
	lost   map[int]bool
	commit vsr.OpNumber
	beyond bool
}

// playWithin plays a schedule, and reports whether the run was within the budget.
func playWithin(p *Setup, faults []Fault, w *Work) (r *Report, within bool) {
	m := vsr.NewMembership(make([]vsr.Member, p.Replicas))
	if p.Qr > 0 {
		m.Qr, m.Qv = p.Qr, p.Qv
	}
	b := &budget{spare: p.Replicas - max(m.Qr, m.Qv), lost: map[int]bool{}}
	for i := range faults {
		if faults[i].Kind.losesMemory() {
			return Play(p, nil, faults, w, b), !b.beyond
		}
	}
	return Play(p, nil, faults, w, nil), true
}

// losesMemory reports whether the kind may take from a member what it has acknowledged.
func (k Kind) losesMemory() bool {
	switch k {
	case RotLog, RotHead, RotSnapshot, LostInLog, LostInSnapshot, MisplacedInLog, MisplacedInSnapshot, Wipe:
		return true
	}
	return false
}

// Faulted is Watcher.Faulted.
func (b *budget) Faulted(_ time.Duration, f *Fault) {
	if f.Kind.losesMemory() {
		b.lost[f.Host] = true
		b.beyond = b.beyond || b.commit < 2 || len(b.lost) > b.spare
	}
}

// Turned is Watcher.Turned.
func (b *budget) Turned(_ time.Duration, _ int, now *vsr.State) { b.commit = max(b.commit, now.Commit) }

// Note is Watcher.Note.
func (b *budget) Note(time.Duration, int, string, []any) {}

// Sent is Watcher.Sent.
func (b *budget) Sent(time.Duration, uint64, int, int, vsr.Message) {}

// Ended is Watcher.Ended.
func (b *budget) Ended(time.Duration, uint64, Fate) {}

// Called is Watcher.Called.
func (b *budget) Called(time.Duration, *Call) {}

// Returned is Watcher.Returned.
func (b *budget) Returned(time.Duration, *Call) {}

// Linked is Watcher.Linked.
func (b *budget) Linked(time.Duration, int, int, bool) {}

// Lived is Watcher.Lived.
func (b *budget) Lived(time.Duration, int, bool) {}
