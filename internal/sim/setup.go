package sim

import (
	"time"

	"github.com/smr-go/smr/internal/sim/world"
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

	Network  world.Conditions
	Callers  Callers
	Lists    TestCalls // what callers do if the state machine is smr's own
	Unhealed Unhealed  // who stays out of reach for a while when all else is healed

	Save     time.Duration // what a save takes, at the median
	Apply    time.Duration // what applying takes
	Turn     time.Duration // what a turn of the loop waits, at most
	Drift    float64       // how much the clocks' rates differ from the true one, at most
	ClockGap time.Duration // how far the wall clocks are apart, at most
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
		Network: world.Conditions{Delay: time.Millisecond, Jitter: 200 * time.Microsecond},
		Callers: Callers{PerReplica: 1, Think: 100 * time.Millisecond, Patience: time.Second},
		Save:    time.Millisecond, Apply: 100 * time.Microsecond,
	}
}

// Draw chooses what the seed's world is like, and what goes wrong in it: each kind of trouble on or
// off, and more or less frequent, so that many seeds together try very different worlds.
func Draw(seed uint64) (*Setup, *Hazards) {
	s := world.NewStream(seed, "setup")
	p := &Setup{
		Seed:      seed,
		Replicas:  world.OneOf(s, 3, 3, 3, 3, 3, 3, 3, 1, 2, 4, 5, 5, 7),
		Trouble:   s.Scale(5*time.Second, 40*time.Second),
		Heartbeat: 50 * time.Millisecond,
		Trust:     s.Scale(250*time.Millisecond, time.Second),
		DiskLimit: world.OneOf(s, 0, time.Second, 5*time.Second),
		Window:    world.OneOf[int64](s, 4<<10, 64<<10, 64<<20),
		Tail:      world.OneOf[int64](s, 1<<10, 8<<10, 64<<10),
		KeepLog:   world.OneOf[int64](s, 0, 4<<10, 256<<10),

		SnapshotEvery: world.OneOf(s, 20, 60, 200, 1<<30),
		CompareEvery:  64,
		SegmentSize:   world.OneOf[int64](s, 4<<10, 16<<10, 64<<10),
		ChunkSize:     world.OneOf(s, 64, 256, 4096),

		Network: drawNetwork(s), Callers: drawCallers(s),

		Save:  s.Scale(50*time.Microsecond, 20*time.Millisecond),
		Apply: s.Scale(10*time.Microsecond, 5*time.Millisecond),
		Turn:  world.OneOf(s, 0, 0, 100*time.Microsecond, 2*time.Millisecond),
		Drift: world.OneOf(s, 0, 1e-4, 1e-2), ClockGap: world.OneOf(s, 0, time.Hour),
	}
	p.Unhealed = drawUnhealed(seed)
	h := drawHazards(s)
	if h.any() {
		h.drawSilent(world.NewStream(seed, "mistakes"))
	}
	switch x := s.Float64(); {
	case x < 0.1: // whoever is behind needs a snapshot
		p.SnapshotEvery, p.KeepLog, p.SegmentSize, p.ChunkSize = 20, 0, 4<<10, world.OneOf(s, 64, 256)
	case x < 0.13: // long and quiet
		p.Trouble, p.Callers.Think = s.Scale(2*time.Minute, 20*time.Minute), s.Scale(time.Second, 10*time.Second)
		h.stretch(30)
	case x < 0.17:
		p.Volatile, p.Tail = true, 0
		h.spareProcesses()
	}
	if s.Chance(0.4) {
		p.Trust = 0
	}
	if s.Chance(0.15) {
		p.Qv = 1 + s.IntN(p.Replicas)
		p.Qr = p.Replicas - p.Qv + 1 + s.IntN(p.Qv)
	}
	if world.NewStream(seed, "calm").Chance(0.8) { // in the others the group forms among faults
		p.Calm = 20*time.Second + 10*p.Callers.Think
	}
	return p, h
}

func drawNetwork(s world.Stream) world.Conditions {
	return world.Conditions{
		Delay:    s.Scale(50*time.Microsecond, 10*time.Millisecond),
		Jitter:   s.Scale(10*time.Microsecond, 20*time.Millisecond),
		Lateness: s.Scale(100*time.Millisecond, 20*time.Second),
		Loss:     world.OneOf(s, 0, 0, 0.01, 0.05, 0.2),
		Double:   world.OneOf(s, 0, 0, 0.01, 0.1),
		Late:     world.OneOf(s, 0, 0, 0.001, 0.02),
		Replay:   world.OneOf(s, 0, 0, 0.01, 0.1),
		Corrupt:  world.OneOf(s, 0, 0, 0, 0.01),
	}
}

func drawCallers(s world.Stream) Callers {
	return Callers{
		PerReplica: 1 + s.IntN(3), Think: s.Scale(20*time.Millisecond, 800*time.Millisecond), Cancels: world.OneOf(s, 0, 0.05, 0.2),
		Patience: s.Scale(5*time.Millisecond, 2*time.Second), Burst: world.OneOf(s, 0, 0.3, 0.8),
	}
}
