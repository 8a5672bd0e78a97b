package vsr

import (
	"slices"
	"time"
)

// sending is the way in which the primary sends its log to one backup (C1).
type sending uint8

const (
	probing    sending = iota // the end of the common log is unknown: one Prepare at a time
	streaming                 // Prepares are sent without waiting, up to a limit in bytes
	installing                // the log no longer has the entries that the backup needs: it receives a snapshot
)

// Limits of a message and of the entries in flight.
const (
	maxBatch    = 1 << 20  // bytes of entries in one message
	maxInFlight = 16 << 20 // bytes of entries sent to one backup and not acknowledged
)

// progress is what this view's primary knows of one backup. All fields are reset when the view
// begins. Last is the last op of the primary's log. For the primary itself only match is used,
// which is then saves.durable.
type progress struct {
	state sending

	// match is the highest op acknowledged in this view: up to it the backup's log is durable and
	// agrees with the primary's. It never falls. match <= last.
	match OpNumber
	// next is the op that the next Prepare begins with. match < next <= last+1.
	next OpNumber

	// probeSent pauses the sending until the probing Prepare is answered or a heartbeat shows that
	// it was lost. probeSent implies state == probing.
	probeSent bool
	// preparePrev is the op that the latest Prepare followed, and prepareRound the primary's round
	// when it was sent. preparePrev <= last, prepareRound <= primary.round.
	preparePrev  OpNumber
	prepareRound Round

	// loadingSince is when entries for the backup were requested from the disk; zero if none are.
	// No Prepare is sent until they arrive.
	loadingSince time.Time
	// loadedTo is the last op of the latest batch from the disk. The next batch waits until the
	// backup acknowledges that one or a new probe shows that it was lost. loadedTo <= last.
	loadedTo OpNumber

	// answeredRound is the highest round of heartbeats answered (N6). answeredRound <= primary.round.
	answeredRound Round
	// answeredAt is when the backup's latest answer came.
	answeredAt time.Time
	// sentAtHeartbeat is next-1 at the latest heartbeat. If the answer to that heartbeat shows a
	// lower op, Prepares were lost. sentAtHeartbeat <= last.
	sentAtHeartbeat OpNumber
	// matchAtAnswer is match at the previous answer to a heartbeat. If match stays the same until
	// the next answer, an acknowledgement was lost. matchAtAnswer <= match.
	matchAtAnswer OpNumber
	// elicitAck makes the next Prepare elicit that acknowledgement, even if the Prepare is empty.
	elicitAck bool

	// commitSent is the commit number sent last. commitSent <= commit.
	commitSent OpNumber
	// forwarded is the highest op of a request that this backup forwarded. Callers wait until the
	// backup learns that it is committed. forwarded <= last.
	forwarded OpNumber

	// offered is the snapshot offered to the backup in this view; zero if none was. overruns counts
	// how often the log was compacted past it (N9).
	offered  Snapshot
	overruns int
}

// probe restarts the search for where the logs agree, from next on.
func (p *progress) probe(next OpNumber) {
	p.state, p.next, p.probeSent = probing, max(next, p.match+1), false
}

// acknowledged records an acknowledgement up to op.
func (p *progress) acknowledged(op OpNumber) {
	p.match = max(p.match, op)
	p.next = max(p.next, p.match+1)
	p.probeSent = false
	if p.state == installing && p.match < p.offered.Last.Op {
		return
	}
	p.state, p.overruns = streaming, 0
}

// sendEntries sends the backups the entries that they lack, within the limits. Backups with the
// same next share one message (N2).
func (r *Replica) sendEntries() {
	for i, from := range r.others {
		r.elicitBatch(from)
		for r.wants(from) && r.prepareFor(r.primary.progress[from].next, r.together(r.others[i:])) {
		}
	}
}

// elicitBatch elicits the acknowledgement of a batch that came from the disk. The next batch waits
// for that acknowledgement, which may be lost, and no entry in memory follows the batch to elicit
// it (N6).
func (r *Replica) elicitBatch(to Index) {
	p := &r.primary.progress[to]
	if !p.elicitAck || p.state != streaming || !p.loadingSince.IsZero() || r.wants(to) {
		return
	}
	if prev, ok := r.log.stamp(p.next - 1); ok {
		r.sendPrepare(prev, nil, []Index{to})
	} else {
		r.offer(to) // the log has been compacted past it
	}
}

// together returns the backups that have the same next as the first of them and want a Prepare.
func (r *Replica) together(backups []Index) []Index {
	next := r.primary.progress[backups[0]].next
	apart := func(i Index) bool { return r.primary.progress[i].next != next || !r.wants(i) }
	if !slices.ContainsFunc(backups, apart) {
		return backups // the usual case
	}
	return slices.DeleteFunc(slices.Clone(backups), apart)
}

// wants reports whether a Prepare for the backup may be sent now and has a purpose.
func (r *Replica) wants(i Index) bool {
	p := &r.primary.progress[i]
	if !p.loadingSince.IsZero() || p.state == installing || p.probeSent {
		return false
	}
	if p.state == probing {
		return true
	}
	if p.next < r.log.tailFrom() {
		return p.match >= p.loadedTo || p.next <= p.loadedTo // one batch from the disk at a time, unless that batch was lost
	}
	return p.elicitAck || p.next <= r.log.last.Op && r.log.bytesAbove(p.match)-r.log.bytesAbove(p.next-1) < maxInFlight
}

// prepareFor sends the entries from next on to backups with that next. It reports whether entries
// were sent.
func (r *Replica) prepareFor(next OpNumber, group []Index) bool {
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
			r.primary.progress[i].loadingSince = r.now
			r.requestLoad(Load{For: i, From: next, To: r.log.tailFrom() - 1})
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
		p.preparePrev, p.prepareRound = prev.Op, r.primary.round
		p.commitSent, p.elicitAck, p.probeSent = r.commit, false, p.state == probing
	}
}

// requestLoad requests entries from the disk that are not in memory. It is never used for entries
// in memory, which may differ from the disk until their save completes, nor with Volatile.
func (r *Replica) requestLoad(l Load) { r.out.Loads = append(r.out.Loads, l) }

// loaded passes loaded entries to the part that requested them; none if they are gone.
func (r *Replica) loaded(l Load, entries []Entry) {
	switch {
	case l.For == r.self:
		r.deliverLoaded(entries)
	case l.Best != Viewstamp{}:
		r.answerState(l.For, l.View, l.Best, l.From-1, entries)
	case r.isPrimary():
		r.sendLoaded(l, entries)
	}
}

// sendLoaded sends a backup the entries that were loaded for it.
func (r *Replica) sendLoaded(l Load, entries []Entry) {
	p := &r.primary.progress[l.For]
	if p.loadingSince.IsZero() {
		return
	}
	p.loadingSince = time.Time{}
	prev, ok := r.log.stamp(l.From - 1)
	if len(entries) == 0 || !ok {
		r.offer(l.For)
		return
	}
	if p.state != installing && p.next == l.From && r.log.has(entries[len(entries)-1].Stamp()) {
		r.sendPrepare(prev, entries, []Index{l.For})
		p.loadedTo = p.next - 1
	}
}
