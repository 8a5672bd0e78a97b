package vsr

import (
	"slices"
	"time"
)

// primary is what a replica knows while it leads its view.
type primary struct {
	progress    []progress    // by member
	opening     OpNumber      // op of the view's opening entry; 0 while the group is not confirmed. opening <= log.last.Op
	round       Round         // of the latest heartbeat
	heartbeatAt time.Time     // when the next one is due
	interval    time.Duration // between the two; it grows while the log ends at idleOp
	idleOp      OpNumber
	movedAt     time.Time // when the commit number last rose, or came closer to rising, or nothing was outstanding
	resigned    reason    // why it gives up its role; serving if it does not
	refuses     bool      // requests, because too few members have space (F13)
	handover    handover
}

// lead makes this replica, which holds the best log, the primary of its view (V7).
func (r *Replica) lead() {
	p := &r.primary
	r.status = normal
	*p = primary{progress: make([]progress, r.n), heartbeatAt: r.now, movedAt: r.now}
	next := r.log.last.Op + 1
	if !r.confirmed() {
		next = 1 // some members may not hold op 1 (S2)
	}
	for i := range p.progress {
		p.progress[i].flow = r.newFlow()
		p.progress[i].probe(next)
		p.progress[i].answeredAt = r.now
	}
	for i, d := range r.viewChange.logs {
		p.progress[i].full = d != nil && d.Full
	}
	p.progress[r.self].match, p.progress[r.self].matchStart = r.saves.durable, r.head.Start
	r.health.reports = nil // the former primary's
	r.endViewChange()
	if r.confirmed() {
		r.appendOpening()
	}
	r.retryRequests()
	r.updateSpace()
	r.advanceCommit()
}

// appendOpening appends the opening entry. Once it is committed, so are all entries before it (V7).
func (r *Replica) appendOpening() {
	r.appendNew(Entry{Kind: Opening})
	r.primary.opening = r.log.last.Op
}

// newEntry returns e with the next op number, this view, and a time that never decreases (N2).
func (r *Replica) newEntry(e Entry) Entry {
	e.Op, e.View, e.Epoch = r.log.last.Op+1, r.head.View, r.head.Epoch
	e.Time = max(r.now.UnixNano(), r.log.clock)
	return e
}

// appendNew appends a new entry of this replica's own.
func (r *Replica) appendNew(e Entry) { r.appendOwn(r.newEntry(e)) }

// appendOwn appends an entry that this replica has made. It stops before it saves one that all
// members would refuse (N3).
func (r *Replica) appendOwn(e Entry) {
	if err := e.Check(); err != nil {
		r.out.Err = err
		return
	}
	r.appendLog(&e)
}

// accepts reports whether this replica is a primary that accepts requests.
func (r *Replica) accepts() bool {
	return r.isPrimary() && r.primary.resigned == serving && !r.handingOver() &&
		r.primary.opening > 0 && !r.full && !r.primary.refuses
}

// maxWindow limits the number of entries in the window (N1).
const maxWindow = 1 << 16

// room reports whether the window has room for another entry (N1). Committed entries that wait to be
// applied count too, and so do entries that are not durable here, so that neither a slow state machine
// nor a slow disk fills the memory.
func (r *Replica) room() bool {
	window := r.cfg.Window
	if r.overrun() {
		window /= 8 // N9: the log was compacted twice past the snapshot that a replica is receiving
	}
	from := min(r.applied, r.saves.durable)
	return r.log.last.Op-from < maxWindow && r.log.bytesAbove(from) < window
}

func (r *Replica) overrun() bool {
	return slices.ContainsFunc(r.primary.progress, func(p progress) bool {
		return p.state == installing && p.overruns >= 2 && r.now.Sub(p.answeredAt) <= r.cfg.Abdication
	})
}

// ackOwn counts the entries that this primary has made durable itself (N4).
func (r *Replica) ackOwn() {
	r.primary.progress[r.self].match = r.saves.durable
	r.advanceCommit()
}

// onPrepareOK counts a backup's acknowledgement if it belongs to this view (N4).
func (r *Replica) onPrepareOK(from Index, h Header, m *PrepareOK) {
	if !r.isPrimary() || m.View != r.head.View || m.Op > r.log.last.Op {
		return
	}
	if m.Op > r.primary.progress[from].match {
		r.advanced(from)
	}
	r.primary.progress[from].acknowledged(m.Op, h.Start, r.now, r.cfg.Heartbeat)
	r.answered(from)
	r.advanceCommit()
}

// onGap finds where a backup's log stands (N3), or that there is a higher view (V4).
func (r *Replica) onGap(from Index, m *Gap) {
	if m.View > r.head.View {
		r.enter(m.View)
		return
	}
	if !r.isPrimary() || m.View != r.head.View {
		return
	}
	r.answered(from)
	p := &r.primary.progress[from]
	late := m.Last.Op < p.match // the backup has acknowledged more since
	if p.state == installing || m.Prev != p.preparePrev && p.state == probing || !p.loadingSince.IsZero() {
		return // answers an earlier Prepare
	}
	if late && (m.Prev < p.match || p.state == probing) {
		return // answers an earlier Prepare, or denies what the backup has acknowledged (S6)
	}
	if late { // the rejected Prepare had overtaken the one that is acknowledged now, and its entries are still missing
		p.probe(p.match + 1)
		return
	}
	p.probe(r.log.agree(m.Last) + 1)
}

// advanceCommit commits the entries of this view that are durable at Qr voters (N4), and op 1 once
// it is durable at all of them (S2).
func (r *Replica) advanceCommit() {
	if !r.isPrimary() {
		return
	}
	var place [MaxVoters]OpNumber
	match := place[:0]
	for i := range r.primary.progress {
		match = append(match, r.primary.progress[i].match)
	}
	slices.Sort(match)
	if r.primary.opening == 0 {
		if match[0] >= 1 { // S2: at every member, in one view
			r.groupConfirmed()
		}
		return
	}
	op := match[len(match)-r.members.Qr]
	if stamp, ok := r.log.stamp(op); ok && op > r.commit && stamp.Epoch == r.head.Epoch && stamp.View == r.head.View {
		r.commit = op
		r.primary.movedAt = r.now
		r.resumeAfter(stalled)
		r.hurryHeartbeat()
	}
}

// groupConfirmed commits op 1, which every member holds. In view 0 op 1 is the opening entry.
func (r *Replica) groupConfirmed() {
	r.commit = 1
	if stamp, _ := r.log.stamp(1); stamp.View == r.head.View {
		r.primary.opening = 1
		r.hurryHeartbeat()
		return
	}
	r.appendOpening()
}

// flushPrimary sends the messages that the primary's turn calls for.
func (r *Replica) flushPrimary() {
	if r.primary.resigned == serving {
		r.sendEntries()
		r.startRounds()
		if r.heartbeatDue() {
			r.heartbeat()
		}
	}
	r.tryHandover()
}

// primaryDeadline returns when the primary's next timeout expires.
func (r *Replica) primaryDeadline() time.Time {
	if !r.isPrimary() || r.primary.resigned != serving {
		return time.Time{}
	}
	return earlier(earlier(r.primary.heartbeatAt, r.diskDeadline()), r.handoverDeadline())
}
