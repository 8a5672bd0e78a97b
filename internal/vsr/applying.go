package vsr

import (
	"slices"
	"time"
)

// Delivering committed entries to the state machine, from memory or from the disk. However far the
// state machine falls behind, entries that are durable need not stay in memory for it.

// applying tracks the entries that the shell has been given to apply and has not reported as
// applied.
type applying struct {
	batches      []batch   // in the order delivered
	bytes        int64     // sum over batches
	loadingSince time.Time // when the next entries were requested from the disk; zero if they are in memory
	movedAt      time.Time // when the state machine was last known to go on: it had applied an op, or was idle
}

// batch is a run of entries delivered in one turn.
type batch struct {
	last  OpNumber
	bytes int64
}

// maxDelivered limits the bytes of operations delivered and not yet applied; one entry may exceed
// it.
const maxDelivered = 8 << 20

// deliverCommitted gives committed entries to the shell to apply, in order (N7).
func (r *Replica) deliverCommitted() {
	a, limit := &r.applying, min(maxDelivered, r.cfg.Window)
	if r.delivered >= r.commit || !a.loadingSince.IsZero() || a.bytes > limit {
		return
	}
	if entries := r.log.entries(r.delivered+1, r.commit, limit); entries != nil {
		r.deliver(entries)
		return
	}
	a.loadingSince = r.now
	r.requestLoad(Load{For: r.self, From: r.delivered + 1, To: min(r.commit, r.log.tailFrom()-1), Bytes: MaxBatch})
}

func (r *Replica) deliver(entries []Entry) {
	b := batch{last: entries[len(entries)-1].Op}
	for i := range entries {
		b.bytes += entries[i].size()
	}
	r.applyingFrom(r.delivered)
	r.applying.batches = append(r.applying.batches, b)
	r.applying.bytes += b.bytes
	r.delivered = b.last
	r.out.Apply = joined(r.out.Apply, entries)
}

// applyingFrom records that the shell is about to be given work for the state machine, which is idle
// if it has applied everything delivered so far.
func (r *Replica) applyingFrom(delivered OpNumber) {
	if r.applied == delivered {
		r.applying.movedAt = r.now
	}
}

// joined returns a followed by b. It copies only if neither is empty.
func joined(a, b []Entry) []Entry {
	if len(a) == 0 {
		return b[:len(b):len(b)]
	}
	return append(a, b...)
}

// deliverLoaded delivers committed entries that were read from the disk.
func (r *Replica) deliverLoaded(entries []Entry) {
	r.applying.loadingSince = time.Time{}
	if len(entries) == 0 || entries[0].Op != r.delivered+1 {
		return // a snapshot was installed while they were read
	}
	r.deliver(entries)
}

// appliedUpTo records that the state machine has applied the entries up to op, which makes room for
// more to be delivered.
func (r *Replica) appliedUpTo(op OpNumber) {
	a := &r.applying
	if op > r.applied {
		r.applied, a.movedAt = op, r.now
		r.resumeAfter(applyHung)
	}
	done := 0
	for done < len(a.batches) && a.batches[done].last <= r.applied {
		a.bytes -= a.batches[done].bytes
		done++
	}
	a.batches = slices.Delete(a.batches, 0, done)
	r.trimTail()
}

// trimTail drops durable entries from memory when they exceed their limits: Config.Tail for applied
// entries, Config.Window for entries that wait to be applied.
func (r *Replica) trimTail() {
	if r.cfg.Volatile {
		return
	}
	if excess := r.log.bytesAbove(r.log.tailFrom()-1) - r.cfg.Tail; excess <= r.cfg.Tail/8 {
		return
	}
	to := r.log.opWithin(0, r.cfg.Tail)
	if to > r.applied {
		fits := r.log.opWithin(1, r.cfg.Window)
		to = max(r.applied, min(to, fits-1)) // the entries that remain fill the window, so a primary accepts no more (N1)
	}
	r.log.trim(min(to, r.saves.durable))
}

// swamped reports whether the entries that wait to be applied, or to be durable, exceed the limit of memory. A replica
// without a disk gets into that state, and a snapshot ends it; or one whose disk hangs for long (D3).
func (r *Replica) swamped() bool {
	if r.cfg.Volatile {
		return r.log.bytesAbove(r.applied) > 2*r.cfg.Window
	}
	return r.log.bytesAbove(r.saves.durable) > r.mostUnsaved()
}

// mostUnsaved returns how many bytes of entries may wait for the disk of a backup: as many as a primary sends whatever
// the backup saves, and its own window.
func (r *Replica) mostUnsaved() int64 { return r.cfg.Window + MaxInFlight + MaxBody }
