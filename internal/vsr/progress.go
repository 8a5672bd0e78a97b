package vsr

import (
	"slices"
	"time"

	"github.com/smr-go/smr/internal/flow"
)

// sending is the way in which the primary sends its log to one backup (C1).
type sending uint8

const (
	probing    sending = iota // the end of the common log is unknown: one Prepare at a time
	streaming                 // Prepares are sent without waiting, as many as its flow has room for
	installing                // the log no longer has the entries that the backup needs: it receives a snapshot
)

// Limits of the entries in one message, in bytes. In between, a message takes a part of the flow's room, so that
// acknowledgements come steadily.
const (
	minBatch = 4 << 10
	MaxBatch = 1 << 20 // of requests too; only a message of one may be larger
)

// MaxInFlight is the most that is in flight to a member, in bytes, or Config.Window if that is less. One message may
// exceed it.
const MaxInFlight = flow.MaxWindow

// newFlow returns a flow whose window is at most as large as the primary's (N1), because this replica may keep in memory
// everything that is in flight: messages in a queue, with entries that the log has already dropped from memory.
func (r *Replica) newFlow() flow.Flow { return flow.New(r.cfg.Window) }

// progress is what this view's primary knows of one backup. All fields are reset when the view
// begins. Last is the last op of the primary's log. For the primary itself only match is used,
// which is then saves.durable.
type progress struct {
	state sending

	// match is the highest op acknowledged in this view: up to it the backup's log is durable and
	// agrees with the primary's. It never falls, unless the backup turns out to have lost its memory
	// (S6). match <= last.
	match OpNumber
	// matchStart is the start number of the process that acknowledged match.
	matchStart uint64
	// next is the op that the next Prepare begins with. match < next <= last+1.
	next OpNumber

	// probeSent pauses the sending until the probing Prepare is answered, or is lost.
	// probeSent implies state == probing.
	probeSent bool
	// preparePrev is the op that the latest Prepare followed. preparePrev <= last.
	preparePrev OpNumber

	// loadingSince is when entries for the backup were requested from the disk; zero if none are.
	// No Prepare is sent until they arrive.
	loadingSince time.Time

	// inFlight are the Prepares with entries above match, and inFlightBytes the bytes of those
	// entries. The last ops rise. A probe empties it: earlier Prepares may be lost.
	inFlight      []sentEntries
	inFlightBytes int64
	flow          flow.Flow // limits inFlightBytes
	// seenCount is how many of inFlight end at or below seen, and seenBytes are their bytes. They wait for the
	// backup's disk. savedAt is when match rose, or when the first entries in flight were sent.
	seenCount int
	seenBytes int64
	savedAt   time.Time
	// sentTo is the highest op sent. sentTo <= last.
	sentTo OpNumber

	// answeredRound is the highest round of heartbeats answered (N6). answeredRound <= primary.round.
	answeredRound Round
	// answeredAt is when the backup's latest answer came, and requestedAt when its latest Request or
	// ReadRound of this view did.
	answeredAt  time.Time
	requestedAt time.Time
	// seen is the highest op that the backup has reported as checked, in a PrepareOK or an answer to
	// a heartbeat. match <= seen <= last.
	seen OpNumber
	// progressAt is when match or seen rose, or when the backup was sent something after all before
	// was answered. tries counts how often the primary has taken silence for a loss since a Prepare
	// was answered that was sent once.
	progressAt time.Time
	tries      int
	// dropped reports that Prepares with entries were dropped before they had left, since the latest probe (C5).
	dropped bool
	// elicitAck makes the next Prepare elicit an acknowledgement that was lost, even if the Prepare
	// is empty.
	elicitAck bool

	// applied is the last op that the backup's state machine has applied, full reports that its disk
	// has no space, and problem is its own, as of its latest answer to a heartbeat.
	applied OpNumber
	full    bool
	problem string
	// matching and applying are how late match and applied follow the commit number.
	matching lag
	applying lag

	// commitSent is the commit number sent last. commitSent <= commit.
	commitSent OpNumber
	// forwarded is the highest op of a request that this backup forwarded. Callers wait until the
	// backup learns that it is committed. forwarded <= last.
	forwarded OpNumber

	// offered is the snapshot offered to the backup in this view, and offeredAt the time of the
	// latest offer; zero if none was made. overruns counts how often the log was compacted past it
	// (N9).
	offered   Snapshot
	offeredAt time.Time
	overruns  int
}

