package vsr

import (
	"fmt"
	"slices"
	"time"

	"github.com/smr-go/smr/internal/flow"
)

// Sending and receiving snapshots (C2, C3). The shell owns the files; the core decides which chunks
// to request and when to write them.

// ChunkWanted asks the shell to send a chunk of a snapshot if this replica holds it. ChunkRead
// answers it.
type ChunkWanted struct {
	From, To Index // From is this replica
	Via      Index // the receiver: To, or a relay (X6)
	Snapshot SnapshotID
	Chunk    uint32
}

// Message returns the message that answers the request. Data is empty if this replica does not hold
// the snapshot.
func (w ChunkWanted) Message(h Header, data []byte) Message {
	var m Message = &SnapshotChunk{Snapshot: w.Snapshot, Chunk: w.Chunk, Data: data}
	if w.Via != w.To {
		m = &Relay{From: w.From, To: w.To, Sender: h, Message: m}
	}
	return m
}

// FetchStep is a step in receiving a snapshot: begin or resume (answered with ChunksMissing), write
// a chunk (ChunkWritten), or check the complete snapshot (SnapshotReceived).
type FetchStep struct {
	Snapshot Snapshot
	Chunk    uint32
	Data     []byte // if not nil, the data of Chunk, to be written
	Complete bool
}

// transfer is the snapshot that this replica is receiving; the zero value if there is none.
//
//	len(requested) <= chunkWindow, and so is len(requested) + writing when a request is made: a chunk
//	that comes late was taken to be lost, and others were requested in its place
//	completing implies len(missing) + len(requested) + writing == 0
type transfer struct {
	active     bool
	snapshot   Snapshot
	source     Index          // member from which chunks are requested
	begun      bool           // the shell has reported which chunks are missing
	missing    []uint32       // chunks to be requested; first those that have been requested before
	again      int            // how many those are; again <= len(missing)
	requested  []chunkRequest // chunks requested and not received, in the order of their requests
	writing    int            // chunks received and not written
	completing bool           // all chunks are written, and the shell checks the whole
	flow       flow.Flow      // limits the bytes of requested chunks
	progressAt time.Time      // when the latest chunk came
	retryAt    time.Time      // when silence proves that all requests or their answers were lost
	tries      int            // how often it has done so since the latest chunk
}

type chunkRequest struct {
	chunk uint32
	at    time.Time
}

// chunkRead is a chunk that is being read from the disk for another member.
type chunkRead struct {
	ChunkWanted
	since time.Time
}

const (
	maxChunkReads = 64 // chunks read at once
	chunkWindow   = 64 // chunks in flight at once, at most
	chunkTimeout  = 10 // heartbeats of silence that prove a loss, at least
	sourceLapse   = 40 // heartbeats after which a silent source is given up, at least
	repeatOffers  = 4  // heartbeats between two offers
	haveOffer     = 16 // heartbeats by which a request for a chunk puts off the next offer
	retakeAfter   = 20 // heartbeats between the first two attempts to replace a damaged snapshot; twice as many with each further one
	retakeDoubles = 5  // as often at most
	refetchAfter  = 20 // heartbeats from a transfer that failed here to the next; twice as many with each further one
)

// offer offers a snapshot to a backup, because the log no longer has the entries that it needs
// (C1).
func (r *Replica) offer(to Index) {
	p := &r.primary.progress[to]
	if p.state != installing || p.offered.Last.Op < r.log.base.Op {
		if r.snapshot.Last.Op == 0 || r.damaged {
			return
		}
		if p.state == installing && p.offered.Last.Op > 0 {
			p.overruns++ // N9
		}
		p.state, p.offered = installing, r.snapshot
	}
	p.offeredAt = r.now
	r.sendTo(to, &SnapshotOffer{View: r.head.View, First: r.log.base.Op + 1, Snapshot: p.offered})
}

// chunkRead records that the shell has read a chunk, or could not. In the second case the latest snapshot
// is offered in place of one that was offered and is no longer held here.
func (r *Replica) chunkRead(w ChunkWanted, ok bool) {
	r.chunkReads = slices.DeleteFunc(r.chunkReads, func(x chunkRead) bool { return x.ChunkWanted == w })
	if !r.isPrimary() {
		return
	}
	r.resumeDisk()
	p := &r.primary.progress[w.To]
	if !ok && p.state == installing && p.offered.SnapshotID == w.Snapshot && r.snapshot.SnapshotID != w.Snapshot {
		p.offered = r.snapshot
		r.offer(w.To)
	}
}

