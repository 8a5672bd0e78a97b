package smr

import (
	"fmt"
	"time"

	"github.com/smr-go/smr/internal/store"
	"github.com/smr-go/smr/internal/vsr"
	"github.com/smr-go/smr/internal/wire"
)

// maxInbox is the bytes of messages that may wait for the loop; what comes above is dropped, as
// if it were lost on the way.
const maxInbox = 64 << 20

// receive takes a message from the transport: checked here, in the transport's goroutine, so that
// the loop can trust it.
func (r *Replica) receive(from ID, b []byte) {
	head, msg, err := wire.DecodeMessage(b, r.tag)
	if err != nil {
		r.log.Debug("a message was dropped", "from", string(from), "bytes", len(b), "error", err)
		return
	}
	if i := r.cfg.index(from); i >= 0 {
		r.inbox.put(event{from: i, head: head, msg: msg, size: len(b)}, maxInbox)
	}
}

// loop feeds the core with what happens, until the replica stops. It waits for nothing but its
// inbox and the core's deadline.
func (r *Replica) loop() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	var spare []event
	for {
		select {
		case <-r.stop:
			r.endCalls()
			return
		case <-r.inbox.wake:
		case <-timer.C:
		}
		if r.stopping() { // what the core said last may not have been done
			r.endCalls()
			return
		}
		events := r.inbox.take(spare)
		r.core.now = time.Now()
		r.core.Step(r.core.now, &vsr.Tick{})
		for i := range events {
			r.handle(&events[i])
		}
		clear(events)
		spare = events[:0:min(cap(events), 4096)]
		r.turn()
		timer.Reset(time.Until(r.core.Deadline()))
	}
}

func (r *Replica) handle(e *event) {
	switch {
	case e.msg != nil:
		r.core.Step(r.core.now, &vsr.Receive{From: e.from, Header: e.head, Message: e.msg})
	case e.call != nil:
		r.calls.propose(e.call)
	default:
		e.do()
	}
}

// turn does what the core wants done after the events so far. Without a disk a save is durable at
// once.
func (r *Replica) turn() {
	for {
		out := r.core.Ready(r.core.now)
		r.hand(&out)
		if out.Save == nil || !r.cfg.Volatile {
			break
		}
		r.core.Step(r.core.now, &vsr.Saved{Seq: out.Save.Seq})
	}
	r.releaseHeld(r.core.now)
	r.publish()
}

// hand gives each part of the output to whose it is.
func (r *Replica) hand(out *vsr.Output) {
	if out.Err != nil {
		r.fail(fmt.Errorf("smr: %w", out.Err))
		return
	}
	if out.Save != nil && !r.cfg.Volatile {
		r.writes.add(store.Write{Save: out.Save})
	}
	for _, m := range out.Messages {
		r.send(m)
	}
	r.handJobs(out)
	for _, l := range out.Loads {
		r.background(func() { r.load(l) })
	}
	for _, s := range out.Settled {
		r.calls.refused(s.Request)
	}
	for _, x := range out.Reads {
		r.readers.ready(x)
	}
	if out.Compact != nil {
		r.writes.add(store.Write{Compact: out.Compact})
	}
	for _, c := range out.Chunks {
		r.sendChunk(c, r.core.now)
	}
	for i := range out.Fetch {
		r.fetches.add(out.Fetch[i])
	}
}

// handJobs gives the applier a snapshot to restore, entries to apply, or a snapshot to take.
func (r *Replica) handJobs(out *vsr.Output) {
	if s := out.Restore; s != nil {
		id := store.SnapID(s.SnapshotID)
		r.hold(s.SnapshotID, r.core.now) // a newer one may come before the applier gets to it
		r.jobs.add(job{
			restore: func() (*store.State, error) { return r.machine.restore(r.snaps, id) },
			wanted:  r.calls.numbers(),
		})
	}
	if len(out.Apply) > 0 {
		r.jobs.add(job{entries: out.Apply})
	}
	if out.Retake {
		r.jobs.add(job{snapshot: true})
	}
}

// send encodes a message once and gives it to the transport for each receiver.
func (r *Replica) send(m vsr.Outgoing) {
	if offer, ok := m.Message.(*vsr.SnapshotOffer); ok {
		r.hold(offer.Snapshot.SnapshotID, r.core.now)
	}
	r.encode(r.core.Header(), m.Message, m.To)
}

// encode may be called by any goroutine.
func (r *Replica) encode(h vsr.Header, m vsr.Message, to []vsr.Index) {
	b := wire.AppendMessage(nil, r.tag, h, m)
	for _, i := range to {
		r.cfg.Transport.Send(r.cfg.Members[i].ID, b)
	}
}

// onApplied takes the applier's report.
func (r *Replica) onApplied(a applied) {
	r.core.appliedOp = max(r.core.appliedOp, a.op)
	r.core.Step(r.core.now, &vsr.Applied{Op: a.op})
	if a.session != 0 {
		r.core.Step(r.core.now, &vsr.SessionOpened{Session: a.session})
	}
	for _, x := range a.results {
		r.calls.done(x.request, x.result)
	}
	r.readers.advance()
}

// endCalls answers everybody who waits, since the loop ends.
func (r *Replica) endCalls() {
	why := r.whyClosed()
	for _, e := range r.inbox.close() {
		if e.call != nil {
			e.call.outcome <- outcome{err: fmt.Errorf("%w: %w", ErrNotApplied, why)}
		}
	}
	r.calls.end(why)
	for _, w := range r.roles.waiting {
		w.result <- ErrClosed
	}
}
