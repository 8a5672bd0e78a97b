package sim

import "time"

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
