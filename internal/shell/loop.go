package shell

import (
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
	applied vsr.OpNumber // highest op that the applier has reported
	small   []byte       // see encode
	memory  memory

	calls     calls
	reads     reads
	handovers handovers
	kept      kept

	chunks int // being read for other members; at most maxChunks
}

// memory is what every turn needs and would allocate otherwise.
type memory struct {
	out     vsr.Output // of this turn
	state   vsr.State  // after the last turn
	tick    vsr.Tick
	propose vsr.Propose
	forget  vsr.Forget
	applied vsr.Applied
	saved   vsr.Saved
}

// Core returns the core, to be looked at.
func (l *Loop) Core() *vsr.Replica { return l.core }

// Applied returns the highest op that the applier has reported.
func (l *Loop) Applied() vsr.OpNumber { return l.applied }

// Deadline returns when the next turn is due at the latest.
func (l *Loop) Deadline() time.Time { return l.core.Deadline() }

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
	l.now = now
	l.step(&l.memory.tick)
}

// Handle takes an input into account. It leaves nothing of in that a later use of its memory could change.
func (l *Loop) Handle(in *Input) {
	switch {
	case in.Receive.Message != nil:
		l.step(&in.Receive)
	case in.Event != nil:
		l.step(in.Event)
	case in.Applied != nil:
		l.onApplied(in.Applied)
	case in.Call != nil:
		l.calls.propose(in.Call)
	default:
		in.Do(l)
	}
}

// End ends a turn: what the core wants done goes to the parts that do it. Without a disk a save is durable
// at once.
func (l *Loop) End() {
	out := &l.memory.out
	for {
		*out = l.core.Ready(l.now)
		if l.observer != nil {
			l.observer.Ready(out)
		}
		if l.recorder != nil {
			l.recorder.Readied(l.now, out)
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
	l.kept.expire()
	l.memory.state = l.core.State()
	l.driver.Turned(&l.memory.state)
	l.handovers.follow(&l.memory.state)
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
		l.calls.refused(x.Request)
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
		l.kept.keepToRestore(s.SnapshotID)
		l.driver.Apply(Job{Restore: &s, Wanted: l.calls.numbers()})
	}
	if len(out.Apply) > 0 {
		l.driver.Apply(Job{Entries: out.Apply})
	}
	if out.Retake {
		l.driver.Apply(Job{Snapshot: true})
	}
}

// send encodes a message once and sends it to all its receivers.
func (l *Loop) send(m *vsr.Outgoing) {
	if offer, ok := m.Message.(*vsr.SnapshotOffer); ok {
		l.kept.keep(offer.Snapshot.SnapshotID)
	}
	h := l.core.Header()
	l.driver.Send(Packet{To: m.To, Header: h, Message: m.Message, Bytes: l.encode(h, m.Message)})
}

// smallMessages is how many small messages share one allocation.
const smallMessages = 64

// encode returns the bytes of a message. Small messages share memory: receivers within the process keep no part
// of them, as they do of bodies and chunks.
func (l *Loop) encode(h vsr.Header, m vsr.Message) []byte {
	switch m.(type) {
	case *vsr.Prepare, *vsr.NewState, *vsr.Request:
		return wire.AppendMessage(nil, l.shell.tag, h, m)
	}
	start := len(l.small)
	if cap(l.small)-start < wire.MessageOverhead {
		l.small, start = make([]byte, 0, smallMessages*wire.MessageOverhead), 0
	}
	l.small = wire.AppendMessage(l.small, l.shell.tag, h, m)
	return l.small[start:len(l.small):len(l.small)]
}

// onApplied takes the applier's report: the core learns how far the state is, callers get their results, and
// reads that waited for an op may run.
func (l *Loop) onApplied(a *Applied) {
	l.applied = max(l.applied, a.Op)
	l.memory.applied.Op = a.Op
	l.step(&l.memory.applied)
	if a.Session != 0 {
		l.step(&vsr.SessionOpened{Session: a.Session})
	}
	for i := range a.Results {
		l.calls.done(a.Results[i].Request, a.Results[i].Result)
	}
	l.reads.advance()
}

// Leave prepares the replica to stop: a primary announces that it leaves, so that the next one takes over at once
// (V2). It ends the turn.
func (l *Loop) Leave() {
	l.step(&vsr.Leave{})
	l.End()
}

// Stop ends all that waits, because of why: calls without a result, handovers without an answer. Reads end
// with the driver.
func (l *Loop) Stop(why error) {
	l.calls.stop(why)
	l.handovers.stop(why)
}
