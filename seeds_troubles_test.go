package smr

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/smr-go/smr/internal/vfs"
)

// begin starts a member, if it is down and has kept its memory.
func (x *seeded) begin(id ID) {
	if x.reap(id); x.replica(id) != nil {
		return
	}
	var nth int
	var lost bool
	x.court.locked(func() {
		if lost = x.court.lost[id]; !lost {
			nth, x.starts[id] = x.starts[id], x.starts[id]+1
		}
	})
	if lost {
		return
	}
	machine := &tally{slow: true}
	cfg := x.config(id, nil)
	cfg.StateMachine = machine
	o := x.court.observe(id, machine, nth)
	cfg.Transport = &mortal{cfg.Transport, o}
	x.wires.heal(id)
	r, err := start(cfg, x.disks[id], o)
	if err != nil {
		x.court.locked(func() {
			if o.mute(); !errors.Is(err, errFaulty) && !vfs.IsFull(err) {
				x.court.found(fmt.Errorf("S5: %s does not start: %w", id, err))
			}
		})
		return
	}
	x.court.locked(func() { x.court.observers[id] = o })
	x.mu.Lock()
	defer x.mu.Unlock()
	x.running[id] = r
}

// gone takes a member down and removes it from those that run. What it does from now on nobody sees.
func (x *seeded) gone(id ID, power bool) {
	r := x.replica(id)
	if r == nil {
		return
	}
	x.wires.isolate(id)
	x.court.locked(func() {
		o := x.court.observers[id]
		o.mute()
		o.until = time.Time{}
		if r.cfg.Volatile {
			x.court.lost[id] = true
			x.court.judge.Lost(o.i)
			x.seen.happened("memory is lost")
		}
	})
	f := x.faults[id]
	f.locked(func() { f.dead = true }) // its goroutines live on until Close, and must not write
	if power {
		x.seen.happened("power is lost")
		x.disks[id].Crash(x.random)
	} else {
		x.seen.happened("a process is killed")
		x.disks[id].Kill()
	}
	x.close(id)
	f.locked(func() { f.dead = false })
}

// mortal is the transport of a replica: when that is gone, nothing more is sent.
type mortal struct {
	Transport
	o *observer
}

func (m *mortal) Send(to ID, msg []byte) {
	m.o.c.mu.Lock()
	defer m.o.c.mu.Unlock()
	if !m.o.muted {
		m.Transport.Send(to, msg)
	}
}

// mute makes the court deaf for the replica. The caller holds the court's lock.
func (o *observer) mute() { o.muted = true }

// victim chooses a member that runs, often the primary; "" if none runs.
func (x *seeded) victim() ID {
	ids := x.ids()
	if len(ids) == 0 {
		return ""
	}
	id := ids[x.rng.IntN(len(ids))]
	if p := x.replica(id).Status().Primary; p != "" && x.rng.IntN(2) == 0 && x.replica(p) != nil {
		return p
	}
	return id
}

// troubles are what can go wrong in seeded runs.
var troubles = []string{"power is lost", "a process is killed", "memory is lost", "a member leaves", "a member is cut off", "a link is cut",
	"a process pauses", "a disk is full", "a disk stalls", "a sync fails", "a role is handed over"}

// trouble makes something go wrong, for a while.
func (x *seeded) trouble() {
	id := x.victim()
	if id == "" {
		return
	}
	d := time.Duration(1+x.rng.IntN(3000)) * time.Millisecond
	disk := x.disks[id]
	volatile := x.replica(id).cfg.Volatile
	switch kind := x.rng.IntN(12); {
	case kind < 2 && (!volatile || x.mayLose()):
		x.gone(id, kind == 0)
		x.later(d, func() { x.begin(id) })
	case kind == 2 && !volatile:
		x.leave(id)
		x.later(d, func() { x.begin(id) })
	case kind == 3 && len(x.members) > 1:
		x.seen.happened("a member is cut off")
		x.wires.isolate(id)
		x.later(d, func() { x.wires.heal(id) })
	case kind == 4 && len(x.members) > 1:
		x.seen.happened("a link is cut")
		others := slices.DeleteFunc(x.all(), func(other ID) bool { return other == id })
		x.wires.cutOneWay(id, others[x.rng.IntN(len(others))])
		x.later(d, func() { x.wires.heal(id) })
	case kind < 7:
		x.court.locked(func() { x.court.observers[id].until = time.Now().Add(d) })
	case kind == 7 && !volatile:
		disk.SetCapacity(disk.Used() + x.rng.Int64N(4096))
		x.later(d, func() { disk.SetCapacity(0) })
	case kind == 8 && !volatile:
		x.faults[id].stall(d, x.rng)
	case kind == 9 && !volatile:
		f := x.faults[id]
		f.locked(func() { f.fail = true })
		x.later(d, func() { x.begin(id) })
	default:
		to := append(x.all(), "")[x.rng.IntN(len(x.members)+1)]
		r := x.replica(id)
		x.busy.Go(func() { x.handover(r, to, d) })
	}
}

// mayLose reports whether one more member may lose its memory.
func (x *seeded) mayLose() bool {
	m := (&Config{Members: x.members}).membership()
	x.court.mu.Lock()
	defer x.court.mu.Unlock()
	return len(x.court.lost) < len(x.members)-max(m.Qr, m.Qv) && x.court.judge.Committed().Op > 2
}

// leave stops a member in order.
func (x *seeded) leave(id ID) {
	x.court.locked(func() { x.court.observers[id].until = time.Time{} })
	x.close(id)
	x.seen.happened("a member leaves")
}

// later calls f after d, unless all is healed before.
func (x *seeded) later(d time.Duration, f func()) {
	x.busy.Go(func() {
		time.Sleep(d)
		<-x.lifts
		if !x.healed {
			f()
		}
		x.lifts <- struct{}{}
	})
}

// healAll ends all troubles and starts those that are down.
func (x *seeded) healAll() {
	<-x.lifts
	x.healed = true
	x.lifts <- struct{}{}
	x.wires.heal()
	x.wires.disturb(0, 0, time.Millisecond)
	x.court.locked(func() {
		for _, o := range x.court.observers {
			o.until = time.Time{}
		}
	})
	for _, id := range x.all() {
		x.disks[id].SetCapacity(0)
		f := x.faults[id]
		f.locked(func() { f.fail, f.slowUntil = false, time.Time{} })
	}
	time.Sleep(time.Second) // what was paused or stalled goes on
	for _, id := range x.all() {
		x.begin(id)
	}
	x.wires.heal()
}

// reap removes a member that has stopped by itself. Its disk must be the reason.
func (x *seeded) reap(id ID) {
	r := x.replica(id)
	if r == nil || r.Err() == nil {
		return
	}
	x.court.locked(func() {
		if err := r.Err(); !errors.Is(err, errFaulty) {
			x.court.found(fmt.Errorf("%s has stopped: %w", id, err))
		}
	})
	x.close(id)
}

// stopAll ends the run.
func (x *seeded) stopAll() {
	for _, id := range x.ids() {
		x.close(id)
	}
	x.busy.Wait()
}
