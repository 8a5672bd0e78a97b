package shell

import (
	"slices"
	"time"

	"github.com/smr-go/smr/internal/snap"
	"github.com/smr-go/smr/internal/store"
	"github.com/smr-go/smr/internal/vsr"
)

// keepFor is how long a snapshot is kept for a member that has asked for a part of it or was offered it, and
// for the applier that is to restore it.
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
	release func()
}

// keep keeps a snapshot for keepFor from now on. It does nothing if the snapshot is not there any more.
func (k *kept) keep(id vsr.SnapshotID, now time.Time) {
	i := slices.IndexFunc(k.list, func(x keptSnapshot) bool { return x.id == id })
	if i < 0 {
		release, err := k.snapshots.Hold(store.SnapID(id))
		if err != nil {
			return
		}
		i = len(k.list)
		k.list = append(k.list, keptSnapshot{id: id, release: release})
	}
	k.list[i].until = now.Add(keepFor)
}

// Kept returns the number of snapshots that are kept.
func (l *Loop) Kept() int { return len(l.kept.list) }

// expire releases the snapshots that have not been needed for keepFor.
func (k *kept) expire(now time.Time) {
	if len(k.list) == 0 {
		return
	}
	k.list = slices.DeleteFunc(k.list, func(x keptSnapshot) bool {
		if !now.After(x.until) {
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
