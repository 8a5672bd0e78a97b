package sim

import (
	"errors"
	"fmt"
	"time"

	"github.com/smr-go/smr/internal/sim/fault"
)

// effect performs a fault at the host that it names, or at any host if it names none. Its error
// reports why the fault cannot strike; nothing has changed in that case.
type effect func(h *host, f *fault.Fault) error

// effects holds the effect of each kind of fault.
var effects [fault.Kinds]effect

func init() { // not an initializer: effects lead to other effects
	effects = [fault.Kinds]effect{
		fault.Crash:               (*host).crash,
		fault.PowerCut:            (*host).crash,
		fault.CrashIn:             (*host).crashIn,
		fault.Start:               (*host).startByFault,
		fault.Stop:                (*host).stop,
		fault.Pause:               (*host).pause,
		fault.Resume:              func(h *host, _ *fault.Fault) error { h.resume(); return nil },
		fault.Suspend:             (*host).suspend,
		fault.SlowTurns:           func(h *host, f *fault.Fault) error { return h.lasts(&h.dull, f, f.N) },
		fault.Isolate:             (*host).cutLinks,
		fault.Deafen:              (*host).cutLinks,
		fault.Join:                (*host).join,
		fault.Cut:                 (*host).cutLink,
		fault.Mend:                (*host).mendLink,
		fault.Split:               (*host).cutLinks,
		fault.SplitOneWay:         (*host).cutLinks,
		fault.Bridge:              (*host).cutLinks,
		fault.Ring:                (*host).cutLinks,
		fault.SlowLink:            func(h *host, f *fault.Fault) error { return h.lasts(&h.linkTo(f).Slow, f, f.N) },
		fault.LossyLink:           func(h *host, f *fault.Fault) error { return h.lasts(&h.linkTo(f).Lossy, f, f.N) },
		fault.ClockJump:           func(h *host, f *fault.Fault) error { h.clock.Wall += time.Duration(f.N); return nil },
		fault.SlowDisk:            func(h *host, f *fault.Fault) error { return h.lasts(&h.slow, f, f.N) },
		fault.FullDisk:            (*host).fillDisk,
		fault.Space:               func(h *host, _ *fault.Fault) error { h.full = nil; h.fill(); return nil },
		fault.FailSync:            func(h *host, f *fault.Fault) error { h.faults.syncs = int(f.N); return nil },
		fault.FailReads:           func(h *host, f *fault.Fault) error { return h.lasts(&h.faults.noReads, f, 1) },
		fault.FailWrites:          func(h *host, f *fault.Fault) error { return h.lasts(&h.faults.noWrites, f, 1) },
		fault.RotLog:              (*host).rotLog,
		fault.RotHead:             (*host).rotHead,
		fault.RotSnapshot:         (*host).rotSnapshot,
		fault.LostInLog:           (*host).loseInLog,
		fault.LostInHead:          (*host).loseInHead,
		fault.LostInSnapshot:      (*host).loseInSnapshot,
		fault.MisplacedInLog:      (*host).misplaceInLog,
		fault.MisplacedInSnapshot: (*host).misplaceInSnapshot,
		fault.StrayWrite:          (*host).strayWrite,
		fault.Wipe:                (*host).wipe,
		fault.ForeignStart:        (*host).foreignStart,
		fault.SecondStart:         (*host).secondStart,
		fault.HandOver:            (*host).handOver,
	}
}

// strike performs a fault now. The error reports why it cannot strike; nothing has changed in that
// case.
func (s *Sim) strike(f fault.Fault) error {
	if s.net.Healed || s.err != nil {
		return errors.New("the faults of the run have ended")
	}
	f.At, f.After = s.Now(), s.trigger
	if f.Kind.NamesNone() {
		f.Host = 0
	}
	s.struck = append(s.struck, f) // before its effect, which may panic
	if s.watcher != nil {
		s.watcher.Faulted(s.Now(), &f)
	}
	if err := s.perform(&f); err != nil {
		s.struck = s.struck[:len(s.struck)-1]
		if s.watcher != nil {
			s.watcher.Note(s.Now(), f.Host, "does not apply:", []any{err})
		}
		return err
	}
	s.stats.Faults++
	s.mark(f.Host, uint64(f.Kind), uint64(f.For)^uint64(f.N)<<20^uint64(f.To)<<50)
	if f.Kind.LosesMemory() {
		s.budget.Spend(f.Host, s.confirmed())
	}
	return nil
}

func (s *Sim) perform(f *fault.Fault) error {
	h := s.hosts[f.Host]
	switch {
	case f.Kind.NeedsProcess() && h.proc == nil:
		return fmt.Errorf("%s is down", h.id)
	case f.Kind.NamesLink() && f.Host == f.To:
		return fmt.Errorf("%s has no link to itself", h.id)
	}
	return effects[f.Kind](h, f)
}

// lasts begins an amount that lasts as long as the fault.
func (h *host) lasts(x *fault.Timed, f *fault.Fault, amount int64) error {
	x.Begin(h.s.Now(), f.For, amount)
	return nil
}

// mayForget reports whether the budget allows the host to lose its memory.
func (s *Sim) mayForget(h *host) bool { return s.budget.Allows(h.i, s.confirmed()) }

// confirmed reports whether the group is confirmed.
func (s *Sim) confirmed() bool { return s.judge.Committed().Op > 1 }
