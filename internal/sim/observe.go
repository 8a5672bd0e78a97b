package sim

import (
	"bytes"
	"cmp"
	"io"

	"github.com/smr-go/smr/internal/contract"
	"github.com/smr-go/smr/internal/shell"
	"github.com/smr-go/smr/internal/sim/fault"
	"github.com/smr-go/smr/internal/sim/judge"
	"github.com/smr-go/smr/internal/store"
	"github.com/smr-go/smr/internal/vsr"
)

// A process also observes its shell, and reports to the judge and the witness.
var _ shell.Observer = (*process)(nil)

// Ready reports the output of a turn, before any of it is performed.
func (p *process) Ready(out *vsr.Output) {
	if p.dead {
		return
	}
	if out.Save != nil {
		p.s.judged(p.s.judge.Issued(p.h.i, out.Save))
		if p.s.p.Volatile {
			p.issued(out.Save)
		}
	}
	if p.s.err == nil {
		known := p.core().Commit()
		if back := p.core().TakenBack(); back > p.takenBack {
			p.takenBack = back
			known = max(known, min(back, p.seen.Last.Op)) // it may have received the rest in this turn
		}
		p.s.judged(p.s.judge.Knows(p.h.i, known))
	}
}

// InParts reports a message that leaves in parts.
func (p *process) InParts(x shell.Packet) {
	p.s.judged(p.s.judge.Sends(p.h.i, x.Header, x.Message))
}

// Saved reports saves that became durable.
func (p *process) Saved(saves []*vsr.Save) {
	h := p.h
	if p.dead || h.faults.crashing {
		return
	}
	h.covered = h.durable().Covered(h.covered, saves)
	seq := saves[len(saves)-1].Seq
	p.s.judged(p.s.judge.Saved(h.i, seq))
	p.s.hash(h.i, actionSaved, seq)
	for _, s := range saves {
		p.s.noteSave(h.i, noteSaved, s)
	}
	p.s.happened(h, fault.Saved, 0)
	if !p.dead && h.alone() {
		p.s.happened(h, fault.Alone, 0)
	}
}

// alone reports whether no other disk holds the last entry of this one's log.
func (h *host) alone() bool {
	for _, other := range h.s.hosts {
		if other != h && h.s.judge.Holds(other.i, h.durable().Last) {
			return false
		}
	}
	return true
}

// Marked notes that a mark covers the whole log.
func (p *process) Marked() { p.h.covered = p.h.durable().Last.Op }

// Compacted notes the new beginning of the log.
func (p *process) Compacted(c vsr.Compact, first vsr.OpNumber) {
	p.compacted = c.Snapshot
	p.s.note(p.h.i, "has dropped its log before op %d", uint64(first), first)
}

// Loaded notes a read of entries from the log.
func (p *process) Loaded(l vsr.Load, entries []vsr.Entry) {
	p.s.stats.Loads++
	p.s.note(p.h.i, "reads %d ops from its log, from op %d on", uint64(len(entries)), len(entries), l.From)
	p.s.failOn("", p.s.judge.Loaded(p.h.i, l, entries))
}

// Applied compares the result of an entry, and the state after it, with those of the judge and the witness.
func (p *process) Applied(e *vsr.Entry, executed bool, result []byte, state *store.State) {
	out := judge.Outcome{Executed: executed, Result: result, Kept: state.Sessions.Kept(), Bytes: state.Sessions.Bytes()}
	if executed {
		out.Digest = p.user.Digest()
	}
	p.s.sum.mixBytes(out.Result)
	p.s.sum.mix(out.Digest)
	if !p.s.failOn("", ofMachine(contract.Deterministic, p.s.judge.Applied(p.h.i, e, out))) {
		p.s.failOn(p.h.id, p.s.witness.SameAfter(opOf(e), p.user.Machine, "a replica"))
	}
}

// Restored compares a state that was restored from a snapshot.
func (p *process) Restored(state *store.State) {
	if p.s.failOn(p.h.id, p.h.restored(state.Last.Op, p.user.Machine)) {
		return
	}
	p.s.stats.Restores++
	p.s.note(p.h.i, noteRestored, uint64(state.Last.Op), state.Last.Op)
}

