package vsr

import (
	"slices"
	"time"
)

// sending is how the primary sends its log to one backup (C1).
type sending uint8

const (
	probing    sending = iota // where the backup stands is not known: one Prepare at a time
	streaming                 // Prepares follow each other without waiting, up to a limit in bytes
	installing                // the log no longer has what the backup needs: it is sent a snapshot
)

// Limits of what is sent at once.
const (
	maxBatch    = 1 << 20  // bytes of entries in one message
	maxInFlight = 16 << 20 // bytes of entries sent to one backup and not acknowledged
)

// progress is where one backup stands, as this view's primary knows it.
type progress struct {
	state sending
	match OpNumber // acknowledged: durable there up to here, in this view
	next  OpNumber // next op to send; match < next
	// waits: probing and sent; until an answer or the heartbeat after the next. loading: entries for
	// it are being read from the disk.
	waits, loading bool
	loadingAt      time.Time // when that was asked for
	loaded         OpNumber  // last op sent that came from the disk
	prev           OpNumber  // what the latest Prepare sent followed
	since          Round     // the round before it

	round  Round     // highest round answered (N6)
	mark   Round     // the round of the latest heartbeat, and what was sent before it
	marked OpNumber  //
	before OpNumber  // match at the answer before
	heard  time.Time // when it answered last
	elicit bool      // ask for an acknowledgement with an empty Prepare
	told   OpNumber  // commit number last sent
	asked  OpNumber  // highest op that stands for a request of this backup's callers

	offered  Snapshot // while installing
	overruns int      // how often the log went past the offered snapshot
}

// probe begins anew to find where the backup stands, from next on.
func (p *progress) probe(next OpNumber) {
	p.state, p.next, p.waits = probing, max(next, p.match+1), false
}

// acknowledged takes an acknowledgement up to op.
func (p *progress) acknowledged(op OpNumber) {
	p.match = max(p.match, op)
	p.next = max(p.next, p.match+1)
	p.waits = false
	if p.state == installing && p.match < p.offered.Last.Op {
		return
	}
	p.state, p.overruns = streaming, 0
}

// pull sends to every backup what it lacks and may be sent now. Backups that stand at the same
// place share one message (N2).
func (r *Replica) pull() {
	for i, from := range r.others {
		r.elicitBatch(from)
		for r.wants(from) && r.prepare(r.primary.progress[from].next, r.together(r.others[i:])) {
		}
	}
}

// elicitBatch asks for the acknowledgement of a batch that came from the disk, which the next one
// waits for: it may have been lost, and memory has nothing to send (N6).
func (r *Replica) elicitBatch(to Index) {
	p := &r.primary.progress[to]
	if !p.elicit || p.state != streaming || p.loading || r.wants(to) {
		return
	}
	if prev, ok := r.log.stamp(p.next - 1); ok {
		r.sendPrepare(prev, nil, []Index{to})
	} else {
		r.offer(to) // the log begins later by now
	}
}

// together returns those of the backups that stand where the first of them does and want more.
func (r *Replica) together(backups []Index) []Index {
	next := r.primary.progress[backups[0]].next
	apart := func(i Index) bool { return r.primary.progress[i].next != next || !r.wants(i) }
	if !slices.ContainsFunc(backups, apart) {
		return backups // most times
	}
	return slices.DeleteFunc(slices.Clone(backups), apart)
}

// wants reports whether a Prepare may be sent to the backup now, and would carry something.
func (r *Replica) wants(i Index) bool {
	p := &r.primary.progress[i]
	if p.loading || p.state == installing || p.waits {
		return false
	}
	if p.state == probing {
		return true
	}
	if p.next < r.log.tailFrom() {
		return p.match >= p.loaded || p.next <= p.loaded // one batch from the disk at a time; or it was lost
	}
	return p.elicit || p.next <= r.log.last.Op && r.log.bytesAbove(p.match)-r.log.bytesAbove(p.next-1) < maxInFlight
}

// prepare sends the entries from next on to a group of backups that all stand there. It reports
// whether entries were sent.
func (r *Replica) prepare(next OpNumber, group []Index) bool {
	prev, ok := r.log.stamp(next - 1)
	if !ok {
		for _, i := range group {
			r.offer(i)
		}
		return false
	}
	entries := r.log.entries(next, r.log.last.Op, maxBatch)
	if entries == nil && next <= r.log.last.Op {
		for _, i := range group {
			r.primary.progress[i].loading, r.primary.progress[i].loadingAt = true, r.now
			r.load(Load{For: i, From: next, To: r.log.tailFrom() - 1})
		}
		return false
	}
	r.sendPrepare(prev, entries, group)
	return len(entries) > 0
}

func (r *Replica) sendPrepare(prev Viewstamp, entries []Entry, to []Index) {
	r.send(&Prepare{View: r.head.View, Prev: prev, Commit: r.commit, Entries: entries}, to...)
	for _, i := range to {
		p := &r.primary.progress[i]
		p.next = prev.Op + OpNumber(len(entries)) + 1
		p.prev, p.since = prev.Op, r.primary.round
		p.told, p.elicit, p.waits = r.commit, false, p.state == probing
	}
}

// load asks the shell for entries that are not in memory: with Volatile all of them are. Those that
// are may stand differently on the disk still.
func (r *Replica) load(l Load) { r.out.Loads = append(r.out.Loads, l) }

// loaded gives loaded entries to the part that asked for them; no entries if they are gone.
func (r *Replica) loaded(l Load, entries []Entry) {
	switch {
	case l.For == r.self:
		r.loadedApply(entries)
	case l.Best != Viewstamp{}:
		r.answerState(l.For, l.View, l.Best, l.From-1, entries)
	case r.isPrimary():
		r.loadedFor(l, entries)
	}
}

// loadedFor sends a backup the older entries that it waited for.
func (r *Replica) loadedFor(l Load, entries []Entry) {
	p := &r.primary.progress[l.For]
	if !p.loading {
		return
	}
	p.loading = false
	prev, ok := r.log.stamp(l.From - 1)
	if len(entries) == 0 || !ok {
		r.offer(l.For)
		return
	}
	if p.state != installing && p.next == l.From && r.log.has(entries[len(entries)-1].Stamp()) {
		r.sendPrepare(prev, entries, []Index{l.For})
		p.loaded = p.next - 1
	}
}
