package sim

import (
	"time"

	"github.com/smr-go/smr/internal/vsr"
)

// troubled reports whether faults are being made now.
func (s *Sim) troubled() bool { return !s.healed && s.now < s.p.Trouble && s.err == nil }

// makeFaults starts the makers of faults, each with its own randomness.
func (s *Sim) makeFaults() {
	f := &s.p.Faults
	for i := range f.Aims {
		s.aims = append(s.aims, newStream(s.seed, "aim", i))
	}
	s.every("crash", f.Crash, func(r stream) { s.victim(r).crash(r) })
	s.every("crash all", f.CrashAll, s.crashAll)
	s.every("crash in storage", f.CrashInStorage, func(r stream) { s.victim(r).fuse = 1 + r.IntN(12) })
	s.every("partition", f.Partition, s.partition)
	s.every("cut", f.Cut, s.cut)
	s.every("rotate", f.Rotate, func(r stream) { s.rotate(r, 1+r.IntN(6)) })
	s.every("pause", f.Pause, func(r stream) { s.shoot(s.victim(r), pauses, r) })
	s.every("slow disk", f.SlowDisk, s.slowDisk)
	s.every("full disk", f.FullDisk, s.fullDisk)
	s.every("handover", f.Handover, s.handover)
	s.every("stop in order", f.StopInOrder, s.stopInOrder)
	if f.MemoryLoss {
		s.after(newStream(s.seed, "when memory is lost").between(0, s.p.Trouble), s.loseMemory)
	}
}

// every makes a kind of fault again and again.
func (s *Sim) every(kind string, mean time.Duration, do func(stream)) {
	if mean == 0 {
		return
	}
	rng := newStream(s.seed, kind)
	var next func()
	next = func() {
		if !s.troubled() {
			return
		}
		s.note(-1, kind, 0)
		s.stats.Faults++
		do(rng)
		s.after(rng.about(mean), next)
	}
	s.after(rng.about(mean), next)
}

// victim chooses a member: often the primary.
func (s *Sim) victim(r stream) *host {
	primary, other := r.chance(0.4), s.hosts[r.IntN(len(s.hosts))]
	if h := s.primary(); primary && h != nil {
		return h
	}
	return other
}

func (h *host) crash(r stream) {
	power := r.chance(h.s.p.Faults.PowerCut)
	if h.proc != nil {
		h.down(power)
	}
}

func (s *Sim) crashAll(r stream) {
	for _, h := range s.hosts {
		h.crash(r)
	}
}

// partition cuts the members into two sides, or one off from the others, in both directions or one.
func (s *Sim) partition(r stream) {
	if r.chance(0.5) {
		s.isolate(s.victim(r), r.scale(50*time.Millisecond, 8*time.Second))
		return
	}
	side, d, oneWay := r.IntN(1<<len(s.hosts)), r.scale(50*time.Millisecond, 8*time.Second), r.chance(0.3)
	for i := range s.hosts {
		for j := range s.hosts {
			if a, b := side>>i&1, side>>j&1; a != b && !(oneWay && a < b) {
				s.links[i][j].cutFor(d)
			}
		}
	}
}

// rotate cuts the primary off until another one is there, then that one, in the moment in which the
// first comes back: so that old logs meet new ones with nobody between them who knows better.
func (s *Sim) rotate(r stream, rounds int) {
	h := s.primary()
	if h == nil || rounds == 0 || !s.troubled() {
		return
	}
	view, deaf := h.proc.seen.Head.View, r.chance(0.3)
	s.note(h.i, "is cut off until there is another primary", uint64(view))
	s.cutOff(h, 1, deaf)
	patience := s.now + 3*time.Second
	var look func()
	look = func() {
		if next := s.primary(); s.now < patience && (next == nil || next.proc.seen.Head.View <= view) {
			s.after(5*time.Millisecond, look)
			return
		}
		s.after(r.scale(time.Millisecond, 500*time.Millisecond), func() {
			s.cutOff(h, -1, deaf)
			s.rotate(r, rounds-1)
		})
	}
	look()
}

// primary returns the host of the latest view's primary; nil if there is none.
func (s *Sim) primary() (h *host) {
	for _, x := range s.hosts {
		if p := x.proc; p != nil && p.seen.Phase == vsr.Primary && (h == nil || p.seen.Head.View > h.proc.seen.Head.View) {
			h = x
		}
	}
	return h
}

// cutOff adds to the cuts of a member's links; of those to it only if it is to be deaf.
func (s *Sim) cutOff(h *host, cuts int, deaf bool) {
	for i := range s.hosts {
		s.links[i][h.i].cuts += cuts
		if !deaf {
			s.links[h.i][i].cuts += cuts
		}
	}
}

// isolate cuts a member off from all others.
func (s *Sim) isolate(h *host, d time.Duration) {
	s.note(h.i, "is cut off for", uint64(d), d)
	s.cutOff(h, 1, false)
	s.after(d, func() { s.cutOff(h, -1, false) })
}

// cut cuts one link, in both directions or one.
func (s *Sim) cut(r stream) {
	i, j, d := r.IntN(len(s.hosts)), r.IntN(len(s.hosts)), r.scale(50*time.Millisecond, 10*time.Second)
	s.note(i, "is cut off for from", uint64(j), d, vsr.Index(j))
	s.links[i][j].cutFor(d)
	if r.chance(0.5) {
		s.links[j][i].cutFor(d)
	}
}

func (s *Sim) slowDisk(r stream) {
	h := s.victim(r)
	h.slowness = r.scale(time.Millisecond, 30*time.Second)
	h.slowUntil = s.now + r.scale(100*time.Millisecond, 10*time.Second)
	s.note(h.i, "has a slow disk:", uint64(h.slowness), h.slowness)
}

// fullDisk leaves a disk little space for a while (F13).
func (s *Sim) fullDisk(r stream) {
	h := s.victim(r)
	h.fs.SetCapacity(h.fs.Used() + r.Int64N(8<<10) + 1)
	s.note(h.i, "has a full disk", 0)
	s.after(r.scale(50*time.Millisecond, 10*time.Second), func() { h.fs.SetCapacity(0) })
}

func (s *Sim) handover(r stream) {
	h, to := s.victim(r), vsr.Index(r.IntN(len(s.hosts)+1)-1)
	if p := h.proc; p != nil && int(to) != h.i {
		p.input(func(now time.Time) { p.core.Handover(now, to) })
		if r.chance(0.5) {
			p.after(r.between(0, time.Second), func() {
				p.input(func(now time.Time) { p.core.CancelHandover(now) })
			})
		}
	}
}

// stopInOrder ends a process as Close does: it says that it leaves.
func (s *Sim) stopInOrder(r stream) {
	h, d := s.victim(r), r.between(0, 20*time.Millisecond)
	p := h.proc
	if p == nil {
		return
	}
	p.input(func(now time.Time) { p.core.Leave(now) })
	p.after(d, func() { h.down(false) })
}

// loseMemory takes everything from a member's disk, for good: within the budget, since without S3
// it never comes back in, and not before the group is confirmed.
func (s *Sim) loseMemory() {
	h := s.victim(newStream(s.seed, "whose memory is lost"))
	if !s.troubled() || len(s.hosts)-max(s.members.Qr, s.members.Qv) < 1 || len(s.ledger.committed) <= 2 {
		return
	}
	if h.proc != nil {
		h.down(true)
	}
	s.note(h.i, "loses its memory", 0)
	h.lost = true
	h.newDisk()
}
