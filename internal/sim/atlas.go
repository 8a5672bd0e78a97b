package sim

// atlas keeps account of the budget of docs/FAULTS.md: crashes and cuts may befall any number, for
// everybody comes back in the end; memory may be lost by n - max(Qr, Qv) members at most, and only
// once the group is confirmed. The faults that chance makes stay within it, so that a verdict is
// possible: beyond it a group may stand still, and nothing is wrong.
type atlas struct {
	s      *Sim
	doomed map[*host]bool // have lost their memory, or may find that they have
	beyond bool           // the budget was overdrawn
}

func newAtlas(s *Sim) atlas { return atlas{s: s, doomed: map[*host]bool{}} }

// mayLose reports whether the host's memory may be lost.
func (a *atlas) mayLose(h *host) bool {
	m := &a.s.members
	return a.doomed[h] || len(a.doomed) < len(a.s.hosts)-max(m.Qr, m.Qv) && a.s.judge.Committed().Op > 1
}

// took accounts for a fault by which the host loses its memory, at once or when it reads what there is.
func (a *atlas) took(h *host) {
	a.beyond = a.beyond || !a.mayLose(h)
	a.doomed[h] = true
}
