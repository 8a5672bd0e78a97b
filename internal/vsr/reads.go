package vsr

import (
	"slices"
	"time"
)

// ReadReady reports that a linearizable read may run once Op is applied (R1).
type ReadReady struct {
	Read uint64
	Op   OpNumber
}

// reader is a pending read: of a caller here, or of a member that asks on behalf of its callers.
type reader struct {
	from  Index
	start uint64
	read  uint64
}

// readBatch is a group of reads that one round confirms.
type readBatch struct {
	round   Round
	op      OpNumber // the commit number when the round began
	readers []reader
}

// reads confirms linearizable reads: at the primary with a round of heartbeats, elsewhere by asking
// the primary (R1).
type reads struct {
	lastRead uint64      // number of the latest read
	waiting  []reader    // readers that are in no round yet
	rounds   []readBatch // begun at this primary and not confirmed; round rises, round <= primary.round, op <= commit
	spare    []reader    // memory of the latest batch that was confirmed, for readers that wait

	// A backup sends the primary one ReadRound at a time, for all reads that were waiting then.
	// These fields are empty at the primary.
	inquirers []reader
	inquiry   uint64    // number of the latest ReadRound
	retryAt   time.Time // when it is resent; zero unless there are inquirers
}

// read begins a linearizable read and returns its number.
func (r *Replica) read() uint64 {
	r.reads.lastRead++
	r.reads.waiting = append(r.reads.waiting, reader{from: r.self, read: r.reads.lastRead})
	return r.reads.lastRead
}

// forgetRead drops a read.
func (r *Replica) forgetRead(number uint64) {
	drop := func(all []reader) []reader {
		return slices.DeleteFunc(all, func(x reader) bool { return x.from == r.self && x.read == number })
	}
	w := &r.reads
	w.waiting = drop(w.waiting)
	for i := range w.rounds {
		w.rounds[i].readers = drop(w.rounds[i].readers)
	}
	if w.inquirers = drop(w.inquirers); len(w.inquirers) == 0 {
		w.retryAt = time.Time{}
	}
}

// own returns how many of the reads belong to this replica's callers.
func (w *reads) own(self Index) (n int) {
	count := func(all []reader) {
		for _, x := range all {
			if x.from == self {
				n++
			}
		}
	}
	count(w.waiting)
	count(w.inquirers)
	for _, b := range w.rounds {
		count(b.readers)
	}
	return n
}

// onReadRound accepts another member's ReadRound (R1), unless it repeats one that waits here. It takes
// the place of an earlier one. A primary that gives up its role begins no round.
func (r *Replica) onReadRound(from Index, h Header, m *ReadRound) {
	w, x := &r.reads, reader{from, h.Start, m.Read}
	waits := slices.Contains(w.waiting, x) || slices.ContainsFunc(w.rounds, func(b readBatch) bool { return slices.Contains(b.readers, x) })
	if r.isPrimary() && m.View == r.head.View {
		r.asked(from, m.Op)
	}
	if !r.isPrimary() || m.View != r.head.View || r.primary.resigned != serving || waits {
		return
	}
	earlier := func(y reader) bool { return y.from == from }
	w.waiting = append(slices.DeleteFunc(w.waiting, earlier), x)
	for i := range w.rounds {
		w.rounds[i].readers = slices.DeleteFunc(w.rounds[i].readers, earlier)
	}
	w.rounds = slices.DeleteFunc(w.rounds, func(b readBatch) bool { return len(b.readers) == 0 })
}

// startRounds begins a round for all waiting reads, once this view's opening entry is committed. While a round is under
// way they wait until it is confirmed or the next heartbeat is due, so that one round serves many. The heartbeat comes soon,
// because the answers may take long, or be lost.
func (r *Replica) startRounds() {
	w := &r.reads
	if len(w.waiting) == 0 || r.primary.opening == 0 || r.commit < r.primary.opening {
		return
	}
	if len(w.rounds) > 0 && !r.heartbeatDue() {
		r.hurryHeartbeat()
		return
	}
	if r.members.Rb() > 1 {
		r.heartbeat()
	}
	w.rounds = append(w.rounds, readBatch{r.primary.round, r.commit, w.waiting})
	w.waiting, w.spare = w.spare, nil
	r.confirmReads()
}

// confirmReads answers the rounds that enough voters have answered to make Rb together with the
// primary.
func (r *Replica) confirmReads() {
	w, done := &r.reads, 0
	for ; done < len(w.rounds) && r.roundHeard(w.rounds[done].round); done++ {
		batch := &w.rounds[done]
		for _, x := range batch.readers {
			r.readConfirmed(x, batch.op)
		}
		w.spare = reused(batch.readers, maxSpareReaders)
	}
	w.rounds = slices.Delete(w.rounds, 0, done)
}

func (r *Replica) roundHeard(round Round) bool {
	count := 1
	for _, i := range r.others {
		if r.primary.progress[i].answeredRound >= round {
			count++
		}
	}
	return count >= r.members.Rb()
}

func (r *Replica) readConfirmed(x reader, op OpNumber) {
	if x.from == r.self {
		r.health.calls.confirmed(x.read, op, r.applied)
		r.out.Reads = append(r.out.Reads, ReadReady{x.read, op})
		return
	}
	r.sendTo(x.from, &ReadRoundOK{View: r.head.View, Start: x.start, Read: x.read, Op: op})
}

// flushReads asks the primary about the waiting reads of a backup.
func (r *Replica) flushReads() {
	w := &r.reads
	if r.status != normal || r.isPrimary() || len(w.inquirers) > 0 || len(w.waiting) == 0 {
		return
	}
	w.inquirers, w.waiting = w.waiting, nil
	w.inquiry++ // a late answer to the previous ReadRound must not confirm these reads
	r.sendReadRound()
}

func (r *Replica) sendReadRound() {
	r.reads.retryAt = r.after(repeatVotes)
	r.sendTo(r.prim(), &ReadRound{View: r.head.View, Read: r.reads.inquiry, Op: r.checked})
}

// onReadRoundOK confirms the reads that the ReadRound was sent for. Because the number is that of
// this process's latest ReadRound, the primary's round began after the reads did.
func (r *Replica) onReadRoundOK(m *ReadRoundOK) {
	w := &r.reads
	if len(w.inquirers) == 0 || m.Start != r.head.Start || m.Read != w.inquiry {
		return
	}
	for _, x := range w.inquirers {
		r.health.calls.confirmed(x.read, m.Op, r.applied)
		r.out.Reads = append(r.out.Reads, ReadReady{x.read, m.Op})
	}
	w.inquirers, w.retryAt = nil, time.Time{}
}

func (r *Replica) tickReads() {
	w := &r.reads
	if w.retryAt.IsZero() || r.now.Before(w.retryAt) {
		return
	}
	w.retryAt = time.Time{}
	if len(w.inquirers) > 0 && r.status == normal && !r.isPrimary() {
		r.sendReadRound()
	}
}

// dropRounds ends the view's rounds. This replica's own reads wait again; other members will repeat
// their ReadRounds.
func (r *Replica) dropRounds() {
	w := &r.reads
	waiting := w.waiting
	w.waiting = nil
	for _, b := range w.rounds {
		waiting = append(b.readers, waiting...)
	}
	for _, x := range append(w.inquirers, waiting...) {
		if x.from == r.self {
			w.waiting = append(w.waiting, x)
		}
	}
	w.rounds, w.inquirers, w.retryAt = nil, nil, time.Time{}
}
