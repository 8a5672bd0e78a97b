package sim

import (
	"github.com/smr-go/smr/internal/sim/fault"
	"github.com/smr-go/smr/internal/vsr"
)

// Do strikes with a fault now. The error reports why it cannot strike.
func (s *Sim) Do(f fault.Fault) error {
	f.At, f.After = s.Now(), nil
	return s.strike(f)
}

// Cancel cancels a call, as the end of its caller's context does. The call ends in the next turn of its replica.
func (s *Sim) Cancel(c *Call) {
	if p := s.hosts[c.Host].proc; p != nil && c.Outcome == Pending {
		p.cancel(c)
	}
}

// Reaches reports whether the link from one host to another is whole.
func (s *Sim) Reaches(from, to int) bool { return from == to || !s.net.Links[from][to].IsCut() }

// MessageKinds returns the names of all kinds of messages.
func MessageKinds() (names []string) {
	for kind := vsr.MessageKind(1); kind <= vsr.LastKind; kind++ {
		names = append(names, kind.String())
	}
	return names
}

// Needed returns the number of members that must be up and reach each other for a group of n to serve.
func Needed(n int) int {
	m := vsr.NewMembership(make([]vsr.Member, n))
	return max(m.Qr, m.Qv)
}
