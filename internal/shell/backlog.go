package shell

import (
	"math"

	"github.com/smr-go/smr/internal/vsr"
)

// backlog holds the pending writes in order.
type backlog []Write

// next removes and returns the next write: a compaction, or all saves up to the next compaction, appended to saves,
// which one sync makes durable. It returns neither if the backlog is empty.
func (b *backlog) next(saves []*vsr.Save) ([]*vsr.Save, *vsr.Compact) {
	var compact *vsr.Compact
	n := 0
	if len(*b) > 0 && (*b)[0].Compact != nil {
		compact, n = (*b)[0].Compact, 1
	}
	for compact == nil && n < len(*b) && (*b)[n].Save != nil {
		saves = append(saves, (*b)[n].Save)
		n++
	}
	rest := copy(*b, (*b)[n:])
	clear((*b)[rest:]) // release their memory
	*b = (*b)[:rest]
	return saves, compact
}

// ahead returns the compactions that may be performed before saves that lack space, although they are queued behind
// them. Each spares the entries that the saves, or writes queued before it, cut. It stays in the backlog, and is
// performed in full when it is next.
func (b backlog) ahead(saves []*vsr.Save) (early []vsr.Compact) {
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
