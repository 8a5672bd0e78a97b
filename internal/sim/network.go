package sim

import (
	"github.com/smr-go/smr/internal/vsr"
	"github.com/smr-go/smr/internal/wire"
)

// send puts a message on a link.
func (s *Sim) send(from, to int, b []byte, m vsr.Message) {
	s.messages++
	s.mark(from, marksSend, uint64(b[1])<<40|uint64(to)<<32|uint64(len(b)))
	if s.watcher != nil {
		s.watcher.Sent(s.Now(), s.messages, from, to, m)
	}
	s.stats.Messages++
	s.net.Links[from][to].Send(s.messages, b)
}

// group is the members that the network connects.
type group struct{ *Sim }

func (g group) Up(i int) bool { return g.hosts[i].proc != nil }

func (g group) Receive(from, to int, b []byte) { g.hosts[to].proc.receive(from, b) }

// Altered checks that an altered message is noticed.
func (g group) Altered(b []byte) {
	if _, _, err := wire.DecodeMessage(b, g.tag); err == nil {
		g.fail("F2", "a message with a flipped bit is taken for a good one")
	}
}

// Severed reports whether an absence cuts the link.
func (g group) Severed(from, to int) bool {
	return from != to && (g.hosts[from].absent == staysMute || g.hosts[to].absent == staysDeaf)
}
