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

// host is a member's machine: its disk and its clocks, which outlive its processes.
type host struct {
	s    *Sim
	i    int    // its index in the list of members
	id   string // its ID
	fs   *vfs.Mem
	proc *process // nil: down
	lost bool     // its memory is gone, and it stays out of the group until S3 is built
	idle bool     // it is down until a fault starts it

	covered vsr.OpNumber // the highest op for which a later mark distinguishes rot from a torn write (S5)

	clock  world.Clock
	disk   world.Stream
	core   world.Stream
	starts int
	faults diskFaults
	absent absence // the reason why it is out of reach when all else is healed
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

// now returns the time on the host's clocks.
func (h *host) now() time.Time { return h.clock.At(h.s.Now()) }

// start starts a process, unless one runs.
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

// open opens the files on the disk and reads the whole log, for the judge to compare.
func (p *process) open() (o judge.Opened, err error) {
	if p.shell, o.Durable, err = shell.Open(p.config(), p.h.now()); err != nil {
		return o, err
	}
	o.Log, err = whole(p.shell, &o.Durable)
	return o, err
}

// takeUp compares the content of the disk with the judge's account.
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

// loseMemory takes the host out of the group for good, because its disk cannot be trusted (S5).
func (h *host) loseMemory(err error) {
	h.s.note(h.i, "has lost its memory", 0, err)
	h.fs.Kill() // the process that read it has ended
	h.forget()
	h.idle = true
	h.s.stats.Damaged++
}

// forget notes that the host's memory is lost. Its log counts only for the ops committed until now.
func (h *host) forget() {
	h.lost = true
	h.s.judge.Lost(h.i)
}

// patience is the time after which an operator restarts a replica that stopped by itself.
func (h *host) patience() time.Duration { return h.disk.Scale(10*time.Millisecond, time.Second) }

// down ends the process, by a power cut or as SIGKILL does, and schedules its restart; no restart
// if later is 0.
func (h *host) down(power bool, later time.Duration) {
	h.fall(power, h.disk.Rand)
	h.later(later, 0)
}

// fall ends the process. rng chooses the writes that survive a power cut.
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

// later schedules a restart; with fuse > 0 the host goes down again at that change of its disk.
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

// turnWait returns the delay of the next turn of the loop.
func (h *host) turnWait() time.Duration {
	return h.core.Between(0, max(h.s.p.Turn, time.Duration(h.dull.Amount(h.s.Now()))))
}