// sentEntries are the entries of a Prepare: their last op and their bytes.
type sentEntries struct {
	last  OpNumber
	bytes int64
}

// probe restarts the search for where the logs agree, from next on.
func (p *progress) probe(next OpNumber) {
	p.state, p.next, p.probeSent = probing, max(next, p.match+1), false
	p.dropped = false
	p.seen = max(min(p.seen, p.next-1), p.match)
	p.inFlight, p.inFlightBytes, p.seenCount, p.seenBytes = p.inFlight[:0], 0, 0, 0
	p.flow.Lost()
}

// narrow reports whether the backup receives bulk over a link that may carry little.
func (p progress) narrow() bool {
	return p.state == installing || p.inFlightBytes >= minBatch && p.flow.Rate() > 0 && p.flow.Rate() < narrowLink
}

// restarted starts timing with the next Prepare: no earlier one is on its way any more.
func (p *progress) restarted() { p.sentTo, p.tries = p.next-1, 0 }

// reported records that the backup has checked the log up to op.
func (p *progress) reported(op OpNumber, now time.Time) {
	if op > p.seen {
		p.seen, p.progressAt = op, now
		p.countSeen()
	}
}

// countSeen counts the entries in flight that the backup has checked.
func (p *progress) countSeen() {
	for p.seenCount < len(p.inFlight) && p.inFlight[p.seenCount].last <= p.seen {
		p.seenBytes += p.inFlight[p.seenCount].bytes
		p.seenCount++
	}
}

// asked records that a member has sent a Request or a ReadRound of this view, and which op it has checked. One that can
// answer nothing says so in no other way (D3). Once it has checked all that was sent, it is sent more.
func (r *Replica) asked(from Index, op OpNumber) {
	p := &r.primary.progress[from]
	p.requestedAt = r.now
	p.reported(min(op, r.log.last.Op), r.now)
	if p.probeSent && p.seen >= p.next-1 && r.cannotAnswer(p) {
		p.probe(p.seen + 1)
	}
}

// taken takes the Prepares that end at or below match out of flight.
func (p *progress) taken(now time.Time, heartbeat time.Duration) {
	n := 0
	for n < len(p.inFlight) && p.inFlight[n].last <= p.match {
		p.inFlightBytes -= p.inFlight[n].bytes
		p.flow.Took(p.inFlight[n].bytes)
		if n < p.seenCount {
			p.seenBytes -= p.inFlight[n].bytes
		}
		n++
	}
	p.seenCount = max(p.seenCount-n, 0)
	p.inFlight = slices.Delete(p.inFlight, 0, n)
	if p.flow.Times(0, uint64(p.match)) {
		p.flow.Answered(now, heartbeat)
		p.tries = 0
	}
}

// acknowledged records an acknowledgement up to op by the process with that start number.
func (p *progress) acknowledged(op OpNumber, start uint64, now time.Time, heartbeat time.Duration) {
	if op > p.match {
		p.progressAt, p.savedAt = now, now
	}
	if op >= p.match {
		p.match, p.matchStart = op, start
	}
	p.seen = max(p.seen, p.match)
	p.taken(now, heartbeat)
	p.countSeen()
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
		r.elicit(from)
		for r.wants(from) && r.prepareFor(r.primary.progress[from].next, r.together(r.others[i:])) {
		}
	}
}

