package shell

import "github.com/smr-go/smr/internal/vsr"

// jobs passes work to the applier in order. A snapshot to be restored waits here until the applier has restored the one
// that it was given before, and later jobs wait behind it. A newer snapshot replaces all waiting jobs, so at most two
// snapshots are kept for the applier, however far it is behind. Owned by the loop.
type jobs struct {
	loop    *Loop
	given   vsr.SnapshotID // the last snapshot that the applier was given to restore
	waiting []Job          // empty, or a snapshot to be restored and what follows it
}

// restoring reports whether the applier has yet to restore the last snapshot that it was given.
func (q *jobs) restoring() bool { return q.given.Last.Op > q.loop.applied }

// awaits reports whether a snapshot waits to be restored.
func (q *jobs) awaits(id vsr.SnapshotID) bool {
	given := q.restoring() && id == q.given
	return given || len(q.waiting) > 0 && id == q.waiting[0].Restore.SnapshotID
}

// add passes a job on, or queues it.
func (q *jobs) add(j Job) {
	switch {
	case j.Restore != nil && q.restoring():
		clear(q.waiting) // the snapshot contains the effects of these jobs
		q.waiting = append(q.waiting[:0], j)
	case len(q.waiting) > 0:
		q.waiting = append(q.waiting, j)
	default:
		q.give(j)
	}
}

func (q *jobs) give(j Job) {
	if j.Restore != nil {
		q.given = j.Restore.SnapshotID
	}
	q.loop.driver.Apply(j)
}

// advance passes the waiting jobs on once the applier has restored the snapshot that it was given before.
func (q *jobs) advance() {
	if len(q.waiting) == 0 || q.restoring() {
		return
	}
	for _, j := range q.waiting {
		q.give(j)
	}
	q.waiting = nil
}