// SnapshotWritten checks a snapshot that was written, and the files on the disk after it.
func (p *process) SnapshotWritten(f *shell.Frozen, err error) {
	if p.dead || p.h.faults.crashing {
		return
	}
	if frozen, ok := f.User.(*frozen); ok && (err == nil || frozen.written != 0) {
		taken, now := uint64(f.Last.Op), uint64(p.shell.Applier.Op())
		if p.s.failOn(p.h.id+": snapshot", p.s.witness.SameFrozen(frozen.at, frozen.written, taken, now)) {
			return
		}
	}
	if err != nil {
		return // the shell notes it
	}
	p.s.judged(p.checkSnapshots())
	p.s.stats.Snapshots++
	p.s.note(p.h.i, noteSnapshot, uint64(f.Last.Op), f.Last.Op)
}

// SnapshotReceived checks the files on the disk after a snapshot was received.
func (p *process) SnapshotReceived(s vsr.Snapshot) {
	if p.dead || p.h.faults.crashing {
		return
	}
	p.s.judged(p.checkSnapshots())
	p.s.stats.Transfers++
	p.s.note(p.h.i, "has received the snapshot after op %d", uint64(s.Last.Op), s.Last.Op)
	p.s.happened(p.h, fault.Fetched, 0)
}

// Turned reports the state of the process after a turn.
func (p *process) Turned(now *vsr.State) {
	if p.dead {
		return
	}
	s, was := p.s, p.seen
	t := judge.Turn{State: *now, Check: cmp.Or(p.core().Check(), p.shell.Loop.Check()),
		Compacts: s.p.Volatile || p.shell.Writer.Compacts(), TakenBack: p.core().TakenBack()}
	t.Acknowledged, t.Lost = p.core().Memories()
	s.judged(s.judge.Turned(p.h.i, t))
	s.takeOut(t.Lost)
	if err := p.checkStatus(now); err != nil {
		s.fail("Status", "%v", err)
	}
	p.seen = *now
	if err := s.checkBlame(); err != nil {
		s.fail("Status", "%v", err)
	}
	if s.watcher != nil {
		s.watcher.Turned(s.Now(), p.h.i, &p.seen)
	}
	if now.Phase != was.Phase || now.Head.View != was.Head.View {
		s.turned(p)
	}
}

// turned notes a change of a replica's phase or view.
func (s *Sim) turned(p *process) {
	now := &p.seen
	s.note(p.h.i, noteTurned, uint64(now.Head.View), now.Phase, now.Head.View)
	s.stats.Views = max(s.stats.Views, uint64(now.Head.View))
	s.net.Revive(p.h.i)
	switch now.Phase {
	case vsr.Primary:
		s.happened(p.h, fault.Led, 0)
	case vsr.InViewChange:
		s.happened(p.h, fault.Changes, 0)
	}
}

// user adapts the user's state machine to the shell.
type user struct {
	p *process
	*contract.Machine
}

// Apply applies a command.
func (u *user) Apply(e *vsr.Entry) ([]byte, error) {
	op := opOf(e)
	result, err := u.Machine.Apply(op)
	return result, u.p.s.kit.At(op, err)
}

// Snapshot freezes the state.
func (u *user) Snapshot() (io.WriterTo, error) {
	at, err := u.Machine.Sum()
	if err == nil {
		var s contract.Snapshot
		if s, err = u.Machine.Snapshot(); err == nil {
			return &frozen{user: s, at: at}, nil
		}
	}
	return nil, u.p.s.kit.At(opOf(u.p.s.judge.Entry(u.p.shell.Applier.Op())), err)
}

// frozen is a state that is written as a snapshot while later operations are applied.
type frozen struct {
	user    contract.Snapshot
	at      uint64 // hash of the state, written when it was frozen
	written uint64 // hash of the state, written later
}

// WriteTo writes the whole state at once.
func (f *frozen) WriteTo(w io.Writer) (int64, error) {
	state, err := f.user.Bytes()
	if err != nil {
		return 0, err
	}
	f.written = contract.SumOf(state)
	return bytes.NewReader(state).WriteTo(w)
}
