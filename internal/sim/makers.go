package sim

import (
	"time"

	"github.com/smr-go/smr/internal/vsr"
)

// Troubles is how often chance makes faults: the mean time between those of a kind; zero: none.
type Troubles struct {
	Crash, CrashAll, CrashIn, StopInOrder, Pause, SlowTurns    time.Duration
	Partition, Cut, BadLink, Rotate                            time.Duration
	SlowDisk, FullDisk, FailSync, FailIO, Rot, Clock, HandOver time.Duration
	Misdirect, Mistaken                                        time.Duration
	MemoryLoss                                                 bool          // one member's, while the others go on
	Rereads                                                    bool          // crashes follow what befalls a disk, so that it is read
	SparesLog                                                  bool          // damage is to snapshots: of the budget the log mostly leaves nothing for them
	PowerCut                                                   float64       // the part of crashes that cut the power
	Down                                                       time.Duration // at most
	Aims                                                       []aim
}

// drawTroubles turns each kind on in some seeds. Calm seeds are some too.
func drawTroubles(s stream) *Troubles {
	var t Troubles
	t.Down = s.scale(10*time.Millisecond, 8*time.Second)
	t.PowerCut = oneOf(s, 0, 0.5, 1)
	every := func(p float64, a, b time.Duration) time.Duration {
		if d := s.scale(a, b); s.chance(p) {
			return d
		}
		return 0
	}
	calm := s.chance(0.1)
	t.Crash = every(0.5, 300*time.Millisecond, 10*time.Second)
	t.CrashAll = every(0.15, 2*time.Second, 15*time.Second)
	t.Partition = every(0.4, 500*time.Millisecond, 10*time.Second)
	t.Cut = every(0.4, 200*time.Millisecond, 5*time.Second)
	t.Pause = every(0.3, 500*time.Millisecond, 10*time.Second)
	t.SlowDisk = every(0.3, time.Second, 10*time.Second)
	t.FullDisk = every(0.15, 2*time.Second, 15*time.Second)
	t.HandOver = every(0.25, time.Second, 10*time.Second)
	t.StopInOrder = every(0.2, 2*time.Second, 15*time.Second)
	t.Rotate = every(0.4, 500*time.Millisecond, 10*time.Second)
	t.CrashIn = every(0.4, 300*time.Millisecond, 10*time.Second)
	t.SlowTurns = every(0.15, 2*time.Second, 10*time.Second)
	t.BadLink = every(0.2, time.Second, 10*time.Second)
	t.FailSync = every(0.2, 2*time.Second, 15*time.Second)
	t.FailIO = every(0.15, 2*time.Second, 15*time.Second)
	t.Rot = every(0.15, 2*time.Second, 15*time.Second)
	t.Clock = every(0.2, 2*time.Second, 15*time.Second)
	t.MemoryLoss = s.chance(0.1)
	t.Rereads = true
	t.Aims = drawAims(s)
	if calm {
		return &Troubles{Down: t.Down, Rereads: true}
	}
	return &t
}

// drawMistakes turns on what disks and operators do wrong without saying so.
func (t *Troubles) drawMistakes(s stream) {
	if d := s.scale(300*time.Millisecond, 10*time.Second); s.chance(0.15) {
		t.Misdirect = d
	}
	if d := s.scale(300*time.Millisecond, 10*time.Second); s.chance(0.1) {
		t.Mistaken = d
	}
	if d := s.scale(200*time.Millisecond, 1500*time.Millisecond); s.chance(0.1) {
		t.Rot = d // ten times as often as else
	}
	t.SparesLog = s.chance(0.2)
}

// stretch makes everything so many times rarer.
func (t *Troubles) stretch(times int) {
	for _, d := range t.means() {
		*d *= time.Duration(times)
	}
}

func (t *Troubles) means() []*time.Duration {
	return []*time.Duration{&t.Crash, &t.CrashAll, &t.CrashIn, &t.StopInOrder, &t.Pause, &t.SlowTurns, &t.Partition, &t.Cut,
		&t.BadLink, &t.Rotate, &t.SlowDisk, &t.FullDisk, &t.FailSync, &t.FailIO, &t.Rot, &t.Clock, &t.HandOver,
		&t.Misdirect, &t.Mistaken}
}

// spareMemory leaves out what takes a process down, but for crashes of the few who may be lost.
func (t *Troubles) spareMemory() {
	t.CrashAll, t.CrashIn, t.StopInOrder, t.FullDisk, t.FailSync, t.FailIO, t.Rot = 0, 0, 0, 0, 0, 0, 0
	t.Misdirect, t.Mistaken = 0, 0
}

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
	} else if older, late := h.copies(); f.Kind == RotHead && late {
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
	least := 1 // bytes of a snapshot
	switch kind {
	case RotSnapshot, LostInSnapshot:
	case MisplacedInSnapshot:
		least = sector + 2*h.s.p.ChunkSize
	default:
		return true
	}
	_, b, err := h.snapshotFile()
	return err == nil && len(b) >= least
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
	if f.Kind.losesMemory() {
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