// snapshotDamaged withdraws the offer of a snapshot that cannot be read (F9). If it is the latest,
// another is requested until there is one.
func (r *Replica) snapshotDamaged(id SnapshotID) {
	for i := range r.primary.progress {
		if p := &r.primary.progress[i]; p.offered.SnapshotID == id {
			p.offered = Snapshot{}
		}
	}
	if r.snapshot.SnapshotID == id {
		r.damaged = true
	}
}

// flushDamaged requests a snapshot in place of a damaged one, and repeats that: the disk may fail
// that snapshot too, and while a backup waits for it no snapshot may ever come due. The wait grows
// as long as the disk fails one after the other.
func (r *Replica) flushDamaged() {
	if !r.damaged || r.now.Before(r.retakeAt) {
		return
	}
	if r.now.Sub(r.retakeAt) > retakeAfter<<retakeDoubles*r.cfg.Heartbeat {
		r.retakes = 0
	}
	r.out.Retake, r.retakeAt = true, r.after(retakeAfter<<r.retakes)
	r.retakes = min(r.retakes+1, retakeDoubles)
}

// setSnapshot makes a durable snapshot the latest.
func (r *Replica) setSnapshot(s Snapshot) { r.snapshot, r.damaged = s, false }

// onSnapshotOffer starts receiving a snapshot, unless the one being received will do as well (C2).
func (r *Replica) onSnapshotOffer(from Index, m *SnapshotOffer) {
	if !r.fromPrimary(from, m.View) {
		return
	}
	t := &r.transfer
	if m.Snapshot.Last.Op <= r.commit {
		r.checked = max(r.checked, r.commit) // committed entries agree with the log of every later primary
		r.ackDue = true
		return
	}
	if t.active && t.snapshot.SnapshotID == m.Snapshot.SnapshotID {
		t.source = from
		return
	}
	usable := t.active && t.snapshot.Last.Op+1 >= m.First
	if usable && (t.completing || t.writing > 0 || r.now.Sub(t.progressAt) < max(sourceLapse*r.cfg.Heartbeat, 4*t.flow.Trip())) {
		return
	}
	if r.now.Before(r.refetchAt) {
		return // the disk has just failed to take one
	}
	*t = transfer{active: true, snapshot: m.Snapshot, source: from, flow: r.newFlow(), progressAt: r.now}
	r.out.Fetch = append(r.out.Fetch, FetchStep{Snapshot: m.Snapshot})
}

// receiving returns the transfer if it is the transfer of that snapshot, and nil otherwise.
func (r *Replica) receiving(id SnapshotID) *transfer {
	if t := &r.transfer; t.active && t.snapshot.SnapshotID == id {
		return t
	}
	return nil
}

// chunksMissing starts requesting the chunks that are missing. An error ends the transfer.
func (r *Replica) chunksMissing(id SnapshotID, missing []uint32, err error) {
	t := r.receiving(id)
	if t == nil {
		return
	}
	if err != nil {
		r.transferFailed()
		return
	}
	t.begun, t.missing, t.progressAt = true, missing, r.now
}

// transferFailed ends a transfer that failed here, for example for want of space. The next one is begun after a wait,
// which doubles as long as none is complete.
func (r *Replica) transferFailed() {
	r.transfer, r.refetchAt = transfer{}, r.after(refetchAfter<<r.refetches)
	r.refetches = min(r.refetches+1, retakeDoubles)
}

// flushTransfer requests chunks, or the check of the complete snapshot. It waits until the view is
// durable: requests would be deferred until then, and again with each timeout.
func (r *Replica) flushTransfer() {
	t := &r.transfer
	if !t.begun || t.completing {
		return
	}
	for len(t.missing) > 0 && len(t.requested)+t.writing < t.window() && r.saves.headSeq <= r.saves.doneSeq {
		if len(t.requested) == 0 {
			r.awaitChunk()
		}
		t.requested = append(t.requested, chunkRequest{t.missing[0], r.now})
		if t.again == 0 {
			t.flow.Sent(uint64(t.missing[0]), r.now)
		}
		t.again = max(t.again-1, 0)
		r.sendTo(t.source, &GetChunk{Snapshot: t.snapshot.SnapshotID, Chunk: t.missing[0]})
		t.missing = t.missing[1:]
	}
	if len(t.missing)+len(t.requested)+t.writing == 0 {
		t.completing = true
		r.out.Fetch = append(r.out.Fetch, FetchStep{Snapshot: t.snapshot, Complete: true})
	}
}

