package sim

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/smr-go/smr/internal/shell"
	"github.com/smr-go/smr/internal/sim/fault"
	"github.com/smr-go/smr/internal/sim/world"
	"github.com/smr-go/smr/internal/vsr"
)

// effect performs a fault at the host that it names, or at any host if it names none. Its error reports why the fault
// cannot strike; nothing has changed in that case.
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
		fault.SlowTurns:           func(h *host, f *fault.Fault) error { return h.lasts(&h.slowTurns, f, f.N) },
		fault.HangApply:           func(h *host, f *fault.Fault) error { return h.lasts(&h.hung, f, 1) },
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
		fault.NarrowLink:          func(h *host, f *fault.Fault) error { return h.lasts(&h.linkTo(f).Narrow, f, f.N) },
		fault.ClockJump:           (*host).jumpClock,
		fault.SlowDisk:            func(h *host, f *fault.Fault) error { return h.lasts(&h.slowSaves, f, f.N) },
		fault.FullDisk:            (*host).fillDisk,
		fault.Space:               func(h *host, _ *fault.Fault) error { h.space = nil; h.fill(); return nil },
		fault.FailSync:            (*host).failSync,
		fault.FailReads:           func(h *host, f *fault.Fault) error { return h.lasts(&h.faults.noReads, f, 1) },
		fault.FailWrites:          func(h *host, f *fault.Fault) error { return h.lasts(&h.faults.noWrites, f, 1) },
		fault.NoDescriptors:       func(h *host, f *fault.Fault) error { return h.lasts(&h.faults.noFiles, f, 1) },
		fault.RotLog:              onRecord((*host).flip),
		fault.RotHead:             (*host).rotHead,
		fault.RotSnapshot:         onSnapshot((*host).rotSnapshot),
		fault.LostInLog:           onRecord((*host).loseInLog),
		fault.LostInHead:          (*host).loseInHead,
		fault.LostInSnapshot:      onSnapshot((*host).loseInSnapshot),
		fault.MisplacedInLog:      onRecord((*host).misplaceInLog),
		fault.MisplacedInSnapshot: onSnapshot((*host).misplaceInSnapshot),
		fault.StrayWrite:          (*host).strayWrite,
		fault.Wipe:                (*host).wipe,
		fault.ForeignStart:        (*host).foreignStart,
		fault.SecondStart:         (*host).secondStart,
		fault.HandOver:            (*host).handOver,
		fault.LostTail:            (*host).loseTail,
		fault.RemoveFolder:        (*host).removeFolder,
		fault.OlderFolder:         (*host).olderFolder,
		fault.OthersFolder:        (*host).othersFolder,
		fault.ForgeRequest:        (*host).await,
	}
}

