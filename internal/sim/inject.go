package sim

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/smr-go/smr/internal/vsr"
	"github.com/smr-go/smr/internal/wire"
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
	case SlowDisk, FullDisk, Space, FailSync, FailReads, FailWrites, RotLog, RotHead, RotSnapshot, Wipe:
		return h.ail(f)
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
		a.noReads, a.everFailed = true, true
		until(func() { a.noReads = false })
	case FailWrites:
		a.noWrites, a.everFailed = true, true
		until(func() { a.noWrites = false })
	case RotLog:
		return h.rotLog(f)
	case RotHead:
		return h.rot("data/log/head", f.N*4096+int64(f.Seed%512), f)
	case RotSnapshot:
		return h.rotSnapshot(f)
	case Wipe:
		return h.wipe(f)
	}
	return nil
}

// wipe takes everything from a member's disk, for good.
func (h *host) wipe(f *Fault) error {
	h.fall(true, rand.New(rand.NewPCG(f.Seed, 0)))
	h.newDisk()
	h.lost = true
	h.later(f.For, 0)
	return nil
}

// rot flips a bit.
func (h *host) rot(name string, off int64, f *Fault) error {
	if err := h.fs.FlipBit(name, off, int(f.Seed>>16%8)); err != nil {
		return err
	}
	h.ailing.rotten = true
	h.s.note(h.i, "has a bit flipped in", uint64(off), name, off)
	return nil
}

// recordHead is what stands before an entry in the log's files.
const recordHead = 32

// rotLog flips a bit in the record of an op that is covered by a later mark (S5). In one that is
// not, rot cannot be told from a torn write.
func (h *host) rotLog(f *Fault) error {
	op := vsr.OpNumber(f.N)
	if op > h.covered || op <= h.truth.base.Op || op > h.truth.last.Op {
		return fmt.Errorf("the log holds no op %d under a mark", op)
	}
	record := wire.AppendEntry(nil, &h.s.ledger.find(h.s.ledger.at(h.truth.last, op)).entry)
	names, err := h.fs.ReadDir("data/log")
	if err != nil {
		return err
	}
	for _, name := range slices.Backward(names) {
		b, err := h.fs.ReadFile(path.Join("data/log", name))
		if err != nil {
			continue
		}
		if i := bytes.LastIndex(b, record); i >= 0 {
			return h.rot(path.Join("data/log", name), int64(i)-recordHead+int64(f.Seed%uint64(recordHead+len(record))), f)
		}
	}
	return fmt.Errorf("op %d is in no file", op)
}

// rotSnapshot flips a bit of the largest file among the snapshots.
func (h *host) rotSnapshot(f *Fault) error {
	var largest string
	var size int
	names, err := h.fs.ReadDir("data/snapshots")
	if err != nil {
		return err
	}
	for _, name := range names {
		b, err := h.fs.ReadFile(path.Join("data/snapshots", name))
		if err == nil && len(b) > size && !strings.Contains(name, "lock") {
			largest, size = name, len(b)
		}
	}
	if size == 0 {
		return fmt.Errorf("%s has no snapshot", Name(h.i))
	}
	return h.rot(path.Join("data/snapshots", largest), int64(f.Seed%uint64(size)), f)
}