// onGetChunk asks the shell to send a chunk, whichever replica took the snapshot and whichever
// leads (C2). It ignores a request for a chunk that is being read, and one that comes while
// maxChunkReads are: the member asks again.
func (r *Replica) onGetChunk(from Index, m *GetChunk) {
	if r.saves.doneSeq == 0 {
		return // the start number in the header is not durable yet; the chunk will be requested again
	}
	if p := &r.primary.progress[from]; p.state == installing && p.offered.SnapshotID == m.Snapshot {
		p.offeredAt = r.after(haveOffer) // no further offer is needed soon
	}
	w := ChunkWanted{From: r.self, To: from, Via: r.relayTo(from), Snapshot: m.Snapshot, Chunk: m.Chunk}
	pending := slices.ContainsFunc(r.chunkReads, func(x chunkRead) bool { return x.ChunkWanted == w })
	if pending || len(r.chunkReads) >= maxChunkReads {
		return
	}
	r.chunkReads = append(r.chunkReads, chunkRead{w, r.now})
	r.advanced(from)
	r.out.Chunks = append(r.out.Chunks, w)
}

// onSnapshotChunk asks the shell to write a chunk. The transfer ends if the source no longer holds
// the snapshot.
func (r *Replica) onSnapshotChunk(from Index, m *SnapshotChunk) {
	t := r.receiving(m.Snapshot)
	if t == nil || !t.begun || t.completing {
		return
	}
	if len(m.Data) == 0 {
		if from == t.source {
			r.transfer = transfer{}
		}
		return
	}
	if !r.came(m.Chunk) {
		return // a copy
	}
	t.progressAt, t.tries = r.now, 0
	t.flow.Took(int64(len(m.Data)))
	if t.flow.Times(uint64(m.Chunk), uint64(m.Chunk)) {
		t.flow.Answered(r.now, r.cfg.Heartbeat)
	}
	r.awaitChunk()
	t.writing++
	r.out.Fetch = append(r.out.Fetch, FetchStep{Snapshot: t.snapshot, Chunk: m.Chunk, Data: m.Data})
}

// window returns the number of chunks that may be in flight. After silence it is one, which finds out
// whether the source answers again.
func (t *transfer) window() int {
	if t.tries > 0 {
		return 1
	}
	return int(min(max(t.flow.Room()/t.chunkSize(), 2), chunkWindow))
}

// chunkSize returns the average size of a chunk.
func (t *transfer) chunkSize() int64 {
	return max(t.snapshot.Size/int64(max(t.snapshot.Chunks, 1)), 1)
}

// came removes a chunk that has arrived from those that are expected, and reports whether it was one of
// them. A request or its answer is lost if a later request is answered and this one has waited much longer
// than the latest timed one took. Chunks are read in any order, so being overtaken proves nothing by itself.
func (r *Replica) came(chunk uint32) bool {
	t := &r.transfer
	i := slices.IndexFunc(t.requested, func(a chunkRequest) bool { return a.chunk == chunk })
	if i < 0 {
		i = slices.Index(t.missing, chunk) // it was taken to be lost
		if i >= 0 {
			t.missing = slices.Delete(t.missing, i, i+1)
			if i < t.again {
				t.again--
			}
		}
		return i >= 0
	}
	limit := t.requested[i].at
	if old := r.now.Add(-2*t.flow.Trip() - repeatOffers*r.cfg.Heartbeat); old.Before(limit) {
		limit = old
	}
	t.requested = slices.Delete(t.requested, i, i+1)
	t.giveUp(func(a chunkRequest) bool { return a.at.Before(limit) })
	return true
}

