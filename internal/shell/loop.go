package shell

import (
	"fmt"
	"time"

	"github.com/smr-go/smr/internal/vsr"
	"github.com/smr-go/smr/internal/wire"
)

// Loop feeds the core with inputs and gives its outputs to the parts that perform them. A turn is Begin,
// Handle for every input that waits, and End. Turns are due when there is input, and at Deadline.
type Loop struct {
	core     *vsr.Replica
	shell    *Shell
	driver   Driver
	observer Observer
	recorder Recorder
	self     vsr.Index
	volatile bool

	now     time.Time    // of this turn
	callers int          // that waited when it began
	applied vsr.OpNumber // highest op that the applier has reported
	reached vsr.OpNumber // highest op that was reported to the core as applied
	small   []byte       // see encode
	memory  memory

	calls     calls
	reads     reads
	handovers handovers
	jobs      jobs
	kept      kept
	parts     parts
	heartbeat time.Duration
}

// memory is reused by every turn, which would otherwise allocate it.
type memory struct {
	out     vsr.Output // of this turn
	state   vsr.State  // after the last turn
	tick    vsr.Tick
	propose vsr.Propose
	read    vsr.Read
	forget  vsr.Forget
	applied vsr.Applied
	saved   vsr.Saved
}

// Core returns the core, for inspection only.
func (l *Loop) Core() *vsr.Replica { return l.core }

// Applied returns the highest op that the applier has reported.
func (l *Loop) Applied() vsr.OpNumber { return l.applied }

// Deadline returns when the next turn is due at the latest.
func (l *Loop) Deadline() time.Time {
	at := l.core.Deadline()
	if lost := l.parts.deadline(); !lost.IsZero() && lost.Before(at) {
		return lost
	}
	return at
}

// step passes an event to the core.
func (l *Loop) step(e vsr.Event) {
	if l.recorder == nil {
		l.core.Step(l.now, e)
		return
	}
	l.recorder.Stepping(l.now, e)
	l.core.Step(l.now, e)
	l.recorder.Stepped(e)
}

// Begin begins a turn. The core learns the time first: after a pause of the process it must notice the pause before it
// handles the inputs that arrived during it (D4).
func (l *Loop) Begin(now time.Time) {
	l.callers = l.waiting()
	l.now = now
	l.step(&l.memory.tick)
	l.parts.begin()
	l.appliedUpTo(vsr.OpNumber(l.shell.Applier.reached.Load()))
}

// appliedUpTo reports to the core the last op applied.
func (l *Loop) appliedUpTo(op vsr.OpNumber) {
	if op > l.reached {
		l.reached, l.memory.applied.Op = op, op
		l.step(&l.memory.applied)
	}
}

// Handle handles an input. It keeps no reference to in, whose memory may be reused.
func (l *Loop) Handle(in *Input) {
	switch {
	case in.Receive.Message != nil:
		l.shell.door.messages.leave(in.size)
		l.step(&in.Receive)
		l.parts.receive(&in.Receive)
	case in.Event != nil:
		l.step(in.Event)
	case in.Applied != nil:
		l.onApplied(in.Applied)
	case in.Call != nil:
		l.shell.door.proposals.leave(in.size)
		l.calls.propose(in.Call)
	case in.Read != nil:
		l.read(in.Read)
	default:
		in.Do(l)
	}
}

// End ends a turn: it passes the core's output to the parts that perform it. Without a disk a save is durable
// at once.
func (l *Loop) End() {
	out := &l.memory.out
	for {
		*out = l.core.Ready(l.now)
		if l.observer != nil {
			l.observer.Ready(out)
		}
		if l.recorder != nil {
			l.recorder.Readied(l.now, l.core.Header(), out)
		}
		l.dispatch(out)
		if out.Save == nil || !l.volatile {
			break
		}
		if l.observer != nil {
			l.observer.Saved([]*vsr.Save{out.Save})
		}
		l.memory.saved.Seq = out.Save.Seq
		l.step(&l.memory.saved)
	}
	*out = vsr.Output{}
	if l.shell.snapshotting.retry(l.now) {
		l.jobs.add(Job{Snapshot: true})
	}
	l.kept.expire()
	l.memory.state = l.core.State()
	l.memory.state.Snapshots = l.shell.snapshotting.problem(l.now, l.core.Commit())
	l.parts.flush(l.memory.state.Head.View)
	l.driver.Turned(&l.memory.state)
	l.handovers.follow(&l.memory.state)
	l.calls.follow(&l.memory.state)
	l.reads.follow(&l.memory.state)
}

