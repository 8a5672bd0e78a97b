package sim

import (
	"time"

	"github.com/smr-go/smr/internal/sim/world"
)

// Setup describes the world of a run, except for its faults. Durations are virtual.
type Setup struct {
	Seed       uint64 // of all random choices
	Replicas   int
	Qr, Qv     int           // 0: the default quorums
	Calm       time.Duration // the longest calm beginning, which ends with the first answer
	Trouble    time.Duration // the time of faults and busy callers after that
	Heartbeat  time.Duration
	Trust      time.Duration // the fixed timeout of the detector; 0: an adaptive one
	Abdication time.Duration // 0: a second
	DiskLimit  time.Duration
	Window     int64
	Inbox      int64 // bytes of messages that may wait for a turn; 0: those of a replica
	Tail       int64
	Results    int64 // bytes of the results that the session table keeps for a member; 0: those of a replica
	KeepLog    int64
	Volatile   bool // logs are in memory, and a process that ends loses its log

	Differ bool // members, and the processes of one member, have other limits than these

	SnapshotEvery int
	SnapshotBytes int64
	CompareEvery  int // operations between two comparisons of whole states
	SegmentSize   int64
	ChunkSize     int
	PartSize      int // of a large message; 0: as a replica has it

	Network  world.Conditions
	Callers  Callers
	Lists    TestCalls // the operations of callers of smr's own state machine
	Unhealed Unhealed  // members that stay out of reach when all else is healed

	Save     time.Duration // the median time of a save
	Apply    time.Duration // the mean time of applying
	Turn     time.Duration // the longest wait before a turn of the loop
	Drift    float64       // the largest error of a clock's rate
	ClockGap time.Duration // the largest difference between wall clocks
}

// Callers describes the callers of the replicas.
type Callers struct {
	PerReplica int
	Think      time.Duration // the mean time between a caller's operations
	Cancels    float64       // the part of operations that are cancelled
	Patience   time.Duration // the longest time until they are cancelled
	Burst      float64       // the part of operations that follow at once
}

// TestCalls describes the operations of the state machine that smr's own tests use. It is zero for other machines.
type TestCalls struct {
	Fill     int     // the largest number of bytes that fill a command
	Reads    float64 // the part of reads in all operations
	Compares float64 // the part of conditional commands in all commands
}

// Calm returns a world without accidents: three replicas, a fast network, fast disks.
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

// differ changes what may differ from one process to another.
func (p Setup) differ(r world.Stream) *Setup {
	p.DiskLimit = world.OneOf(r, p.DiskLimit, time.Second, 5*time.Second)
	p.Window = world.OneOf(r, p.Window, 4<<10, 64<<10)
	p.Tail = world.OneOf(r, p.Tail, 1<<10, 8<<10)
	p.KeepLog = world.OneOf(r, p.KeepLog, 0, 4<<10)
	p.SnapshotEvery = world.OneOf(r, p.SnapshotEvery, 20, 200)
	p.SnapshotBytes = world.OneOf(r, p.SnapshotBytes, 0, 8<<10)
	p.SegmentSize = world.OneOf[int64](r, 4<<10, 16<<10)
	p.ChunkSize = world.OneOf(r, p.ChunkSize, 64, 256)
	return &p
}

// Draw chooses the world of a seed and its hazards. Each source of faults is on or off, and more or
// less frequent, so that many seeds try very different worlds.
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
	if r := world.NewStream(seed, "bytes"); r.Chance(0.3) {
		p.SnapshotBytes = world.OneOf[int64](r, 1<<10, 8<<10, 64<<10)
	}
	if r := world.NewStream(seed, "inbox"); r.Chance(0.2) {
		p.Inbox = world.OneOf[int64](r, 2<<10, 16<<10)
	}
	if r := world.NewStream(seed, "parts"); r.Chance(0.2) {
		p.PartSize = world.OneOf(r, 32, 64, 128) // smaller ones would be most of what happens
	}
	p.Differ = world.NewStream(seed, "differ").Chance(0.2)
	h := drawHazards(s)
	if h.any() {
		h.drawSilent(world.NewStream(seed, "mistakes"))
	}
	switch x := s.Float64(); {
	case x < 0.1: // a replica that is behind needs a snapshot
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
	if r := world.NewStream(seed, "motion"); r.Chance(0.04) {
		setInMotion(p, h, r)
	}
	if world.NewStream(seed, "calm").Chance(0.8) { // in other runs the group forms among faults
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
		PerReplica: 1 + s.IntN(3), Think: s.Scale(20*time.Millisecond, 800*time.Millisecond),
		Cancels:  world.OneOf(s, 0, 0.05, 0.2),
		Patience: s.Scale(5*time.Millisecond, 2*time.Second), Burst: world.OneOf(s, 0, 0.3, 0.8),
	}
}