// giveUp schedules the lost requests to be made again, before any others.
func (t *transfer) giveUp(lost func(a chunkRequest) bool) {
	var again []uint32
	for _, a := range t.requested {
		if lost(a) {
			again = append(again, a.chunk)
			if t.flow.Times(uint64(a.chunk), uint64(a.chunk)) {
				t.flow.Lost()
			}
		}
	}
	if len(again) > 0 {
		t.requested = slices.DeleteFunc(t.requested, lost)
		t.missing = append(again, t.missing...)
		t.again += len(again)
	}
}

// awaitChunk sets the time at which silence proves a loss.
func (r *Replica) awaitChunk() {
	t := &r.transfer
	inFlight := t.chunkSize() * int64(max(len(t.requested), 1))
	t.retryAt = r.now.Add(t.flow.Patience(chunkTimeout*r.cfg.Heartbeat, r.cfg.Heartbeat, t.tries, inFlight))
}

// chunkWritten requests a chunk again if it was not written.
func (r *Replica) chunkWritten(id SnapshotID, chunk uint32, ok bool) {
	t := r.receiving(id)
	if t == nil {
		return
	}
	t.writing = max(t.writing-1, 0)
	if !ok {
		t.missing = append(t.missing, chunk)
	}
}

// tickTransfer takes all requests for lost if nothing has come for too long. A silent source is
// replaced when another snapshot is offered.
func (r *Replica) tickTransfer() {
	t := &r.transfer
	if t.retryAt.IsZero() || r.now.Before(t.retryAt) {
		return
	}
	t.retryAt = time.Time{}
	if len(t.requested) > 0 {
		t.tries++
		t.giveUp(func(chunkRequest) bool { return true })
	}
}

// snapshotReceived installs a snapshot that is complete, checked and durable (C3), or ends the
// transfer after an error. Clock is the Time of the last operation in the snapshot.
func (r *Replica) snapshotReceived(s Snapshot, clock int64, err error) {
	switch awaited := r.receiving(s.SnapshotID) != nil; {
	case awaited && err != nil:
		r.transferFailed()
	case awaited:
		r.transfer, r.refetches, r.refetchAt = transfer{}, 0, time.Time{}
	}
	if err != nil || s.Last.Op <= max(r.commit, r.snapshot.Last.Op) || s.Group != r.head.Group {
		return
	}
	if v := s.Last.View; v > r.head.View && r.members.prim(v) == r.self {
		r.out.Err = fmt.Errorf("a snapshot ends in view %d, which this replica led, but its disk has view %d: the disk has lost durable data", v, r.head.View)
		return
	}
	if s.Last.View > r.head.View { // this replica has now entered the view in which the snapshot ends (C3)
		r.follow(s.Last.View)
	}
	r.setSnapshot(s)
	r.setMembers(s.Members)
	r.installLog(s.Last)
	r.log.clock = max(r.log.clock, clock)
	if r.commit = s.Last.Op; r.commit > r.delivered { // otherwise the state is newer, and the log was taken back (F13)
		r.applyingFrom(r.delivered)
		r.delivered = s.Last.Op
		r.applying.loadingSince, r.out.Apply = time.Time{}, nil
		r.out.Restore = &r.snapshot
	}
	if r.status == changingView && !r.viewChange.barred {
		r.describeAgain()
	}
	r.checked = max(r.checked, r.commit)
	r.ackDue = r.status == normal && !r.isPrimary()
	r.compactDue = true
}

// installLog keeps the log above the snapshot if the two agree there, and otherwise resets it (C3).
func (r *Replica) installLog(last Viewstamp) {
	if last.Op < r.log.base.Op || r.log.has(last) {
		return
	}
	r.resetLog(last)
}

// snapshotTaken makes a snapshot of this replica's own state the latest (C4).
func (r *Replica) snapshotTaken(s Snapshot) {
	if s.Last.Op > r.snapshot.Last.Op || r.damaged && s.Last.Op == r.snapshot.Last.Op {
		r.setSnapshot(s)
		r.compactDue = true
		r.skipTo(s.Last)
	}
}

// skipTo begins the log after a snapshot of this replica's own state, if the log was taken back below it
// (F13).
func (r *Replica) skipTo(last Viewstamp) {
	if last.Op <= r.log.last.Op {
		return
	}
	r.installLog(last)
	r.commit = last.Op
	if r.status == changingView && !r.viewChange.barred {
		r.describeAgain()
	}
}
