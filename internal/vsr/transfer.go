package vsr

import (
	"fmt"
	"time"
)

// Sending and receiving snapshots (C2, C3). The shell owns the files; the core decides which chunks
// to request and when to write them.

// ChunkWanted asks the shell to send a chunk of a snapshot if this replica holds it.
type ChunkWanted struct {
	To       Index
	Snapshot SnapshotID
	Chunk    uint32
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
//	len(requested) + writing <= chunkWindow
//	completing implies len(missing) + len(requested) + writing == 0
type transfer struct {
	active     bool
	snapshot   Snapshot
	source     Index          // member from which chunks are requested
	begun      bool           // the shell has reported which chunks are missing
	missing    []uint32       // chunks to be requested
	requested  []chunkRequest // chunks requested and not received
	writing    int            // chunks received and not written
	completing bool           // all chunks are written, and the shell checks the whole
	retryAt    time.Time      // when overdue requests are looked for
	progressAt time.Time      // when the latest chunk came
}

type chunkRequest struct {
	chunk   uint32
	retryAt time.Time
}

const (
	chunkWindow  = 8  // chunks in flight at once
	chunkTimeout = 10 // heartbeats after which a chunk is requested again
	sourceLapse  = 40 // heartbeats after which a silent source is given up
	retakeEvery  = 20 // heartbeats between attempts to replace a damaged snapshot
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
	r.sendTo(to, &SnapshotOffer{View: r.head.View, First: r.log.base.Op + 1, Snapshot: p.offered})
}

// snapshotUnavailable offers the latest snapshot in place of one that was offered and is no longer
// held here.
func (r *Replica) snapshotUnavailable(to Index, id SnapshotID) {
	if !r.isPrimary() {
		return
	}
	p := &r.primary.progress[to]
	if p.state == installing && p.offered.SnapshotID == id && r.snapshot.SnapshotID != id {
		p.offered = r.snapshot
		r.offer(to)
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
	if !r.damaged && r.snapshot.SnapshotID == id {
		r.damaged, r.retakeAt = true, r.now
	}
}

// flushDamaged requests a snapshot in place of a damaged one, and repeats that: the disk may fail
// that snapshot too, and while a backup waits for it no snapshot may ever come due.
func (r *Replica) flushDamaged() {
	if r.damaged && !r.now.Before(r.retakeAt) {
		r.out.Retake, r.retakeAt = true, r.after(retakeEvery)
	}
}

// setSnapshot makes a durable snapshot the latest.
func (r *Replica) setSnapshot(s Snapshot) { r.snapshot, r.damaged, r.retakeAt = s, false, time.Time{} }

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
	if usable && (t.completing || t.writing > 0 || r.now.Sub(t.progressAt) < sourceLapse*r.cfg.Heartbeat) {
		return
	}
	*t = transfer{active: true, snapshot: m.Snapshot, source: from, progressAt: r.now, retryAt: r.after(chunkTimeout)}
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
		r.transfer = transfer{}
		return
	}
	t.begun, t.missing, t.progressAt = true, missing, r.now
}

// flushTransfer requests chunks, or the check of the complete snapshot. It waits until the view is
// durable: requests would be deferred until then, and again with each timeout.
func (r *Replica) flushTransfer() {
	t := &r.transfer
	if !t.begun || t.completing {
		return
	}
	for len(t.missing) > 0 && len(t.requested)+t.writing < chunkWindow && r.saves.headSeq <= r.saves.doneSeq {
		t.requested = append(t.requested, chunkRequest{t.missing[0], r.after(chunkTimeout)})
		r.sendTo(t.source, &GetChunk{Snapshot: t.snapshot.SnapshotID, Chunk: t.missing[0]})
		t.missing = t.missing[1:]
	}
	if len(t.missing)+len(t.requested)+t.writing == 0 {
		t.completing = true
		r.out.Fetch = append(r.out.Fetch, FetchStep{Snapshot: t.snapshot, Complete: true})
	}
}

// onGetChunk asks the shell to send a chunk, regardless of who took the snapshot and who leads
// (C2).
func (r *Replica) onGetChunk(from Index, m *GetChunk) {
	if r.saves.doneSeq == 0 {
		return // the start number in the header is not durable yet; the chunk will be requested again
	}
	r.out.Chunks = append(r.out.Chunks, ChunkWanted{from, m.Snapshot, m.Chunk})
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
	for i, a := range t.requested {
		if a.chunk == m.Chunk {
			t.requested = append(t.requested[:i], t.requested[i+1:]...)
			t.writing++
			t.progressAt = r.now
			r.out.Fetch = append(r.out.Fetch, FetchStep{Snapshot: t.snapshot, Chunk: m.Chunk, Data: m.Data})
			return
		}
	}
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

// tickTransfer schedules overdue chunks to be requested again. A silent source is replaced when
// another snapshot is offered.
func (r *Replica) tickTransfer() {
	t := &r.transfer
	if !t.active || r.now.Before(t.retryAt) {
		return
	}
	t.retryAt = r.after(chunkTimeout)
	kept := t.requested[:0]
	for _, a := range t.requested {
		if r.now.Before(a.retryAt) {
			kept = append(kept, a)
		} else {
			t.missing = append(t.missing, a.chunk)
		}
	}
	t.requested = kept
}

// snapshotReceived installs a snapshot that is complete, checked and durable (C3), or ends the
// transfer after an error. Clock is the Time of the last operation in the snapshot.
func (r *Replica) snapshotReceived(s Snapshot, clock int64, err error) {
	if r.receiving(s.SnapshotID) != nil {
		r.transfer = transfer{}
	}
	if err != nil || s.Last.Op <= r.commit || r.head.Group == (GroupID{}) {
		return
	}
	if v := s.Last.View; v > r.head.View && r.members.prim(v) == r.self {
		r.out.Err = fmt.Errorf("a snapshot ends in view %d, which this replica led, but its disk has view %d: the disk has lost durable data", v, r.head.View)
		return
	}
	r.setSnapshot(s)
	r.setMembers(s.Members)
	r.installLog(s.Last)
	r.log.clock = max(r.log.clock, clock)
	r.commit, r.delivered = s.Last.Op, s.Last.Op
	r.applying.loadingSince, r.out.Apply = time.Time{}, nil
	r.out.Restore = &r.snapshot
	if s.Last.View > r.head.View { // this replica has now entered the view in which the snapshot ends (C3)
		r.follow(s.Last.View)
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
	}
}
