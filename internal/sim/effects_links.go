package sim

import (
	"github.com/smr-go/smr/internal/sim/fault"
	"github.com/smr-go/smr/internal/sim/world"
)

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
