package sim

import (
	"time"

	"github.com/smr-go/smr/internal/sim/fault"
)

// linkTo returns the link that a fault names.
func (h *host) linkTo(f *fault.Fault) *link { return h.s.links[h.i][f.To] }

// cutLinks cuts the links that the fault says.
func (h *host) cutLinks(f *fault.Fault) error {
	for _, links := range h.s.links {
		for _, l := range links {
			if f.Cuts(l.from, l.to, len(links)) {
				l.cutFor(f.For)
			}
		}
	}
	h.s.linksChanged()
	return nil
}

func (h *host) cutLink(f *fault.Fault) error {
	h.linkTo(f).cutFor(f.For)
	h.s.linksChanged()
	return nil
}

func (h *host) mendLink(f *fault.Fault) error {
	h.linkTo(f).cutOff = false
	h.s.linksChanged()
	return nil
}

// join mends all links to and from the host.
func (h *host) join(*fault.Fault) error {
	for other := range h.s.links {
		h.s.links[h.i][other].cutOff, h.s.links[other][h.i].cutOff = false, false
	}
	h.s.linksChanged()
	return nil
}

// Rejoin ends all that faults did to the links.
func (s *Sim) Rejoin() {
	for _, links := range s.links {
		for _, l := range links {
			l.cutUntil, l.cutOff, l.slow, l.lossy = 0, false, nil, nil
		}
	}
	s.linksChanged()
}

// cutFor cuts the link for a while; 0: until Mend or Join.
func (l *link) cutFor(d time.Duration) {
	if d == 0 {
		l.cutOff = true
		return
	}
	l.cutUntil = max(l.cutUntil, l.s.now+d)
	l.s.after(d, l.changed)
}
