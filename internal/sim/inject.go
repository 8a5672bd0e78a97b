package sim

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/smr-go/smr/internal/vsr"
)

// make lets a fault happen now. The error says why it cannot; then nothing has changed.
func (s *Sim) make(f Fault) error {
	if s.healed || s.err != nil {
		return errors.New("the run has no faults any more")
	}
	f.At, f.After = s.now, s.aim
	if f.Kind.ofAll() {
		f.Host = 0
	}
	s.made = append(s.made, f) // also if what it does panics
	if s.watcher != nil {
		s.watcher.Faulted(s.now, &f)
	}
	if err := s.perform(&f); err != nil {
		s.made = s.made[:len(s.made)-1]
		if s.watcher != nil {
			s.watcher.Note(s.now, f.Host, "does not apply:", []any{err})
		}
		return err
	}
	s.stats.Faults++
	s.mark(f.Host, uint64(f.Kind), uint64(f.For)^uint64(f.N)<<20^uint64(f.To)<<50)
	if f.Kind.LosesMemory() {
		s.atlas.took(s.hosts[f.Host])
	}
	return nil
}

// Made returns the faults that have happened so far, in order: without those that could not.
func (s *Sim) Made() []Fault { return slices.Clone(s.made) }

// perform does what the fault says. An error says why nothing can be done.
func (s *Sim) perform(f *Fault) error {
	h := s.hosts[max(f.Host, 0)]
	switch f.Kind {
	case Crash, PowerCut, CrashIn, Start, Stop, Pause, Resume, Suspend, SlowTurns, HandOver:
		return h.suffer(f)
	case ClockJump:
		h.clock.wall += time.Duration(f.N)
		return nil
	case SlowDisk, FullDisk, Space, FailSync, FailReads, FailWrites, Wipe:
		return h.ail(f)
	case RotLog, RotHead, RotSnapshot:
		return h.rot(f)
	case LostInLog, LostInHead, LostInSnapshot, MisplacedInLog, MisplacedInSnapshot, StrayWrite:
		return h.misdirect(f)
	case ForeignStart, SecondStart:
		return h.startWrongly(f)
	}
	return s.disturb(f)
}

// suffer is what befalls a host's process.
func (h *host) suffer(f *Fault) error {
	rng := rand.New(rand.NewPCG(f.Seed, 0))
	p := h.proc
	if p == nil && f.Kind != Start && f.Kind != CrashIn {
		return fmt.Errorf("%s is down", Name(h.i))
	}
	until := lasting(h.s.now, f.For)
	switch f.Kind {
	case Crash, PowerCut:
		h.fall(f.Kind == PowerCut, rng)
		h.later(f.For, int(f.N))
	case CrashIn:
		h.ailing.fuse, h.ailing.fault = int(f.N), f
	case Start:
		if h.lost {
			return fmt.Errorf("%s has lost its memory", Name(h.i))
		}
		h.start()
	case Stop:
		p.input(func(now time.Time) { p.core.Step(now, &vsr.Leave{}) })
		p.after(stopFor, func() { h.fall(false, rng); h.later(f.For, 0) })
	case Pause:
		h.pausedUntil = max(h.pausedUntil, until)
	case Resume:
		h.resume()
	case Suspend:
		h.pausedUntil = max(h.pausedUntil, until)
		h.clock.sleep(h.s.now, until)
	case SlowTurns:
		h.dull.begin(h.s.now, f.For, f.N)
	case HandOver:
		p.input(func(now time.Time) { p.core.Step(now, &vsr.Handover{To: vsr.Index(f.To)}) })
		if f.For > 0 {
			p.after(f.For, func() { p.input(func(now time.Time) { p.core.Step(now, &vsr.CancelHandover{}) }) })
		}
	}
	return nil
}

// stopFor is how long a process that stops in order stays, so that others hear of it.
const stopFor = 10 * time.Millisecond

// ail is what befalls a host's disk.
func (h *host) ail(f *Fault) error {
	a, s := &h.ailing, h.s
	switch f.Kind {
	case SlowDisk:
		h.slow.begin(s.now, f.For, f.N)
	case FullDisk:
		h.full.begin(s.now, f.For, max(h.fs.Used()+f.N, 1))
		h.fill()
		s.after(f.For, h.fill)
	case Space:
		h.full = nil
		h.fill()
	case FailSync:
		a.syncs = int(f.N)
	case FailReads:
		a.noReads.begin(s.now, f.For, 1)
	case FailWrites:
		a.noWrites.begin(s.now, f.For, 1)
	case Wipe:
		return h.wipe(f)
	}
	return nil
}

// fill leaves on the disk what space there is now.
func (h *host) fill() { h.fs.SetCapacity(h.full.much(h.s.now)) }

// wipe takes everything from a member's disk, for good.
func (h *host) wipe(f *Fault) error {
	h.fall(true, rand.New(rand.NewPCG(f.Seed, 0)))
	h.forget()
	h.newDisk()
	h.s.judge.Wiped(h.i)
	h.later(f.For, 0)
	return nil
}
