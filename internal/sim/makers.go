package sim

import (
	"time"

	"github.com/smr-go/smr/internal/vsr"
)

// makers choose faults while a run goes on: each has its own randomness, and what it does is a
// Fault like any other.
type makers struct {
	*Troubles
	aims   []stream
	spoils map[*host]Fault // of snapshots, that wait until somebody wants them
}

// MakeTrouble has chance make faults until the run's Trouble is over.
func (s *Sim) MakeTrouble(t *Troubles) {
	s.makers = &makers{Troubles: t, spoils: map[*host]Fault{}}
	for i := range t.Aims {
		s.makers.aims = append(s.makers.aims, newStream(s.p.Seed, "aim", i))
	}
	s.every("crash", t.Crash, func(r stream) { s.crash(r, s.victim(r)) })
	s.every("crash all", t.CrashAll, func(r stream) {
		for _, h := range s.hosts {
			s.crash(r, h)
		}
	})
	s.every("crash in storage", t.CrashIn, func(r stream) {
		s.make(Fault{Kind: CrashIn, Host: s.victim(r).i, N: 1 + r.Int64N(12), For: s.downFor(r), Seed: r.Uint64()})
	})
	s.every("partition", t.Partition, s.partition)
	s.every("cut", t.Cut, s.cut)
	s.every("bad link", t.BadLink, s.badLink)
	s.every("rotate", t.Rotate, func(r stream) { s.rotate(r, 1+r.IntN(6)) })
	s.every("pause", t.Pause, func(r stream) { s.shoot(s.running(r), pauses, r) })
	s.every("slow turns", t.SlowTurns, func(r stream) {
		s.make(Fault{Kind: SlowTurns, Host: s.running(r).i, N: int64(r.scale(time.Millisecond, 100*time.Millisecond)), For: r.scale(100*time.Millisecond, 5*time.Second)})
	})
	s.every("slow disk", t.SlowDisk, func(r stream) {
		s.make(Fault{Kind: SlowDisk, Host: s.running(r).i, N: int64(r.scale(time.Millisecond, 30*time.Second)), For: r.scale(100*time.Millisecond, 10*time.Second)})
	})
	s.every("full disk", t.FullDisk, func(r stream) {
		s.make(Fault{Kind: FullDisk, Host: s.running(r).i, N: r.Int64N(8<<10) + 1, For: r.scale(200*time.Millisecond, 20*time.Second)})
	})
	s.every("fail sync", t.FailSync, func(r stream) { s.make(Fault{Kind: FailSync, Host: s.running(r).i, N: 1 + r.Int64N(8)}) })
	s.every("fail io", t.FailIO, s.failIO)
	s.every("rot", t.Rot, s.rotSomething)
	s.every("misdirect", t.Misdirect, s.misdirect)
	s.every("mistaken", t.Mistaken, s.mistake)
	s.every("clock", t.Clock, func(r stream) {
		s.make(Fault{Kind: ClockJump, Host: s.victim(r).i, N: int64(r.scale(time.Millisecond, 24*time.Hour)) * oneOf[int64](r, -1, 1)})
	})
	s.every("hand over", t.HandOver, s.handOver)
	s.every("stop in order", t.StopInOrder, func(r stream) {
		s.make(Fault{Kind: Stop, Host: s.running(r).i, For: s.downFor(r), Seed: r.Uint64()})
	})
	if t.MemoryLoss {
		r := newStream(s.p.Seed, "memory")
		s.faultAt(r.between(s.now, s.trouble), func() { s.loseMemory(r) })
	}
}

// every makes a kind of fault again and again.
func (s *Sim) every(kind string, mean time.Duration, do func(stream)) {
	if mean == 0 {
		return
	}
	rng := newStream(s.p.Seed, kind)
	var next func()
	next = func() {
		if s.troubled() {
			do(rng)
			s.faultAt(s.now+rng.about(mean), next)
		}
	}
	s.faultAt(s.now+rng.about(mean), next)
}

// troubled reports whether faults are being made now.
func (s *Sim) troubled() bool { return !s.healed && s.now < s.trouble && s.err == nil }

// victim chooses a member that has its memory.
func (s *Sim) victim(r stream) *host {
	return s.pick(r, func(h *host) bool { return !h.lost })
}

// running chooses likewise one whose process runs, if there is any.
func (s *Sim) running(r stream) *host {
	return s.pick(r, func(h *host) bool { return h.proc != nil })
}

// pick chooses one that will do, if there is any: often the primary.
func (s *Sim) pick(r stream, will func(h *host) bool) *host {
	primary, from := r.chance(0.4), r.IntN(len(s.hosts))
	if h := s.primary(); primary && h != nil && will(h) {
		return h
	}
	for i := range s.hosts {
		if h := s.hosts[(from+i)%len(s.hosts)]; will(h) {
			return h
		}
	}
	return s.hosts[from]
}

