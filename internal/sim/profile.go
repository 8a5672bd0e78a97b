package sim

import "time"

// Profile is what one run is like: drawn from its seed, each kind of trouble on or off and more or
// less frequent, so that many seeds together try very different worlds.
type Profile struct {
	Replicas  int
	Qr, Qv    int           // zero: the default quorums
	Trouble   time.Duration // how long faults are made
	Heartbeat time.Duration
	Trust     time.Duration // of the detector
	DiskLimit time.Duration
	Window    int64
	Tail      int64
	KeepLog   int64

	SnapshotEvery int
	SegmentSize   int64
	ChunkSize     int

	Network  NetworkProfile
	Clients  ClientProfile
	Faults   FaultProfile
	Save     time.Duration // what a save takes, at the median
	Apply    time.Duration // what applying takes
	Turn     time.Duration // what a turn of the loop waits, at most
	Drift    float64       // how much the clocks' rates differ from the true one, at most
	ClockGap time.Duration // how far the clocks are apart, at most
}

// NetworkProfile is what all links are like; probabilities are of one message.
type NetworkProfile struct {
	Delay, Jitter time.Duration
	Loss          float64
	Double        float64
	Late          float64 // delayed by up to Lateness
	Lateness      time.Duration
	Replay        float64 // followed by an old message
	Corrupt       float64
}

// ClientProfile is what callers do.
type ClientProfile struct {
	PerReplica int
	Think      time.Duration // between a caller's operations, the mean
	Fill       int           // bytes of a command, at most
	Reads      float64       // of all operations
	Compares   float64       // of all proposals
	Cancels    float64       // of all operations: given up after a while
	Patience   time.Duration // how long those wait, at most
	Burst      float64       // probability of the next operation following at once
}

// FaultProfile is the mean time between faults of a kind; zero: none of that kind.
type FaultProfile struct {
	Crash, CrashAll, Partition, Cut, Pause, SlowDisk, FullDisk, Handover, StopInOrder, Rotate time.Duration
	CrashInStorage                                                                            time.Duration
	MemoryLoss                                                                                bool // one member's, while the others go on
	PowerCut                                                                                  float64
	Down                                                                                      time.Duration // at most
	Aims                                                                                      []aim
}

// draw chooses what the seed's run is like.
func draw(seed uint64) *Profile {
	s := newStream(seed, "profile")
	p := &Profile{
		Replicas:  oneOf(s, 3, 3, 3, 3, 3, 3, 3, 1, 2, 4, 5, 5, 7),
		Trouble:   s.scale(5*time.Second, 40*time.Second),
		Heartbeat: 50 * time.Millisecond,
		Trust:     s.scale(250*time.Millisecond, time.Second),
		DiskLimit: oneOf(s, 0, time.Second, 5*time.Second),
		Window:    oneOf[int64](s, 4<<10, 64<<10, 64<<20),
		Tail:      oneOf[int64](s, 1<<10, 8<<10, 64<<10),
		KeepLog:   oneOf[int64](s, 0, 4<<10, 256<<10),

		SnapshotEvery: oneOf(s, 20, 60, 200, 1<<30),
		SegmentSize:   oneOf[int64](s, 4<<10, 16<<10, 64<<10),
		ChunkSize:     oneOf(s, 64, 256, 4096),

		Save:  s.scale(50*time.Microsecond, 20*time.Millisecond),
		Apply: s.scale(10*time.Microsecond, 5*time.Millisecond),
		Turn:  oneOf(s, 0, 0, 100*time.Microsecond, 2*time.Millisecond),
		Drift: oneOf(s, 0, 1e-4, 1e-2), ClockGap: oneOf(s, 0, time.Hour),
	}
	if q := newStream(seed, "quorums"); q.chance(0.15) {
		p.Qv = 1 + q.IntN(p.Replicas)
		p.Qr = p.Replicas - p.Qv + 1 + q.IntN(p.Qv)
	}
	p.Network, p.Clients, p.Faults = drawNetwork(s), drawClients(s), drawFaults(s)
	return p
}

func drawNetwork(s stream) NetworkProfile {
	n := NetworkProfile{
		Delay:    s.scale(50*time.Microsecond, 10*time.Millisecond),
		Jitter:   s.scale(10*time.Microsecond, 20*time.Millisecond),
		Lateness: s.scale(100*time.Millisecond, 20*time.Second),
	}
	n.Loss = oneOf(s, 0, 0, 0.01, 0.05, 0.2)
	n.Double = oneOf(s, 0, 0, 0.01, 0.1)
	n.Late = oneOf(s, 0, 0, 0.001, 0.02)
	n.Replay = oneOf(s, 0, 0, 0.01, 0.1)
	n.Corrupt = oneOf(s, 0, 0, 0, 0.01)
	return n
}

func drawClients(s stream) ClientProfile {
	return ClientProfile{
		PerReplica: 1 + s.IntN(3), Think: s.scale(20*time.Millisecond, 800*time.Millisecond), Fill: oneOf(s, 10, 100, 1500),
		Reads: oneOf(s, 0.1, 0.3, 0.6), Compares: oneOf(s, 0, 0.3), Cancels: oneOf(s, 0, 0.05, 0.2),
		Patience: s.scale(5*time.Millisecond, 2*time.Second), Burst: oneOf(s, 0, 0.3, 0.8),
	}
}

// drawFaults turns each kind on in some seeds. Calm seeds are some too.
func drawFaults(s stream) FaultProfile {
	var f FaultProfile
	f.Down = s.scale(10*time.Millisecond, 8*time.Second)
	f.PowerCut = oneOf(s, 0, 0.5, 1)
	every := func(p float64, a, b time.Duration) time.Duration {
		if d := s.scale(a, b); s.chance(p) {
			return d
		}
		return 0
	}
	calm := s.chance(0.1)
	f.Crash = every(0.5, 300*time.Millisecond, 10*time.Second)
	f.CrashAll = every(0.15, 2*time.Second, 15*time.Second)
	f.Partition = every(0.4, 500*time.Millisecond, 10*time.Second)
	f.Cut = every(0.4, 200*time.Millisecond, 5*time.Second)
	f.Pause = every(0.3, 500*time.Millisecond, 10*time.Second)
	f.SlowDisk = every(0.3, time.Second, 10*time.Second)
	f.FullDisk = every(0.15, 2*time.Second, 15*time.Second)
	f.Handover = every(0.25, time.Second, 10*time.Second)
	f.StopInOrder = every(0.2, 2*time.Second, 15*time.Second)
	f.Rotate = every(0.4, 500*time.Millisecond, 10*time.Second)
	f.CrashInStorage = every(0.4, 300*time.Millisecond, 10*time.Second)
	f.MemoryLoss = s.chance(0.1)
	f.Aims = drawAims(s)
	if calm {
		return FaultProfile{Down: f.Down}
	}
	return f
}
