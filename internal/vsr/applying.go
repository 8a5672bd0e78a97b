package vsr

import (
	"slices"
	"time"
)

// The handing of committed entries to the state machine, from memory or from the disk. However far
// behind the state machine is, what is durable and waits for it need not stay in memory.

// applying is what the shell has been given to apply and not reported yet.
type applying struct {
	batches      []batch   // in order
	bytes        int64     // of all of them
	loadingSince time.Time // since when the entries to be handed out next are read from the disk; zero: they are not
}

// batch is entries handed out together.
type batch struct {
	last  OpNumber
	bytes int64
}

// maxHanded is the bytes of operations handed to the state machine and not applied yet, about.
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
	r.requestLoad(Load{For: r.self, From: r.delivered + 1, To: min(r.commit, r.log.tailFrom()-1)})
}

func (r *Replica) deliver(entries []Entry) {
	b := batch{last: entries[len(entries)-1].Op}
	for i := range entries {
		b.bytes += entries[i].size()
	}
	r.applying.batches = append(r.applying.batches, b)
	r.applying.bytes += b.bytes
	r.delivered = b.last
	r.out.Apply = joined(r.out.Apply, entries)
}

// joined returns a followed by b, without a copy where one is empty.
func joined(a, b []Entry) []Entry {
	if len(a) == 0 {
		return b[:len(b):len(b)]
	}
	return append(a, b...)
}

// deliverLoaded takes committed entries that had to be read from the disk.
func (r *Replica) deliverLoaded(entries []Entry) {
	r.applying.loadingSince = time.Time{}
	if len(entries) == 0 || entries[0].Op != r.delivered+1 {
		return // a snapshot came between
	}
	r.deliver(entries)
}

// appliedUpTo makes room for more entries to be handed out: the state machine has applied those up to op.
func (r *Replica) appliedUpTo(op OpNumber) {
	r.applied = max(r.applied, op)
	a := &r.applying
	done := 0
	for done < len(a.batches) && a.batches[done].last <= r.applied {
		a.bytes -= a.batches[done].bytes
		done++
	}
	a.batches = slices.Delete(a.batches, 0, done)
	r.trimTail()
}

// trimTail lets go of the bodies that memory need not hold: they are durable, and above the limit
// for what is applied, or for what is not.
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
		to = max(r.applied, min(to, fits-1)) // what is left fills the window: a primary takes no more (N1)
	}
	r.log.trim(min(to, r.saves.durable))
}

// swamped reports whether so much waits to be applied that memory can take no more. Only a replica
// without a disk gets there; a snapshot helps it on.
func (r *Replica) swamped() bool {
	return r.cfg.Volatile && r.log.bytesAbove(r.applied) > 2*r.cfg.Window
}
