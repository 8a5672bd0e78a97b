package store

import (
	"math"

	"github.com/smr-go/smr/internal/vsr"
)

// Write is one thing for whoever writes the log; exactly one field is set.
type Write struct {
	Save    *vsr.Save
	Compact *vsr.Compact
}

// Backlog is what is to be written, in order.
type Backlog []Write

// Next takes what is to be done next: a compaction, or the saves up to the next one, which one sync
// makes durable. Nothing is left if it returns neither.
func (b *Backlog) Next() (saves []*vsr.Save, compact *vsr.Compact) {
	n := 0
	if len(*b) > 0 && (*b)[0].Compact != nil {
		compact, n = (*b)[0].Compact, 1
	}
	for compact == nil && n < len(*b) && (*b)[n].Save != nil {
		saves = append(saves, (*b)[n].Save)
		n++
	}
	clear((*b)[:n]) // nobody needs them here any more
	*b = (*b)[n:]
	if len(*b) == 0 {
		*b = nil
	}
	return saves, compact
}

// Ahead returns those compactions that wait behind saves which lack the space that they would give.
// They leave what the saves will cut, and the backlog stays as it is: they are done whole in their turn.
func (b Backlog) Ahead(saves []*vsr.Save) (early []vsr.Compact) {
	limit := vsr.OpNumber(math.MaxUint64)
	for _, s := range saves {
		limit = min(limit, s.From-1) // From is 0 if nothing is cut
	}
	for _, w := range b {
		if w.Save != nil {
			limit = min(limit, w.Save.From-1)
			continue
		}
		early = append(early, vsr.Compact{Keep: min(w.Compact.Keep, limit), Snapshot: min(w.Compact.Snapshot, limit)})
	}
	return early
}
