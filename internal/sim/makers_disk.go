package sim

import "time"

// failIO has reads or writes fail. Since a replica reads rarely, it then goes down and starts.
func (s *Sim) failIO(r stream) {
	h := s.running(r)
	f := Fault{Kind: oneOf(r, FailReads, FailWrites), Host: h.i, For: r.scale(10*time.Millisecond, 5*time.Second)}
	if s.make(f) == nil && f.Kind == FailReads && r.chance(0.8) {
		s.reread(r, h, r.between(0, f.For/4), f.For/4)
	}
}

// reread has a member go down in a while, and not for long, so that it reads what is on its disk.
func (s *Sim) reread(r stream, h *host, in, down time.Duration) {
	f := Fault{Kind: Crash, Host: h.i, For: r.scale(time.Millisecond, max(down, time.Millisecond)), Seed: r.Uint64()}
	if r.chance(s.makers.PowerCut) {
		f.Kind = PowerCut
	}
	if !s.makers.Rereads {
		return
	}
	s.faultAt(s.now+in, func() {
		if s.troubled() && h.proc != nil {
			s.make(f)
		}
	})
}

// rotSomething flips a bit on a disk that may be lost.
func (s *Sim) rotSomething(r stream) {
	f := Fault{Kind: oneOf(r, RotLog, RotLog, RotHead, RotSnapshot), N: r.Int64N(2), Seed: r.Uint64()}
	if s.makers.SparesLog {
		f.Kind = RotSnapshot
	}
	h := s.losable(r, f.Kind)
	if h == nil {
		return
	}
	f.Host = h.i
	if f.Kind == RotLog {
		f.N = h.anyCovered(r)
	} else if older, late := olderOf(h.headCopies()); f.Kind == RotHead && late {
		f.N = int64(older)
	}
	if s.make(f) == nil && r.chance(0.5) {
		s.reread(r, h, r.scale(time.Millisecond, time.Second), s.makers.Down)
	}
}

// losable chooses a member that may lose its memory so, and has not lost it yet; nil: there is none.
func (s *Sim) losable(r stream, by Kind) *host {
	will := func(h *host) bool { return !h.lost && s.atlas.mayLose(h) && h.offers(by) }
	if h := s.pick(r, will); will(h) {
		return h
	}
	return nil
}

// offers reports whether there is on the disk what that kind befalls.
func (h *host) offers(kind Kind) bool {
	if kind != RotSnapshot && kind != LostInSnapshot && kind != MisplacedInSnapshot {
		return true
	}
	_, b, err := h.snapshotFile()
	return err == nil && (kind != MisplacedInSnapshot || len(fullChunks(b)) > 1)
}

// anyCovered chooses an op of the log that a later mark covers: often the last.
func (h *host) anyCovered(r stream) int64 {
	first, last := h.s.Covered(h.i)
	if r.chance(0.4) {
		return int64(last)
	}
	return int64(first) + r.Int64N(max(1, int64(last+1)-int64(first)))
}

// loseMemory takes everything from a member's disk, for good: since S3 is not built it never comes
// back in. Not before the group is confirmed.
func (s *Sim) loseMemory(r stream) {
	h := s.victim(r)
	if s.troubled() && s.atlas.mayLose(h) {
		s.make(Fault{Kind: Wipe, Host: h.i, For: s.downFor(r), Seed: r.Uint64()})
	}
}

// misdirect has a write be lost or elsewhere: on a disk that may be lost, or so that the replica does
// not lose its memory by it. Then it often goes down at once, before the next write is over that.
func (s *Sim) misdirect(r stream) {
	f := Fault{Seed: r.Uint64()}
	f.Kind = oneOf(r, LostInLog, LostInSnapshot, MisplacedInLog, MisplacedInSnapshot, LostInHead, StrayWrite, StrayWrite)
	switch {
	case !s.makers.SparesLog:
	case f.Kind == LostInLog:
		f.Kind = LostInSnapshot
	case f.Kind == MisplacedInLog:
		f.Kind = MisplacedInSnapshot
	}
	h := s.running(r)
	if f.Kind.LosesMemory() {
		h = s.losable(r, f.Kind)
	}
	if h == nil {
		return
	}
	f.Host = h.i
	if f.Kind == LostInLog || f.Kind == MisplacedInLog {
		f.N = h.anyCovered(r)
		if r.chance(0.4) { // one of the latest
			f.N = max(1, int64(h.covered)-r.Int64N(6))
		}
	}
	if (f.Kind == LostInSnapshot || f.Kind == MisplacedInSnapshot) && r.chance(0.7) { // while somebody wants it
		s.makers.spoils[h] = f
		return
	}
	if s.make(f) == nil && r.chance(0.5) {
		s.reread(r, h, 0, s.makers.Down)
	}
}

// mistake has a process started on a directory that is another's, or in use.
func (s *Sim) mistake(r stream) {
	f := Fault{Kind: SecondStart, Host: s.running(r).i}
	for _, h := range s.hosts {
		if h.proc == nil && !h.lost { // there it is not refused for its lock
			f = Fault{Kind: ForeignStart, Host: h.i, To: r.IntN(len(s.hosts))}
		}
	}
	s.make(f)
}
