package sim

import (
	"github.com/smr-go/smr/internal/sim/fault"
	"github.com/smr-go/smr/internal/vsr"
)

// Do lets a fault happen now. The error says why it cannot.
func (s *Sim) Do(f fault.Fault) error {
	f.At, f.After = s.Now(), nil
	return s.strike(f)
}

// Cancel gives a call up, as a caller does whose context ends; it ends when its replica comes to it.
func (s *Sim) Cancel(c *Call) {
	if p := s.hosts[c.Host].proc; p != nil && c.Outcome == Pending {
		p.cancel(c)
	}
}

// Reaches reports whether messages get from one host to another.
func (s *Sim) Reaches(from, to int) bool { return from == to || !s.net.Links[from][to].IsCut() }

// Heal ends all faults, and starts those that are down and have kept their memory; from now on
// there are none.
func (s *Sim) Heal() { s.heal() }

// MessageKinds returns the names of all kinds of messages.
func MessageKinds() (names []string) {
	for kind := vsr.MessageKind(1); kind <= vsr.LastKind; kind++ {
		names = append(names, kind.String())
	}
	return names
}

// Needed returns how many members must be up, and reach each other, for a group of n to work.
func Needed(n int) int {
	m := vsr.NewMembership(make([]vsr.Member, n))
	return max(m.Qr, m.Qv)
}
