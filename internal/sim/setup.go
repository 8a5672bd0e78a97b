package sim

import (
	"time"
)

// Setup is what the world of one run is like, but for the faults. Durations are virtual.
type Setup struct {
	Seed      uint64 // of all that chance does
	Replicas  int
	Qr, Qv    int           // 0: the default quorums
	Calm      time.Duration // before that all is calm until a command is answered; so long at most
	Trouble   time.Duration // how long faults are made and callers are busy
	Heartbeat time.Duration
	Trust     time.Duration // of a detector that trusts for a fixed time; 0: the one that learns
	DiskLimit time.Duration
	Window    int64
	Tail      int64
	KeepLog   int64
	Volatile  bool // the cores keep their logs in memory, and who goes down has lost it

	SnapshotEvery int
	CompareEvery  int // operations from one comparison of whole states to the next
	SegmentSize   int64
	ChunkSize     int

	Network  Network
	Callers  Callers
	Lists    ListCalls // what callers do if the state machine is smr's own
	Unhealed Unhealed  // who stays out of reach for a while when all else is healed

	Save     time.Duration // what a save takes, at the median
	Apply    time.Duration // what applying takes
	Turn     time.Duration // what a turn of the loop waits, at most
	Drift    float64       // how much the clocks' rates differ from the true one, at most
	ClockGap time.Duration // how far the wall clocks are apart, at most
}

// Network is what all links are like; probabilities are of one message.
type Network struct {
	Delay, Jitter time.Duration
	Loss          float64
	Double        float64
	Late          float64 // delayed by up to Lateness
	Lateness      time.Duration
	Replay        float64 // followed by an old message
	Corrupt       float64
}

// Callers is what those do who call the replicas.
type Callers struct {
	PerReplica int
	Think      time.Duration // between a caller's operations, the mean
	Cancels    float64       // of all operations: given up after a while
	Patience   time.Duration // how long those wait, at most
	Burst      float64       // probability of the next operation following at once
}

// Calm is a world without accidents: three replicas, a quick network, quick disks.
func Calm(seed uint64) *Setup {
	return &Setup{
		Seed: seed, Replicas: 3, Trouble: 10 * time.Second, Heartbeat: 50 * time.Millisecond,
		DiskLimit: 5 * time.Second, Window: 64 << 20, Tail: 64 << 10, KeepLog: 256 << 10,
		SnapshotEvery: 200, CompareEvery: 64, SegmentSize: 64 << 10, ChunkSize: 4096,
		Network: Network{Delay: time.Millisecond, Jitter: 200 * time.Microsecond},
		Callers: Callers{PerReplica: 1, Think: 100 * time.Millisecond, Patience: time.Second},
		Save:    time.Millisecond, Apply: 100 * time.Microsecond,
	}
}

// Draw chooses what the seed's world is like, and what goes wrong in it: each kind of trouble on or
// off, and more or less frequent, so that many seeds together try very different worlds.
func Draw(seed uint64) (*Setup, *Hazards) {
	s := newStream(seed, "setup")
	p := &Setup{
		Seed:      seed,
		Replicas:  oneOf(s, 3, 3, 3, 3, 3, 3, 3, 1, 2, 4, 5, 5, 7),
		Trouble:   s.scale(5*time.Second, 40*time.Second),
		Heartbeat: 50 * time.Millisecond,
		Trust:     s.scale(250*time.Millisecond, time.Second),
		DiskLimit: oneOf(s, 0, time.Second, 5*time.Second),
		Window:    oneOf[int64](s, 4<<10, 64<<10, 64<<20),
		Tail:      oneOf[int64](s, 1<<10, 8<<10, 64<<10),
		KeepLog:   oneOf[int64](s, 0, 4<<10, 256<<10),

		SnapshotEvery: oneOf(s, 20, 60, 200, 1<<30),
		CompareEvery:  64,
		SegmentSize:   oneOf[int64](s, 4<<10, 16<<10, 64<<10),
		ChunkSize:     oneOf(s, 64, 256, 4096),

		Network: drawNetwork(s), Callers: drawCallers(s),

		Save:  s.scale(50*time.Microsecond, 20*time.Millisecond),
		Apply: s.scale(10*time.Microsecond, 5*time.Millisecond),
		Turn:  oneOf(s, 0, 0, 100*time.Microsecond, 2*time.Millisecond),
		Drift: oneOf(s, 0, 1e-4, 1e-2), ClockGap: oneOf(s, 0, time.Hour),
	}
	p.Unhealed = drawUnhealed(seed)
	h := drawHazards(s)
	if h.any() {
		h.drawSilent(newStream(seed, "mistakes"))
	}
	switch x := s.Float64(); {
	case x < 0.1: // whoever is behind needs a snapshot
		p.SnapshotEvery, p.KeepLog, p.SegmentSize, p.ChunkSize = 20, 0, 4<<10, oneOf(s, 64, 256)
	case x < 0.13: // long and quiet
		p.Trouble, p.Callers.Think = s.scale(2*time.Minute, 20*time.Minute), s.scale(time.Second, 10*time.Second)
		h.stretch(30)
	case x < 0.17:
		p.Volatile, p.Tail = true, 0
		h.spareProcesses()
	}
	if s.chance(0.4) {
		p.Trust = 0
	}
	if s.chance(0.15) {
		p.Qv = 1 + s.IntN(p.Replicas)
		p.Qr = p.Replicas - p.Qv + 1 + s.IntN(p.Qv)
	}
	if newStream(seed, "calm").chance(0.8) { // in the others the group forms among faults
		p.Calm = 20*time.Second + 10*p.Callers.Think
	}
	return p, h
}

func drawNetwork(s stream) Network {
	return Network{
		Delay:    s.scale(50*time.Microsecond, 10*time.Millisecond),
		Jitter:   s.scale(10*time.Microsecond, 20*time.Millisecond),
		Lateness: s.scale(100*time.Millisecond, 20*time.Second),
		Loss:     oneOf(s, 0, 0, 0.01, 0.05, 0.2),
		Double:   oneOf(s, 0, 0, 0.01, 0.1),
		Late:     oneOf(s, 0, 0, 0.001, 0.02),
		Replay:   oneOf(s, 0, 0, 0.01, 0.1),
		Corrupt:  oneOf(s, 0, 0, 0, 0.01),
	}
}

func drawCallers(s stream) Callers {
	return Callers{
		PerReplica: 1 + s.IntN(3), Think: s.scale(20*time.Millisecond, 800*time.Millisecond), Cancels: oneOf(s, 0, 0.05, 0.2),
		Patience: s.scale(5*time.Millisecond, 2*time.Second), Burst: oneOf(s, 0, 0.3, 0.8),
	}
}
