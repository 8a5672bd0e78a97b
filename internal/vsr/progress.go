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

// progress is what this view's primary knows of one backup. All fields begin anew with the view. Last
// is the end of the primary's log. Of the primary itself only match is used: it is what its own disk
// has (saves.durable).
type progress struct {
	state sending

	// match is the highest op acknowledged in this view: the backup's log agrees with the primary's up
	// to there, durably. It never falls. match <= last.
	match OpNumber
	// next is the op that the next Prepare begins with. match < next <= last+1.
	next OpNumber

	// probeSent pauses the sending until the Prepare that probes is answered or, as is found at a
	// heartbeat, lost. probeSent implies state == probing.
	probeSent bool
	// preparePrev is the op that the latest Prepare followed, and prepareRound the primary's round when
	// it was sent. preparePrev <= last, prepareRound <= primary.round.
	preparePrev  OpNumber
	prepareRound Round

	// loadingSince is when entries for the backup were requested from the disk; zero if none are.
	// Until they come nothing is sent.
	loadingSince time.Time
	// loadedTo is the last op of the latest batch from the disk. The next batch waits until match or a
	// new probe shows what became of it. loadedTo <= last.
	loadedTo OpNumber

	// answeredRound is the highest round of heartbeats answered (N6). answeredRound <= primary.round.
	answeredRound Round
	// answeredAt is when the backup last answered anything.
	answeredAt time.Time
	// sentAtHeartbeat is next-1 at the latest heartbeat: what the backup lacks of it when it answers
	// that heartbeat was lost. sentAtHeartbeat <= last.
	sentAtHeartbeat OpNumber
	// matchAtAnswer is match at the previous answer to a heartbeat: if match stands still between two
	// answers, an acknowledgement was lost. matchAtAnswer <= match.
	matchAtAnswer OpNumber
	// elicitAck asks for that acknowledgement with the next Prepare, empty if need be.
	elicitAck bool

	// commitSent is the commit number sent last. commitSent <= commit.
	commitSent OpNumber
	// forwarded is the highest op that stands for a request which this backup forwarded; its callers
	// wait until the backup knows that it is committed. forwarded <= last.
	forwarded OpNumber

	// offered is the snapshot that the backup is told to install; zero unless one was offered in this
	// view. overruns counts how often the log was compacted past it (N9).
	offered  Snapshot
	overruns int
}

// probe begins anew to find where the backup stands, from next on.
func (p *progress) probe(next OpNumber) {
	p.state, p.next, p.probeSent = probing, max(next, p.match+1), false
}

// acknowledged takes an acknowledgement up to op.
func (p *progress) acknowledged(op OpNumber) {
	p.match = max(p.match, op)
	p.next = max(p.next, p.match+1)
	p.probeSent = false
	if p.state == installing && p.match < p.offered.Last.Op {
		return
	}
	p.state, p.overruns = streaming, 0
}

// sendEntries sends to every backup what it lacks and may be sent now. Backups that stand at the same
// place share one message (N2).
func (r *Replica) sendEntries() {
	for i, from := range r.others {
		r.elicitBatch(from)
		for r.wants(from) && r.prepareFor(r.primary.progress[from].next, r.together(r.others[i:])) {
		}
	}
}

// elicitBatch asks for the acknowledgement of a batch that came from the disk, which the next one
// waits for: it may have been lost, and memory has nothing to send (N6).
func (r *Replica) elicitBatch(to Index) {
	p := &r.primary.progress[to]
	if !p.elicitAck || p.state != streaming || !p.loadingSince.IsZero() || r.wants(to) {
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
	if !p.loadingSince.IsZero() || p.state == installing || p.probeSent {
		return false
	}
	if p.state == probing {
		return true
	}
	if p.next < r.log.tailFrom() {
		return p.match >= p.loadedTo || p.next <= p.loadedTo // one batch from the disk at a time; or it was lost
	}
	return p.elicitAck || p.next <= r.log.last.Op && r.log.bytesAbove(p.match)-r.log.bytesAbove(p.next-1) < maxInFlight
}

// prepareFor sends the entries from next on to a group of backups that all stand there. It reports
// whether entries were sent.
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

// requestLoad asks the shell for entries that are not in memory: with Volatile all of them are. Those that
// are may stand differently on the disk still.
func (r *Replica) requestLoad(l Load) { r.out.Loads = append(r.out.Loads, l) }

// loaded gives loaded entries to the part that asked for them; no entries if they are gone.
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

// sendLoaded sends a backup the older entries that it waited for.
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