// other chooses a member, but for this one: there is none in a group of one.
func (s *Sim) other(r stream, than int) int {
	n := len(s.hosts)
	return (than + 1 + r.IntN(max(n-1, 1))) % n
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

func (s *Sim) downFor(r stream) time.Duration {
	return r.scale(time.Millisecond, s.makers.Down)
}

// crash takes a machine down, and sometimes again while it starts.
func (s *Sim) crash(r stream, h *host) {
	f := Fault{Kind: Crash, Host: h.i, For: s.downFor(r), Seed: r.Uint64()}
	if r.chance(s.makers.PowerCut) {
		f.Kind = PowerCut
	}
	if s.makers.CrashIn > 0 && r.chance(0.2) {
		f.N = 1 + r.Int64N(15)
	}
	switch {
	case h.proc == nil:
	case s.p.Volatile && !s.atlas.mayLose(h):
	case s.p.Volatile:
		s.make(Fault{Kind: Wipe, Host: h.i, For: f.For, Seed: f.Seed})
	default:
		s.make(f)
	}
}

// partition cuts the members into two sides, or one off from the others, in both directions or one.
func (s *Sim) partition(r stream) {
	n := len(s.hosts)
	f := Fault{For: r.scale(50*time.Millisecond, 8*time.Second), Host: s.victim(r).i}
	f.Kind = oneOf(r, Isolate, Isolate, Isolate, Split, Split, SplitOneWay, Deafen, Bridge, Ring)
	switch {
	case n == 1:
		return
	case f.Kind == Bridge && n < 3, f.Kind == Ring && n < 4: // would cut nothing
		f.Kind = Isolate
	}
	if f.Kind.chooses() {
		f.N = s.side(r, f.Kind, f.Host)
	}
	s.make(f)
}

// side chooses some members, and leaves some: of those that a bridge joins, if it is one.
func (s *Sim) side(r stream, kind Kind, bridge int) (mask int64) {
	all := int64(1)<<len(s.hosts) - 1
	if kind == Bridge {
		all &^= 1 << bridge
	}
	for mask == 0 || mask == all {
		mask = r.Int64N(all+1) & all
	}
	return mask
}

// cut cuts one link, in both directions or one.
func (s *Sim) cut(r stream) {
	if len(s.hosts) == 1 {
		return
	}
	f := Fault{Kind: Cut, Host: r.IntN(len(s.hosts)), For: r.scale(50*time.Millisecond, 10*time.Second)}
	f.To = s.other(r, f.Host)
	s.make(f)
	if r.chance(0.5) {
		f.Host, f.To = f.To, f.Host
		s.make(f)
	}
}

// badLink makes a link slow or lossy.
func (s *Sim) badLink(r stream) {
	if len(s.hosts) == 1 {
		return
	}
	f := Fault{Kind: SlowLink, Host: r.IntN(len(s.hosts)), For: r.scale(50*time.Millisecond, 10*time.Second)}
	f.To = s.other(r, f.Host)
	f.N = int64(r.scale(time.Millisecond, 5*time.Second))
	if r.chance(0.5) {
		f.Kind, f.N = LossyLink, 1+r.Int64N(999)
	}
	s.make(f)
}

// rotate cuts the primary off until another one is there, then that one, in the moment in which the
// first comes back: so that old logs meet new ones with nobody between them who knows better.
func (s *Sim) rotate(r stream, rounds int) {
	h := s.primary()
	if h == nil || rounds == 0 || !s.troubled() || len(s.hosts) == 1 {
		return
	}
	view, kind := h.proc.seen.Head.View, Isolate
	if r.chance(0.3) {
		kind = Deafen
	}
	s.make(Fault{Kind: kind, Host: h.i})
	patience := s.now + 3*time.Second
	var look func()
	look = func() {
		if next := s.primary(); s.now < patience && (next == nil || next.proc.seen.Head.View <= view) {
			s.faultAt(s.now+5*time.Millisecond, look)
			return
		}
		s.faultAt(s.now+r.scale(time.Millisecond, 500*time.Millisecond), func() {
			s.make(Fault{Kind: Join, Host: h.i})
			s.rotate(r, rounds-1)
		})
	}
	look()
}

// handOver asks the primary to hand over; now and then one that is not primary.
func (s *Sim) handOver(r stream) {
	h := s.primary()
	if r.chance(0.1) {
		h = s.running(r)
	}
	if h == nil || len(s.hosts) == 1 {
		return
	}
	f := Fault{Kind: HandOver, Host: h.i}
	if f.To = s.other(r, f.Host); r.IntN(len(s.hosts)) == 0 {
		f.To = -1
	}
	if r.chance(0.5) {
		f.For = r.between(1, time.Second)
	}
	s.make(f)
}