// strike performs a fault now. The error reports why it cannot strike; nothing has changed in that case.
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
			s.watcher.Note(s.Now(), f.Host, noteRefused, []any{err})
		}
		return err
	}
	s.stats.Faults++
	s.hash(f.Host, uint64(f.Kind), uint64(f.For)^uint64(f.N)<<20^uint64(f.To)<<50)
	if f.Kind.LosesMemory() {
		s.budget.Spend(f.Host, s.confirmed())
		s.hosts[f.Host].faults.rotten = s.hosts[f.Host].faults.rotten || f.Kind != fault.Wipe
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

// random returns the source of the random choices in a fault's effect.
func random(f *fault.Fault) *rand.Rand { return rand.New(rand.NewPCG(f.Seed, 0)) }

func (h *host) crash(f *fault.Fault) error {
	h.endProcess(f.Kind == fault.PowerCut, random(f))
	h.restartIn(f.For, int(f.N))
	return nil
}

func (h *host) crashIn(f *fault.Fault) error {
	h.faults.untilCrash, h.faults.crash = int(f.N), f
	return h.await(f)
}

func (h *host) failSync(f *fault.Fault) error {
	h.faults.syncs = int(f.N)
	return h.await(f)
}

func (h *host) startByFault(*fault.Fault) error {
	if h.lost {
		return fmt.Errorf("%s has lost its memory", h.id)
	}
	h.start()
	return nil
}

func (h *host) pause(f *fault.Fault) error {
	h.pausedUntil = max(h.pausedUntil, fault.Until(h.s.Now(), f.For))
	return nil
}

func (h *host) suspend(f *fault.Fault) error {
	h.clock.Sleep(h.s.Now(), fault.Until(h.s.Now(), f.For))
	return h.pause(f)
}

func (h *host) jumpClock(f *fault.Fault) error {
	h.clock.Wall += time.Duration(f.N)
	return nil
}

// handOver judges the outcome once the turn that brings it has ended.
func (h *host) handOver(f *fault.Fault) error {
	p, from := h.proc, vsr.View(0)
	x := &shell.Handover{To: vsr.Index(f.To), Done: func(err error) {
		if !errors.Is(err, shell.ErrClosed) {
			p.s.After(0, func() { p.s.handedOver(f, from, err) })
		}
	}}
	p.queue(shell.Input{Do: func(l *shell.Loop) {
		from = l.Core().State().Head.View
		l.Handover(x)
	}})
	if f.For > 0 {
		p.after(f.For, func() { p.queue(shell.Input{Do: func(l *shell.Loop) { l.CancelHandover(x) }}) })
	}
	return nil
}

// handedOver judges the outcome of a handover that a process took up in view from.
func (s *Sim) handedOver(f *fault.Fault, from vsr.View, err error) {
	s.judged(s.judge.HandedOver(f.To, from, err))
	if err == nil && f.To >= 0 && f.To != f.Host {
		s.stats.Handovers++
	}
}

func (h *host) fillDisk(f *fault.Fault) error {
	h.space.Begin(h.s.Now(), f.For, max(h.fs.Used()+f.N, 1))
	h.fill()
	h.s.After(f.For, h.fill)
	return nil
}

func (h *host) wipe(f *fault.Fault) error {
	h.endProcess(true, random(f))
	h.forget()
	h.newDisk()
	h.s.judge.Wiped(h.i)
	h.blank = true
	h.restartIn(f.For, 0)
	return nil
}

// resume ends a pause of the process or its machine. The events that the pause delayed happen now.
func (h *host) resume() {
	was := h.pausedUntil
	h.pausedUntil = 0
	h.clock.Wake(h.s.Now())
	if h.proc != nil {
		h.proc.servedAt = max(h.proc.servedAt, min(was, h.s.Now()))
	}
	if was <= h.s.Now() {
		return
	}
	h.hasten(func(at time.Duration) bool { return at == was })
}

// hasten moves those delayed events of the process to the present.
func (h *host) hasten(which func(at time.Duration) bool) {
	if h.proc != nil {
		h.s.Hasten(h.proc, which)
	}
}

// linkTo returns the link that a fault names.
func (h *host) linkTo(f *fault.Fault) *world.Link { return h.s.net.Links[h.i][f.To] }

// cutLinks cuts all links that the fault cuts.
func (h *host) cutLinks(f *fault.Fault) error {
	h.s.net.Each(func(from, to int, l *world.Link) {
		if f.Cuts(from, to, len(h.s.hosts)) {
			l.CutFor(f.For)
		}
	})
	return nil
}

func (h *host) cutLink(f *fault.Fault) error {
	h.linkTo(f).CutFor(f.For)
	h.s.net.Changed()
	return nil
}

func (h *host) mendLink(f *fault.Fault) error {
	h.linkTo(f).Mend()
	h.s.net.Changed()
	return nil
}

// join mends all links to and from the host.
func (h *host) join(*fault.Fault) error {
	h.s.net.Each(func(from, to int, l *world.Link) {
		if from == h.i || to == h.i {
			l.Mend()
		}
	})
	return nil
}

// Rejoin undoes the effects of all faults on links.
func (s *Sim) Rejoin() {
	s.net.Each(func(_, _ int, l *world.Link) { l.Reset() })
}
