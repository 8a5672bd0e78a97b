package vsr

import (
	"slices"
	"time"
)

// ReadReady says that a linearizable read may run once Op is applied (R1).
type ReadReady struct {
	Read uint64
	Op   OpNumber
}

// reader is who waits for a read: a caller here, or a member that asks for its own.
type reader struct {
	from  Index
	start uint64
	read  uint64
}

// readBatch is reads that one round confirms.
type readBatch struct {
	round   Round
	op      OpNumber // the commit number when the round began
	readers []reader
}

// reads confirms linearizable reads: at the primary by a round of heartbeats, elsewhere by asking
// the primary (R1).
type reads struct {
	last    uint64      // number of the latest read
	waiting []reader    // in no round yet
	rounds  []readBatch // begun at this primary, in order

	// Elsewhere: one question to the primary at a time, for all reads that waited when it left.
	question uint64 // the latest question's number
	asked    uint64 // the same while it is out; 0: none is
	own      []reader
	retryAt  time.Time
}

// read begins a linearizable read and returns its number.
func (r *Replica) read() uint64 {
	r.reads.last++
	r.reads.waiting = append(r.reads.waiting, reader{from: r.self, read: r.reads.last})
	return r.reads.last
}

// forgetRead drops a read that is in no round yet.
func (r *Replica) forgetRead(number uint64) {
	w := &r.reads
	w.waiting = slices.DeleteFunc(w.waiting, func(x reader) bool { return x.from == r.self && x.read == number })
}

// onReadRound takes another member's question (R1).
func (r *Replica) onReadRound(from Index, h Header, m *ReadRound) {
	if r.isPrimary() && m.View == r.head.View {
		r.reads.waiting = append(r.reads.waiting, reader{from, h.Start, m.Read})
	}
}

// startRounds begins a round for all reads that wait, once this view's opening entry is committed.
func (r *Replica) startRounds() {
	w := &r.reads
	if len(w.waiting) == 0 || r.primary.opening == 0 || r.commit < r.primary.opening {
		return
	}
	if r.members.Rb() > 1 {
		r.heartbeat()
	}
	w.rounds = append(w.rounds, readBatch{r.primary.round, r.commit, w.waiting})
	w.waiting = nil
	r.confirmReads()
}

// confirmReads answers the rounds that enough voters heard to make Rb with the primary itself.
func (r *Replica) confirmReads() {
	w := &r.reads
	for len(w.rounds) > 0 && r.roundHeard(w.rounds[0].round) {
		for _, x := range w.rounds[0].readers {
			r.readConfirmed(x, w.rounds[0].op)
		}
		w.rounds = w.rounds[1:]
	}
}

func (r *Replica) roundHeard(round Round) bool {
	count := 1
	for _, i := range r.others {
		if r.primary.progress[i].round >= round {
			count++
		}
	}
	return count >= r.members.Rb()
}

func (r *Replica) readConfirmed(x reader, op OpNumber) {
	if x.from == r.self {
		r.out.Reads = append(r.out.Reads, ReadReady{x.read, op})
		return
	}
	r.sendTo(x.from, &ReadRoundOK{View: r.head.View, Start: x.start, Read: x.read, Op: op})
}

// flushReads asks the primary, if there is another one.
func (r *Replica) flushReads() {
	w := &r.reads
	if r.status != normal || r.isPrimary() || w.asked != 0 || len(w.waiting) == 0 {
		return
	}
	w.own, w.waiting = w.waiting, nil
	w.question++ // an answer to an earlier question is not taken for one to this
	w.asked = w.question
	r.askRead()
}

func (r *Replica) askRead() {
	r.reads.retryAt = r.after(repeatVotes)
	r.sendTo(r.prim(), &ReadRound{View: r.head.View, Read: r.reads.asked})
}

// onReadRoundOK confirms the reads that the question was for. The answer is to this process's
// question, so the round came after it.
func (r *Replica) onReadRoundOK(m *ReadRoundOK) {
	w := &r.reads
	if w.asked == 0 || m.Start != r.head.Start || m.Read != w.asked {
		return
	}
	for _, x := range w.own {
		r.out.Reads = append(r.out.Reads, ReadReady{x.read, m.Op})
	}
	w.own, w.asked, w.retryAt = nil, 0, time.Time{}
}

func (r *Replica) tickReads() {
	w := &r.reads
	if w.retryAt.IsZero() || r.now.Before(w.retryAt) {
		return
	}
	w.retryAt = time.Time{}
	if w.asked != 0 && r.status == normal && !r.isPrimary() {
		r.askRead()
	}
}

// dropRounds leaves the view's rounds: own reads wait again, others' members will ask again.
func (r *Replica) dropRounds() {
	w := &r.reads
	waiting := w.waiting
	w.waiting = nil
	for _, b := range w.rounds {
		waiting = append(b.readers, waiting...)
	}
	for _, x := range append(w.own, waiting...) {
		if x.from == r.self {
			w.waiting = append(w.waiting, x)
		}
	}
	w.rounds, w.own, w.asked, w.retryAt = nil, nil, 0, time.Time{}
}
