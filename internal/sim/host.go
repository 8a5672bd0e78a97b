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
	"github.com/smr-go/smr/internal/store"
	"github.com/smr-go/smr/internal/vfs"
	"github.com/smr-go/smr/internal/vsr"
)

// host is a member's machine: its disk and its clocks, which outlive its processes.
type host struct {
	s     *Sim
	i     int    // its index in the list of members
	id    string // its ID
	fs    *vfs.Mem
	proc  *process // nil: down
	lost  bool     // its memory is gone, and it stays out of the group until S3 is built
	idle  bool     // it is down until a fault starts it
	blank bool     // its disk was emptied, so that it can start, and stays out

	reported bool // a member reports that this one has lost its memory (S6)

	covered vsr.OpNumber // the highest op for which a later mark distinguishes rot from a torn write (S5)

	clock   world.Clock
	disk    world.Stream
	core    world.Stream
	starts  int
	faults  diskFaults
	pending map[fault.Kind]*fault.Fault // that have struck and wait for their moment, by kind
	outage  outage                      // the way in which it is out of reach when all else is healed
	writes  writes

	pausedUntil          time.Duration
	slowSaves, slowTurns fault.Timed   // ns added to saves; to turns
	slowUntil            time.Duration // when the last operation ends that its disk takes long for
	space                fault.Timed   // bytes that the disk can hold
	hung                 fault.Timed   // its state machine hangs
}

func newHost(s *Sim, i int) *host {
	h := &host{s: s, i: i, id: fault.Name(i), pending: map[fault.Kind]*fault.Fault{},
		disk: world.NewStream(s.p.Seed, "disk", i), core: world.NewStream(s.p.Seed, "core", i)}
	h.clock.Drift = (2*h.core.Float64() - 1) * s.p.Drift
	h.clock.Wall = h.core.Between(0, s.p.ClockGap)
	h.newDisk()
	return h
}

// now returns the time on the host's clocks.
func (h *host) now() time.Time { return h.clock.At(h.s.Now()) }

// start starts a process, unless one runs.
func (h *host) start() {
	if h.outage == outageDown {
		return
	}
	h.idle = false
	if h.proc != nil || h.s.err != nil {
		return
	}
	h.starts++
	m, err := h.s.kit.Make(contract.Here)
	if h.s.failOn(h.id, err) {
		return
	}
	p := newProcess(h, m)
	opened, err := p.open()
	switch {
	case h.faults.crashing:
		h.endCrash()
		return
	case vfs.Refused(err), errors.Is(err, errFaulty):
		h.stopForNow() // and later tries again
		return
	case h.faults.explains(err):
		h.loseMemory(err)
		return
	case err != nil:
		h.s.failOn(h.id, fmt.Errorf("S5: it does not start: %w", err))
		return
	}
	if why := h.faults.refused; why != "" {
		h.s.fail("F19", "%s starts although %s", h.id, why)
		return
	}
	h.faults.mixed = false
	if h.s.failOn("", h.compareDisk(p, opened)) {
		return
	}
	h.s.stats.Starts++
	disk := h.durable()
	h.s.note(h.i, "starts in view %d, log after %v to %v", uint64(disk.Last.Op), disk.Head.View, disk.Base, disk.Last)
	h.proc = p
	p.begin()
	if h.s.watcher != nil {
		h.s.watcher.Lived(h.s.Now(), h.i, true)
	}
}

// durable returns what the disk holds, by the judge's account.
func (h *host) durable() judge.Disk { return h.s.judge.Disk(h.i) }

// open opens the files on the disk and reads the whole log, for the judge to compare.
func (p *process) open() (o judge.Opened, err error) {
	if p.shell, o.Durable, err = shell.Open(p.config(), p.h.now()); err != nil {
		return o, err
	}
	if p.shell.Log != nil {
		o.Log, err = store.ReadAll(p.shell.Log, p.shell.Applier.Op(), o.Durable.Last.Op)
	}
	return o, err
}

// compareDisk compares the content of the disk with the judge's account.
func (h *host) compareDisk(p *process, o judge.Opened) error {
	err := h.s.judge.Opened(h.i, o)
	if err == nil && o.Snapshot != nil {
		err = h.restored(o.Snapshot.Last.Op, p.user.Machine)
	}
	h.covered = h.durable().Last.Op
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
	h.s.note(h.i, noteLost, 0, err)
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

// stopForNow ends a process that stops by itself, until an operator restarts it.
func (h *host) stopForNow() {
	wait := h.patience()
	h.endProcess(false, h.disk.Rand)
	h.restartIn(wait, 0)
}

// endProcess ends the process, if there is one, as a crash does. rng chooses the writes that survive a power cut.
func (h *host) endProcess(power bool, rng *rand.Rand) {
	h.expire("the process ended before that", fault.CrashIn, fault.ForgeRequest)
	if h.proc != nil {
		h.proc.cutOff(h, rng)
		h.proc.end()
		h.s.stats.Crashes++
	}
	h.faults.untilCrash, h.faults.crashing = 0, false
	if power {
		h.fs.Crash(rng)
	} else {
		h.fs.Kill()
	}
}

// restartIn schedules a restart; with again > 0 the host goes down again at that change of its disk.
func (h *host) restartIn(d time.Duration, again int) {
	if d == 0 && !h.s.net.Healed {
		h.idle = true
		return
	}
	h.s.note(h.i, "is down for %v", uint64(d), d)
	h.s.After(d, func() {
		if h.proc != nil || h.lost && !h.blank {
			return
		}
		if again > 0 && !h.s.net.Healed {
			h.faults.untilCrash, h.faults.crash = again, &fault.Fault{For: h.patience(), Seed: h.disk.Uint64()}
		}
		h.start()
	})
}

// turnWait returns the delay of the next turn of the loop.
func (h *host) turnWait() time.Duration {
	return h.core.Between(0, max(h.s.p.Turn, time.Duration(h.slowTurns.Amount(h.s.Now()))))
}
