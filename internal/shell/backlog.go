package shell

import (
	"math"

	"github.com/smr-go/smr/internal/store"
	"github.com/smr-go/smr/internal/vsr"
)

// backlog holds the pending writes in order.
type backlog []Write

// maxSync is the number of bytes of entries up to which further saves are added to one sync. The log encodes them in
// memory before it writes them, and while the disk is slow as much may wait as the primary accepts.
const maxSync = 4 << 20

// next removes and returns the next write: a compaction, or saves appended to saves, which one sync makes durable: those
// up to the next compaction, up to maxSync and one. It returns neither if the backlog is empty.
func (b *backlog) next(saves []*vsr.Save) ([]*vsr.Save, *vsr.Compact) {
	var compact *vsr.Compact
	n, size := 0, int64(0)
	if len(*b) > 0 && (*b)[0].Compact != nil {
		compact, n = (*b)[0].Compact, 1
	}
	for compact == nil && n < len(*b) && (*b)[n].Save != nil && size < maxSync {
		saves = append(saves, (*b)[n].Save)
		size += savedBytes((*b)[n].Save)
		n++
	}
	rest := copy(*b, (*b)[n:])
	clear((*b)[rest:]) // release their memory
	*b = (*b)[:rest]
	return saves, compact
}

// savedBytes returns the bytes that the entries of a save take in the log.
func savedBytes(s *vsr.Save) (n int64) {
	for i := range s.Entries {
		n += store.LogBytes(&s.Entries[i])
	}
	return n
}

// takeSaves removes all saves and appends them to saves. Compactions stay.
func (b *backlog) takeSaves(saves []*vsr.Save) []*vsr.Save {
	kept := (*b)[:0]
	for _, w := range *b {
		if w.Save != nil {
			saves = append(saves, w.Save)
		} else {
			kept = append(kept, w)
		}
	}
	clear((*b)[len(kept):])
	*b = kept
	return saves
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
