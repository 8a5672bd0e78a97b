package sim

import (
	"time"

	"github.com/smr-go/smr/internal/sim/fault"
	"github.com/smr-go/smr/internal/sim/world"
	"github.com/smr-go/smr/internal/vsr"
)

// setInMotion makes a run one in which members fall behind and receive snapshots all the time: right after one is
// received, its member crashes, is cut off again, or leads next, with a clock that is behind, while its disk is slow.
func setInMotion(p *Setup, h *Hazards, r world.Stream) {
	p.Replicas, p.Qr, p.Qv, p.Volatile, p.Differ = world.OneOf(r, 3, 3, 5), 0, 0, false, false
	p.SnapshotEvery, p.SnapshotBytes, p.KeepLog, p.Tail = 3+r.IntN(10), 0, 0, 1<<10
	p.SegmentSize, p.ChunkSize = 4<<10, world.OneOf(r, 64, 256)
	p.Trouble = r.Scale(5*time.Second, 20*time.Second)
	p.Save, p.Apply = r.Scale(50*time.Microsecond, time.Millisecond), 50*time.Microsecond
	p.Callers.PerReplica, p.Callers.Think = 2, r.Scale(5*time.Millisecond, 30*time.Millisecond)
	p.Network.Delay, p.Network.Jitter = r.Scale(50*time.Microsecond, time.Millisecond), 100*time.Microsecond
	p.Network.Loss = min(p.Network.Loss, 0.01)
	p.Heartbeat, p.Abdication = 10*time.Millisecond, 50*time.Millisecond // the log is kept for a member so long
	p.Trust = r.Scale(60*time.Millisecond, 200*time.Millisecond)
	h.Every = [sources]time.Duration{}
	h.Triggered = []triggered{
		{when: fault.Applied, response: byLag, odds: 0.1},
		{when: fault.Fetched, response: byLag, odds: 0.5},
		{when: fault.Fetched, response: byIsolation, odds: 0.02},
		{when: fault.Fetched, response: byCrash, odds: world.OneOf(r, 0, 0.05)},
		{when: fault.Fetched, response: byCrashIn, odds: world.OneOf(r, 0, 0.1)},
		{when: fault.Fetched, response: byClock, odds: 0.1},
		{when: fault.Fetched, response: byHandover, odds: 0.1},
		{when: fault.Received, message: vsr.KindSnapshotOffer, response: bySlowDisk, odds: world.OneOf(r, 0, 0.02)},
	}
}
