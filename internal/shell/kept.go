package shell

import (
	"slices"
	"time"

	"github.com/smr-go/smr/internal/store"
	"github.com/smr-go/smr/internal/vsr"
)

// keepFor is how long a snapshot is kept for a member that has asked for a part of it or was offered it.
const keepFor = 30 * time.Second

// maxKept is the largest number of snapshots that are kept, for other members and for the applier. If snapshots follow
// each other quickly, those needed least recently are released; a member that was receiving one is offered a newer one.
const maxKept = vsr.MaxVoters

// kept are the snapshots that are kept although newer ones may be complete (C2). Owned by the loop.
type kept struct {
	loop *Loop
	list []keptSnapshot
}

// keptSnapshot is one of them.
type keptSnapshot struct {
	id      vsr.SnapshotID
	until   time.Time
	release func()
}

// keep keeps a snapshot for keepFor from this turn on, and longer if the applier is to restore it. It returns an error if
// the snapshot is not there any more, or is damaged.
func (k *kept) keep(id vsr.SnapshotID) error {
	i := slices.IndexFunc(k.list, func(x keptSnapshot) bool { return x.id == id })
	if i < 0 {
		release, err := k.loop.shell.Snapshots.Hold(store.SnapID(id))
		if err != nil {
			return err
		}
		k.makeRoom()
		i = len(k.list)
		k.list = append(k.list, keptSnapshot{id: id, release: release})
	}
	k.list[i].until = k.loop.now.Add(keepFor)
	return nil
}

// makeRoom releases the snapshot needed least recently if maxKept are kept. Those that the applier is yet to restore, two
// at most, stay.
func (k *kept) makeRoom() {
	if len(k.list) < maxKept {
		return
	}
	oldest := -1
	for i := range k.list {
		if x := &k.list[i]; !k.awaited(x) && (oldest < 0 || x.until.Before(k.list[oldest].until)) {
			oldest = i
		}
	}
	k.loop.driver.Background(ReleaseSnapshot, k.list[oldest].release)
	k.list = slices.Delete(k.list, oldest, oldest+1)
}

// awaited reports whether the applier is yet to restore a snapshot. It is kept until then, however long that takes: a
// newer one may be complete before.
func (k *kept) awaited(x *keptSnapshot) bool { return k.loop.jobs.awaits(x.id) }

// Kept returns the number of snapshots that are kept.
func (l *Loop) Kept() int { return len(l.kept.list) }

// expire releases the snapshots that have not been needed for keepFor.
func (k *kept) expire() {
	if len(k.list) == 0 {
		return
	}
	k.list = slices.DeleteFunc(k.list, func(x keptSnapshot) bool {
		if !k.loop.now.After(x.until) || k.awaited(&x) {
			return false
		}
		k.loop.driver.Background(ReleaseSnapshot, x.release)
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
