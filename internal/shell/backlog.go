package shell

import (
	"math"

	"github.com/smr-go/smr/internal/vsr"
)

// backlog is what is to be written, in order.
type backlog []Write

// next removes what is to be done next and returns it: a compaction, or the saves up to the next one, which one sync
// makes durable, appended to saves. It returns neither if the backlog is empty.
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
	clear((*b)[rest:]) // so that what is done can be freed
	*b = (*b)[:rest]
	return saves, compact
}

// ahead returns the compactions that may go before saves that lack space, since they wait behind them. Each leaves
// what the saves and the writes before it cut, and stays in the backlog: it is done whole in its turn.
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
