package sim

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/smr-go/smr/internal/contract"
	"github.com/smr-go/smr/internal/shell"
	"github.com/smr-go/smr/internal/sim/fault"
	"github.com/smr-go/smr/internal/sim/judge"
	"github.com/smr-go/smr/internal/sim/world"
	"github.com/smr-go/smr/internal/vfs"
	"github.com/smr-go/smr/internal/vsr"
)

// host is a member's place: its disk and its clocks, which outlive the processes that run there.
type host struct {
	s    *Sim
	i    int    // its index in the list of members
	id   string // its ID
	fs   *vfs.Mem
	proc *process // nil: down
	lost bool     // its memory is gone, and since S3 is not built it stays out
	idle bool     // it is down until told to start

	covered vsr.OpNumber // up to here rot is told from a torn write: a later save says so (S5)

	clock  world.Clock
	disk   world.Stream
	core   world.Stream
	starts int
	faults diskFaults
	absent absence // out of reach, when all else is healed
	writes writes

	pausedUntil time.Duration
	slow, dull  fault.Timed // ns added to saves; to turns
	full        fault.Timed // bytes that the disk can hold
}

func newHost(s *Sim, i int) *host {
	h := &host{s: s, i: i, id: fault.Name(i), disk: world.NewStream(s.p.Seed, "disk", i), core: world.NewStream(s.p.Seed, "core", i)}
	h.clock.Drift = (2*h.core.Float64() - 1) * s.p.Drift
	h.clock.Wall = h.core.Between(0, s.p.ClockGap)
	h.newDisk()
	return h
}

// now returns what the host's clocks show.
func (h *host) now() time.Time { return h.clock.At(h.s.Now()) }

// start runs a process there, unless one does.
func (h *host) start() {
	if h.absent == staysDown {
		return
	}
	h.idle = false
	if h.proc != nil || h.s.err != nil {
		return
	}
	h.starts++
	m, err := h.s.kit.Make(contract.Here)
	if err != nil {
		h.s.broke(h.id, err)
		return
	}
	p := newProcess(h, m)
	opened, err := p.open()
	switch {
	case h.faults.burnt:
		h.burnDown()
		return
	case vfs.IsFull(err), errors.Is(err, errFaulty):
		h.down(false, h.patience()) // and later tries again
		return
	case h.faults.excuses(err):
		h.loseMemory(err)
		return
	case err != nil:
		h.s.broke(h.id, fmt.Errorf("S5: it does not start: %w", err))
		return
	}
	if err := h.takeUp(p, opened); err != nil {
		h.s.broke("", err)
		return
	}
	h.s.stats.Starts++
	disk := h.truth()
	h.s.note(h.i, "starts, log", uint64(disk.Last.Op), disk.Base, disk.Last, fmt.Sprintf("view %d", disk.Head.View))
	h.proc = p
	p.begin()
	if h.s.watcher != nil {
		h.s.watcher.Lived(h.s.Now(), h.i, true)
	}
}

// truth returns what the disk holds, by the judge's account.
func (h *host) truth() judge.Disk { return h.s.judge.Disk(h.i) }

// open opens what the disk holds, and reads all of the log, to see whether it is what was written.
func (p *process) open() (o judge.Opened, err error) {
	if p.shell, o.Durable, err = shell.Open(p.config(), p.h.now()); err != nil {
		return o, err
	}
	o.Log, err = whole(p.shell, &o.Durable)
	return o, err
}

// takeUp compares what was found with what the disk may hold.
func (h *host) takeUp(p *process, o judge.Opened) error {
	err := h.s.judge.Opened(h.i, o)
	if err == nil && o.Snapshot != nil {
		err = h.restored(o.Snapshot.Last.Op, p.user.Machine)
	}
	h.covered = h.truth().Last.Op
	return err
}

// restored compares a state that was restored from a snapshot at op.
func (h *host) restored(op vsr.OpNumber, m *contract.Machine) error {
	if err := h.s.judge.Restored(h.i, op, m.Digest()); err != nil {
		return ofMachine(contract.Restores, err)
	}
	return h.s.witness.Same(m, uint64(op), "one restored from a snapshot")
}

// loseMemory takes the host out for good: what its disk holds is not to be trusted (S5).
func (h *host) loseMemory(err error) {
	h.s.note(h.i, "has lost its memory", 0, err)
	h.fs.Kill() // whoever has read it is gone
	h.forget()
	h.idle = true
	h.s.stats.Damaged++
}

// forget notes that the host's memory is lost: what its log held counts no more, but for what was committed by then.
func (h *host) forget() {
	h.lost = true
	h.s.judge.Lost(h.i)
}

// patience is how long an operator waits before he starts a replica that stopped by itself.
func (h *host) patience() time.Duration { return h.disk.Scale(10*time.Millisecond, time.Second) }

// down ends the process there, by a power cut or as SIGKILL does, and has it started again later;
// 0: when it is told.
func (h *host) down(power bool, later time.Duration) {
	h.fall(power, h.disk.Rand)
	h.later(later, 0)
}

// fall ends the process there; rng says what a power cut leaves.
func (h *host) fall(power bool, rng *rand.Rand) {
	h.fuseUnburnt("the process ended before that change of the disk")
	h.fell(rng)
	h.faults.fuse, h.faults.burnt = 0, false
	if power {
		h.fs.Crash(rng)
	} else {
		h.fs.Kill()
	}
}

// fell ends the process, if there is one.
func (h *host) fell(rng *rand.Rand) {
	p := h.proc
	if p == nil {
		return
	}
	p.cutOff(h, rng)
	p.end()
	h.proc = nil
	h.s.stats.Crashes++
	if h.s.watcher != nil {
		h.s.watcher.Lived(h.s.Now(), h.i, false)
	}
}

// later has the host started again; with fuse > 0 it goes down again at that change of its disk.
func (h *host) later(d time.Duration, fuse int) {
	if d == 0 {
		h.idle = true
		return
	}
	h.s.note(h.i, "is down for", uint64(d), d)
	h.s.After(d, func() {
		if h.proc != nil || h.lost {
			return
		}
		if fuse > 0 && !h.s.net.Healed {
			h.faults.fuse, h.faults.fault = fuse, &fault.Fault{For: h.patience(), Seed: h.disk.Uint64()}
		}
		h.start()
	})
}

// turnWait is how long a turn of the loop waits.
func (h *host) turnWait() time.Duration {
	return h.core.Between(0, max(h.s.p.Turn, time.Duration(h.dull.Amount(h.s.Now()))))
}
