package sim

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/smr-go/smr/internal/vsr"
)

// Inject has a fault happen: now, if its time has come, otherwise then, or after its moment.
func (s *Sim) Inject(f Fault) {
	switch {
	case f.At > s.now:
		s.faultAt(f.At, func() { s.Inject(f) })
	case f.After != nil:
		s.armed = append(s.armed, armed{f, max(f.After.Nth, 1)})
	default:
		s.make(f)
	}
}

// make lets a fault happen now. The error says why it cannot.
func (s *Sim) make(f Fault) error {
	if s.healed || s.err != nil {
		return errors.New("the run has no faults any more")
	}
	f.At, f.After = s.now, s.aim
	if f.Kind.ofAll() {
		f.Host = 0
	}
	s.stats.Faults++
	s.made = append(s.made, f)
	s.mark(f.Host, uint64(f.Kind), uint64(f.For)^uint64(f.N)<<20^uint64(f.To)<<50)
	if s.watcher != nil {
		s.watcher.Faulted(s.now, &f)
	}
	err := s.perform(&f)
	if err != nil {
		s.note(f.Host, "does not apply:", 0, err)
	}
	return err
}

// Made returns the faults that were made so far, in order.
func (s *Sim) Made() []Fault { return slices.Clone(s.made) }

// perform does what the fault says. An error says why nothing can be done.
func (s *Sim) perform(f *Fault) error {
	h := s.hosts[max(f.Host, 0)]
	switch f.Kind {
	case Crash, PowerCut, CrashIn, Start, Stop, Pause, Resume, Suspend, SlowTurns, HandOver:
		return h.suffer(f)
	case ClockJump:
		h.clock.wall += time.Duration(f.N)
	case SlowDisk, FullDisk, Space, FailSync, FailReads, FailWrites, Wipe:
		return h.ail(f)
	case RotLog, RotHead, RotSnapshot:
		return h.rot(f)
	case LostInLog, LostInHead, LostInSnapshot, MisplacedInLog, MisplacedInSnapshot, StrayWrite:
		return h.misdirect(f)
	case ForeignStart, SecondStart:
		return h.startWrongly(f)
	default:
		s.disturb(f)
	}
	return nil
}

// suffer is what befalls a host's process.
func (h *host) suffer(f *Fault) error {
	rng := rand.New(rand.NewPCG(f.Seed, 0))
	p := h.proc
	if p == nil && f.Kind != Start && f.Kind != CrashIn {
		return fmt.Errorf("%s is down", Name(h.i))
	}
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
		p.input(func(now time.Time) { p.core.Leave(now) })
		p.after(stopFor, func() { h.fall(false, rng); h.later(f.For, 0) })
	case Pause:
		until := h.s.now + f.For
		if f.For == 0 {
			until = forever
		}
		h.pausedUntil = max(h.pausedUntil, until)
	case Resume:
		h.resume()
	case Suspend:
		h.pausedUntil = max(h.pausedUntil, h.s.now+f.For)
		h.clock.behind += f.For
	case SlowTurns:
		h.dullUntil, h.dullness = h.s.now+f.For, time.Duration(f.N)
	case HandOver:
		p.input(func(now time.Time) { p.core.Handover(now, vsr.Index(f.To)) })
		if f.For > 0 {
			p.after(f.For, func() { p.input(func(now time.Time) { p.core.CancelHandover(now) }) })
		}
	}
	return nil
}

// stopFor is how long a process that stops in order stays, so that others hear of it.
const stopFor = 10 * time.Millisecond

// ail is what befalls a host's disk.
func (h *host) ail(f *Fault) error {
	a, s := &h.ailing, h.s
	until := func(end func()) {
		if f.For > 0 {
			s.after(f.For, end)
		}
	}
	switch f.Kind {
	case SlowDisk:
		h.slowness, h.slowUntil = time.Duration(f.N), s.now+f.For
	case FullDisk:
		h.fs.SetCapacity(max(h.fs.Used()+f.N, 1))
		until(func() { h.fs.SetCapacity(0) })
	case Space:
		h.fs.SetCapacity(0)
	case FailSync:
		a.syncs = int(f.N)
	case FailReads:
		a.noReads = true
		until(func() { a.noReads = false })
	case FailWrites:
		a.noWrites = true
		until(func() { a.noWrites = false })
	case Wipe:
		return h.wipe(f)
	}
	return nil
}

// wipe takes everything from a member's disk, for good.
func (h *host) wipe(f *Fault) error {
	h.fall(true, rand.New(rand.NewPCG(f.Seed, 0)))
	h.forget()
	h.newDisk()
	h.later(f.For, 0)
	return nil
}