// elicit elicits an acknowledgement that was lost, if no entries may be sent that would elicit it
// (N6).
func (r *Replica) elicit(to Index) {
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

// together returns the backups that want the same Prepare as the first of them.
func (r *Replica) together(backups []Index) []Index {
	first := &r.primary.progress[backups[0]]
	apart := func(i Index) bool {
		p := &r.primary.progress[i]
		return p.next != first.next || p.full != first.full || !r.wants(i)
	}
	if !slices.ContainsFunc(backups, apart) {
		return backups // the usual case
	}
	return slices.DeleteFunc(slices.Clone(backups), apart)
}

// wants reports whether a Prepare for the backup may be sent now and has a purpose.
func (r *Replica) wants(i Index) bool {
	p := &r.primary.progress[i]
	if !p.loadingSince.IsZero() || p.state == installing || p.probeSent || r.memories.lost[i] {
		return false
	}
	if p.state != probing && p.full && r.needsSpace(p.next) {
		return false
	}
	return p.state == probing || p.next <= r.log.last.Op && (p.inFlightBytes < p.flow.Room() || r.outruns(p))
}

// outruns reports whether a backup is sent entries although as many as its flow allows are not durable there: it has
// saved nothing for a while, but has checked what was sent. Its disk hangs, and its callers wait for entries (D3).
func (r *Replica) outruns(p *progress) bool {
	return p.seenCount > 0 && r.now.Sub(p.savedAt) > voteExpiry*r.cfg.Heartbeat &&
		p.inFlightBytes-p.seenBytes < p.flow.Room() && p.inFlightBytes < r.cfg.Window
}

// batch returns the bytes of entries for one message to these backups.
func (r *Replica) batch(group []Index) int64 {
	bytes := int64(MaxBatch)
	for _, i := range group {
		if p := &r.primary.progress[i]; !r.cannotAnswer(p) {
			bytes = min(bytes, max(p.flow.Room()/4, minBatch))
		}
	}
	return bytes
}

// cannotAnswer reports whether a backup is in this view and answers nothing: its view is not durable,
// because its disk hangs (D3). Its callers wait for the entries, so a Prepare that it cannot acknowledge
// is repeated, with as many entries as fit into a message.
func (r *Replica) cannotAnswer(p *progress) bool {
	lately := voteExpiry * r.cfg.Heartbeat
	return r.now.Sub(p.requestedAt) <= lately && r.now.Sub(p.answeredAt) > lately
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
	if r.primary.progress[group[0]].full && r.needsSpace(next) {
		r.sendPrepare(prev, nil, group) // F13: it finds where the log stands
		return false
	}
	entries := r.log.entries(next, r.log.last.Op, r.batch(group))
	if entries == nil && next <= r.log.last.Op {
		for _, i := range group {
			r.primary.progress[i].loadingSince = r.now
			r.requestLoad(Load{For: i, From: next, To: r.log.tailFrom() - 1, Bytes: r.batch(group)})
		}
		return false
	}
	r.sendPrepare(prev, entries, group)
	return len(entries) > 0
}

func (r *Replica) sendPrepare(prev Viewstamp, entries []Entry, to []Index) {
	r.send(&Prepare{View: r.head.View, Prev: prev, Commit: r.commit, Entries: entries}, to...)
	bytes := int64(0)
	for i := range entries {
		bytes += entries[i].size()
	}
	for _, i := range to {
		p := &r.primary.progress[i]
		p.next, p.preparePrev = prev.Op+OpNumber(len(entries))+1, prev.Op
		p.commitSent, p.elicitAck, p.probeSent = r.commit, false, p.state == probing
		if len(p.inFlight) == 0 {
			p.progressAt, p.savedAt = r.now, r.now
		}
		if len(entries) > 0 {
			p.inFlight = append(p.inFlight, sentEntries{p.next - 1, bytes})
			p.inFlightBytes += bytes
			if prev.Op >= p.sentTo {
				p.flow.Sent(uint64(p.next-1), r.now)
			}
			p.sentTo = max(p.sentTo, p.next-1)
		}
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
	}
}