// dispatch passes each part of the output to the part of the shell that performs it.
func (l *Loop) dispatch(out *vsr.Output) {
	if out.Err != nil {
		l.driver.Fail(out.Err)
		return
	}
	if out.Save != nil && !l.volatile {
		l.driver.Write(Write{Save: out.Save})
	}
	for i := range out.Messages {
		l.send(&out.Messages[i])
	}
	l.dispatchJobs(out)
	for _, load := range out.Loads {
		l.driver.Background(LoadEntries, func() { l.shell.load(load) })
	}
	for _, x := range out.Settled {
		l.calls.refused(x)
	}
	for _, x := range out.Reads {
		l.reads.confirmed(x)
	}
	if out.Compact != nil {
		l.driver.Write(Write{Compact: out.Compact})
	}
	for _, c := range out.Chunks {
		l.sendChunk(c)
	}
	for i := range out.Fetch {
		l.driver.Fetch(out.Fetch[i])
	}
}

// dispatchJobs gives the applier a snapshot to restore, entries to apply, or a snapshot to take, in this order.
func (l *Loop) dispatchJobs(out *vsr.Output) {
	if out.Restore != nil {
		s := *out.Restore // the core's own, which it replaces when it has a newer one
		if err := l.kept.keep(s.SnapshotID); err != nil {
			l.driver.Fail(fmt.Errorf("the snapshot of op %d cannot be restored: %w", s.Last.Op, err))
			return
		}
		l.jobs.add(Job{Restore: &s, Wanted: l.calls.waiting.numbers()})
	}
	if len(out.Apply) > 0 {
		l.jobs.add(Job{Entries: out.Apply})
	}
	if out.Retake {
		l.jobs.add(Job{Snapshot: true})
	}
}

// send encodes a message once and sends it to all its receivers, in parts if it is large.
func (l *Loop) send(m *vsr.Outgoing) {
	if offer, ok := m.Message.(*vsr.SnapshotOffer); ok {
		l.kept.keep(offer.Snapshot.SnapshotID)
	}
	h := l.core.Header()
	l.parts.send(Packet{To: m.To, Header: h, Message: m.Message, Bytes: l.encode(h, m.Message)})
}

// smallMessages is how many small messages share one allocation.
const smallMessages = 64

// encode returns the bytes of a message. Small messages share memory: receivers within the process keep no part
// of them, as they do of bodies and chunks.
func (l *Loop) encode(h vsr.Header, m vsr.Message) []byte {
	switch m.(type) {
	case *vsr.Prepare, *vsr.NewState, *vsr.Request, *vsr.Relay:
		return wire.AppendMessage(nil, l.shell.tag, h, m)
	}
	start := len(l.small)
	if size := wire.MaxSize(m); cap(l.small)-start < size {
		l.small, start = make([]byte, 0, max(size, smallMessages*wire.MessageOverhead)), 0
	}
	l.small = wire.AppendMessage(l.small, l.shell.tag, h, m)
	return l.small[start:len(l.small):len(l.small)]
}

// onApplied handles the applier's report: it reports the last op applied to the core, gives callers their results,
// and releases reads that waited for an op. The report is then used again.
func (l *Loop) onApplied(a *Applied) {
	l.applied = max(l.applied, a.Op)
	l.jobs.advance()
	l.appliedUpTo(a.Op)
	if a.Session != 0 {
		l.step(&vsr.SessionOpened{Session: a.Session})
	}
	if a.Floor != 0 {
		l.step(&vsr.FloorRaised{Floor: a.Floor})
	}
	for i := range a.Results {
		l.calls.done(&a.Results[i])
	}
	l.reads.advance()
	a.release()
}

// Leave prepares the replica to stop: a primary announces that it leaves, so that the next one takes over at once
// (V2). It ends the turn.
func (l *Loop) Leave() {
	l.step(&vsr.Leave{})
	l.End()
}

// Stop ends, because of why, calls without a result and handovers without an answer. Calls among the inputs in left,
// which no turn will handle, were not applied (X4). The driver ends reads.
func (l *Loop) Stop(why error, left []Input) {
	for i := range left {
		if x := left[i].Call; x != nil {
			x.Caller.Done(nil, Because(ErrNotApplied, why))
		}
	}
	l.calls.stop(why)
	l.handovers.stop(why)
}
