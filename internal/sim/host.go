package sim

import (
	"errors"
	"fmt"
	"time"

	"github.com/smr-go/smr/internal/vfs"
	"github.com/smr-go/smr/internal/vsr"
)

// host is a member's place: its disk and its clock, which outlive the processes that run there.
type host struct {
	s    *Sim
	i    int
	fs   *vfs.Mem
	proc *process // nil: down
	lost bool     // its memory is gone, and since S3 is not built it stays out

	truth  durable     // what its disk holds
	flight []*vsr.Save // begun, and cut off when it went down: a first part of them may be there

	drift  float64 // of its clock, and what that showed at the beginning
	offset time.Duration

	disk, core  stream
	starts      int
	fuse        int  // changes of the disk until the machine goes down; 0: it does not
	burnt       bool // it has
	pausedUntil time.Duration
	slowUntil   time.Duration
	slowness    time.Duration
}

func newHost(s *Sim, i int) *host {
	h := &host{s: s, i: i, disk: newStream(s.seed, "disk", i), core: newStream(s.seed, "core", i)}
	h.drift = (2*h.core.Float64() - 1) * s.p.Drift
	h.offset = h.core.between(0, s.p.ClockGap)
	h.newDisk()
	return h
}

func (h *host) newDisk() {
	h.fs, h.truth, h.flight = vfs.NewCrashable(), durable{}, nil
	h.fs.SetHook(h.hook)
}

var errCut = errors.New("the machine went down")

// hook counts what changes the disk down to the moment when the machine goes down.
func (h *host) hook(op vfs.Op) error {
	if h.burnt {
		return errCut
	}
	if h.fuse > 0 && op.Kind.Changes() {
		if h.fuse--; h.fuse == 0 {
			h.burnt = true
			h.s.note(h.i, "goes down in", uint64(op.Length), op)
			return errCut
		}
	}
	return nil
}

// began is what the hosts' clocks show at the beginning, but for their offsets.
var began = time.Unix(1_700_000_000, 0).UTC()

// clock returns what the host's clock shows now.
func (h *host) clock() time.Time {
	now := h.s.now
	return began.Add(h.offset + now + time.Duration(float64(now)*h.drift))
}

// when returns the virtual time at which the host's clock shows at.
func (h *host) when(at time.Time) time.Duration {
	return time.Duration(float64(at.Sub(began)-h.offset) / (1 + h.drift))
}

// start runs a process there, unless one does.
func (h *host) start() {
	if h.proc != nil || h.s.err != nil {
		return
	}
	h.starts++
	st, f, err := openStorage(h.fs, h.s.p, name(h.i))
	if h.burnt {
		h.down(true)
		return
	}
	if vfs.IsFull(err) {
		h.down(false) // and later tries again
		return
	}
	if err != nil {
		h.s.fail("%s does not start: %v", name(h.i), err)
		return
	}
	truth, err := h.truth.recovered(h.s.ledger, h.flight, &f)
	if err == nil && f.Snapshot != nil {
		err = h.s.witness.restored(f.Snapshot.Last.Op, &f.machine)
	}
	if err != nil {
		h.s.fail("%s: %v", name(h.i), err)
		return
	}
	h.s.stats.Starts++
	h.truth, h.flight = truth, nil
	h.s.note(h.i, "starts, log", uint64(truth.last.Op), truth.base, truth.last, fmt.Sprintf("view %d", truth.head.View))
	h.proc = newProcess(h, st, &f)
}

// down ends the process there, by a power cut or as SIGKILL does, and has it started again later.
func (h *host) down(power bool) {
	if p := h.proc; p != nil {
		p.cutOff(h)
		p.end()
		h.proc = nil
		h.s.stats.Crashes++
	}
	h.fuse, h.burnt = 0, false
	if power {
		h.fs.Crash(h.disk.Rand)
	} else {
		h.fs.Kill()
	}
	later := h.disk.scale(time.Millisecond, h.s.p.Faults.Down)
	h.s.note(h.i, "is down for", uint64(later), later)
	h.s.after(later, func() {
		if h.s.p.Faults.CrashInStorage > 0 && !h.s.healed && h.disk.chance(0.2) {
			h.fuse = 1 + h.disk.IntN(15)
		}
		h.start()
	})
}

// latency is what a save takes now.
func (h *host) latency() time.Duration {
	d := h.s.p.Save/2 + h.disk.about(h.s.p.Save/2)
	if h.s.now < h.slowUntil {
		d += h.disk.between(0, h.slowness)
	}
	return d
}
