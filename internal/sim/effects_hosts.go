package sim

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/smr-go/smr/internal/shell"
	"github.com/smr-go/smr/internal/sim/fault"
	"github.com/smr-go/smr/internal/vsr"
)

// random returns the source of the random choices in a fault's effect.
func random(f *fault.Fault) *rand.Rand { return rand.New(rand.NewPCG(f.Seed, 0)) }

func (h *host) crash(f *fault.Fault) error {
	h.fall(f.Kind == fault.PowerCut, random(f))
	h.later(f.For, int(f.N))
	return nil
}

func (h *host) crashIn(f *fault.Fault) error {
	h.faults.fuse, h.faults.fault = int(f.N), f
	return nil
}

func (h *host) startByFault(*fault.Fault) error {
	if h.lost {
		return fmt.Errorf("%s has lost its memory", h.id)
	}
	h.start()
	return nil
}

// stopTime is the time for which a process that stops in order stays up, so that the others learn of
// it.
const stopTime = 10 * time.Millisecond

func (h *host) stop(f *fault.Fault) error {
	p, rng := h.proc, random(f)
	p.queue(shell.Input{Do: func(l *shell.Loop) { l.Leave() }})
	p.after(stopTime, func() { h.fall(false, rng); h.later(f.For, 0) })
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

func (h *host) handOver(f *fault.Fault) error {
	p := h.proc
	x := &shell.Handover{To: vsr.Index(f.To), Done: func(error) {}}
	p.queue(shell.Input{Do: func(l *shell.Loop) { l.Handover(x) }})
	if f.For > 0 {
		p.after(f.For, func() { p.queue(shell.Input{Do: func(l *shell.Loop) { l.CancelHandover(x) }}) })
	}
	return nil
}

func (h *host) fillDisk(f *fault.Fault) error {
	h.full.Begin(h.s.Now(), f.For, max(h.fs.Used()+f.N, 1))
	h.fill()
	h.s.After(f.For, h.fill)
	return nil
}

func (h *host) wipe(f *fault.Fault) error {
	h.fall(true, random(f))
	h.forget()
	h.newDisk()
	h.s.judge.Wiped(h.i)
	h.later(f.For, 0)
	return nil
}

// resume ends a pause of the process or its machine. The events that the pause delayed happen now.
func (h *host) resume() {
	was := h.pausedUntil
	h.pausedUntil = 0
	h.clock.Wake(h.s.Now())
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
