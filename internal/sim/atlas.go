package sim

// atlas keeps the faults that chance makes within the budget of RELIABILITY.md, so that a verdict
// is possible: crashes and cuts may befall any number, for everybody comes back in the end; memory
// may be lost by n - max(Qr, Qv) members at most, and only once the group is confirmed.
type atlas struct {
	s      *Sim
	doomed map[*host]bool // have lost their memory, or may find that they have
}

func newAtlas(s *Sim) atlas { return atlas{s, map[*host]bool{}} }

// mayLose reports whether the host's memory may be lost, and if so takes it that it will be.
func (a *atlas) mayLose(h *host) bool {
	m := &a.s.members
	if !a.doomed[h] && (len(a.doomed) >= len(a.s.hosts)-max(m.Qr, m.Qv) || len(a.s.ledger.committed) <= 2) {
		return false
	}
	a.doomed[h] = true
	return true
}
