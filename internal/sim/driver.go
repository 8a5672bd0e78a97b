package sim

import (
	"errors"
	"math/rand/v2"
	"time"

	"github.com/smr-go/smr/internal/contract"
	"github.com/smr-go/smr/internal/shell"
	"github.com/smr-go/smr/internal/sim/fault"
	"github.com/smr-go/smr/internal/snap"
	"github.com/smr-go/smr/internal/store"
	"github.com/smr-go/smr/internal/vfs"
	"github.com/smr-go/smr/internal/vsr"
	"github.com/smr-go/smr/internal/wire"
)

// A process drives its shell with events that take time, where a real replica has goroutines.
var _ shell.Driver = (*process)(nil)

// Send puts a message on the links to its receivers.
func (p *process) Send(x shell.Packet) {
	if p.Stopping() {
		return
	}
	p.s.judged(p.s.judge.Sends(p.h.i, x.Header, x.Message))
	if _, _, err := wire.DecodeMessage(x.Bytes, p.s.tag); err != nil {
		p.s.fail("N3", "%s sends %v, and every receiver refuses it: %v", p.h.id, vsr.KindOf(x.Message), err)
	}
	b := p.h.forged(&x)
	p.s.sum.mixMessage(b)
	kind := vsr.KindOf(x.Message)
	for _, to := range x.To {
		p.s.send(p.h.i, int(to), b, x.Message)
		p.s.happened(p.h, fault.Sent, kind)
		if p.dead {
			return
		}
	}
}

// Tell queues an input.
func (p *process) Tell(in shell.Input) { p.queue(in) }

// Ended reports whether the process has ended.
func (p *process) Ended() bool { return p.dead }

// Stopping reports whether the process has ended, or has left and ends in its next turn.
func (p *process) Stopping() bool { return p.dead || p.leaving != nil }

// Fail ends the process.
func (p *process) Fail(err error) { p.stops(err) }

// Note decides whether an error that the replica survives is a violation.
func (p *process) Note(n shell.Note) {
	ordinary := n.Err == nil || vfs.Refused(n.Err) || errors.Is(n.Err, snap.ErrSuperseded) ||
		errors.Is(n.Err, snap.ErrRefused)
	_, machineBroken := errors.AsType[*contract.Broken](n.Err)
	if p.dead || p.h.faults.crashing || !machineBroken && (ordinary || p.h.faults.explains(n.Err)) {
		return
	}
	p.s.failOn(p.h.id+": "+n.Text, n.Err)
}

// longestWrite is the longest time that the writing of a snapshot takes, unless one write of the disk takes longer: a
// snapshot that was begun while the disk was slow must end before the group is expected to rest.
const longestWrite = 30 * time.Second

// Background schedules a task for when the disk has completed it.
func (p *process) Background(task shell.Task, do func()) {
	d := p.h.latency()
	if task == shell.WriteSnapshot {
		d = max(d, min(10*d, longestWrite))
	}
	if task == shell.TryAgain {
		d += shell.FullRetry
	}
	if task == shell.ReleaseSnapshot {
		p.releasing++
	}
	p.after(d, func() {
		if task == shell.ReleaseSnapshot {
			p.releasing--
		}
		p.onDisk(do)
	})
}

// Write queues a write.
func (p *process) Write(w shell.Write) {
	if p.dead {
		return
	}
	if p.shell.Writer.Add(w); p.shell.Writer.Full() && !p.hurries {
		p.hurries = true // there is more to write; further writes do not put the attempt off
		p.tryAgain(p.h.latency())
	}
	if w.Save != nil {
		p.issued(w.Save)
	}
	p.writeNext()
	if w.Save != nil {
		p.s.happened(p.h, fault.Issued, 0)
	}
}

// issued records a save that is not durable yet.
func (p *process) issued(s *vsr.Save) {
	p.s.hash(p.h.i, actionSave, s.Seq)
	p.s.sum.mix(uint64(s.Head.View)<<32 ^ uint64(s.Head.Commit)<<16 ^ uint64(s.From))
	p.s.sum.mixEntries(s.Entries)
	p.s.noteSave(p.h.i, noteSaves, s)
}

