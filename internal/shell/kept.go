package shell

import (
	"slices"
	"time"

	"github.com/smr-go/smr/internal/snap"
	"github.com/smr-go/smr/internal/store"
	"github.com/smr-go/smr/internal/vsr"
)

// keepFor is how long a snapshot is kept for a member that has asked for a part of it or was offered it.
const keepFor = 30 * time.Second

// kept are the snapshots that are kept although newer ones may be complete (C2). Owned by the loop.
type kept struct {
	snapshots *snap.Store
	driver    Driver
	list      []keptSnapshot
}

// keptSnapshot is one of them.
type keptSnapshot struct {
	id      vsr.SnapshotID
	until   time.Time
	restore bool // the applier is to restore it: it is kept until then, however long that takes
	release func()
}

// keep keeps a snapshot for keepFor from now on, and returns it. It returns nil if the snapshot is not there any more.
func (k *kept) keep(id vsr.SnapshotID, now time.Time) *keptSnapshot {
	i := slices.IndexFunc(k.list, func(x keptSnapshot) bool { return x.id == id })
	if i < 0 {
		release, err := k.snapshots.Hold(store.SnapID(id))
		if err != nil {
			return nil
		}
		i = len(k.list)
		k.list = append(k.list, keptSnapshot{id: id, release: release})
	}
	k.list[i].until = now.Add(keepFor)
	return &k.list[i]
}

// keepToRestore keeps a snapshot until the applier has restored it: a newer one may be complete before.
func (k *kept) keepToRestore(id vsr.SnapshotID, now time.Time) {
	if x := k.keep(id, now); x != nil {
		x.restore = true
	}
}

// Kept returns the number of snapshots that are kept.
func (l *Loop) Kept() int { return len(l.kept.list) }

// expire releases the snapshots that have not been needed for keepFor. The applier has applied or restored everything up
// to applied.
func (k *kept) expire(now time.Time, applied vsr.OpNumber) {
	if len(k.list) == 0 {
		return
	}
	k.list = slices.DeleteFunc(k.list, func(x keptSnapshot) bool {
		if !now.After(x.until) || x.restore && x.id.Last.Op > applied {
			return false
		}
		k.driver.Background(ReleaseSnapshot, x.release)
		return true
	})
}

// releaseAll releases all snapshots, at the replica's end.
func (k *kept) releaseAll() {
	for _, x := range k.list {
		x.release()
	}
	k.list = nil
}