// writeNext begins the next write. Without one, the log is idle.
func (p *process) writeNext() {
	switch {
	case p.writing:
	case p.shell.Writer.Begin():
		p.writing, p.writingSince = true, p.s.Now()
		p.after(p.h.latency(), p.written)
	default:
		p.awaitIdle()
	}
}

// written ends a write, successful or not.
func (p *process) written() {
	w := &p.shell.Writer
	compaction := len(w.InFlight()) == 0 && !w.Full()
	p.hurries = false
	again, err := w.Perform(p.h.now())
	switch {
	case !p.survives(err):
	case again > 0:
		p.tryAgain(again)
	default:
		if compaction {
			p.s.judged(p.h.checkLog(p.compacted, p.p.KeepLog))
		}
		p.writing = false
		p.writeNext()
	}
}

// tryAgain performs the write in flight again after d. It replaces an attempt that was to come later.
func (p *process) tryAgain(d time.Duration) {
	p.attempt++
	attempt := p.attempt
	p.after(d, func() {
		if p.attempt == attempt {
			p.attempt++
			p.written()
		}
	})
}

// awaitIdle has the mark of an idle log written when it is due.
func (p *process) awaitIdle() {
	if at := p.shell.Writer.MarkAt(); !p.markDue && !at.IsZero() {
		p.markDue = true
		p.after(max(p.h.clock.When(at)-p.s.Now(), time.Microsecond), p.idle)
	}
}

// idle writes the mark if the log has been idle for long enough.
func (p *process) idle() {
	p.markDue = false
	if p.writing || p.h.outage == outageHung {
		return // writeNext schedules it again
	}
	p.onDisk(func() {
		if err := p.shell.Writer.Mark(p.h.now()); err != nil {
			p.stops(err)
		}
	})
	if !p.dead {
		p.awaitIdle()
	}
}

// cutOff leaves a random prefix of the write in flight on the disk.
func (p *process) cutOff(h *host, rng *rand.Rand) {
	saves := p.shell.Writer.InFlight()
	if len(saves) > 0 && !h.faults.crashing && rng.IntN(2) == 0 {
		h.faults.untilCrash = 1 + rng.IntN(6)
		p.shell.Log.Save(new(store.Batch).Encode(saves))
	}
}

// Apply queues a job of the applier.
func (p *process) Apply(j shell.Job) {
	if p.dead {
		return
	}
	p.shell.Applier.Add(j)
	p.applyNext()
}

func (p *process) applyNext() {
	if !p.applying && !p.shell.Applier.Idle() {
		p.applying = true
		p.after(p.h.core.About(p.s.p.Apply), p.stepped)
	}
}

// hangLook is how soon it is noticed that a state machine hangs no longer.
const hangLook = 10 * time.Millisecond

// stepped performs a step of the applier.
func (p *process) stepped() {
	if p.h.hung.Active(p.s.Now()) {
		p.after(hangLook, p.stepped)
		return
	}
	done, err := p.shell.Applier.Step()
	if !p.survives(err) {
		return
	}
	p.applying = false
	if done != nil {
		p.Tell(shell.Input{Applied: done})
		p.s.happened(p.h, fault.Applied, 0)
	}
	if !p.dead {
		p.applyNext()
	}
}

// Fetch queues a step of a snapshot's transfer.
func (p *process) Fetch(f vsr.FetchStep) {
	if p.dead {
		return
	}
	p.shell.Fetcher.Add(f)
	p.fetchNext()
}

func (p *process) fetchNext() {
	if !p.fetching && !p.shell.Fetcher.Idle() {
		p.fetching = true
		p.after(p.h.latency(), p.fetched)
	}
}

// fetched performs a step of the fetcher.
func (p *process) fetched() {
	p.fetching = false
	p.onDisk(func() { p.shell.Fetcher.Step() })
	if !p.dead {
		p.fetchNext()
	}
}
