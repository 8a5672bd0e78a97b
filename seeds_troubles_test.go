package smr

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing/synctest"
	"time"

	"github.com/smr-go/smr/internal/vfs"
	"github.com/smr-go/smr/internal/vsr"
	"github.com/smr-go/smr/internal/wire"
)

// begin starts a member, if it is down, no trouble keeps it down, and it has kept its memory.
func (x *seeded) begin(id ID) {
	if x.reap(id); x.replica(id) != nil {
		return
	}
	var nth int
	var stays bool
	x.checker.locked(func() {
		if stays = x.checker.lost[id] || time.Now().Before(x.back[id]); !stays {
			nth, x.starts[id] = x.starts[id], x.starts[id]+1
		}
	})
	if stays {
		return
	}
	o := x.checker.observe(id, nth)
	cfg := x.config(id, nil)
	cfg.StateMachine, cfg.Transport = o.machine, &crashable{cfg.Transport, o}
	if o.listens = o.rng.IntN(2) == 0; o.listens {
		cfg.Detector = &listener{NewFixedDetector(0), o}
	}
	f := x.faults[id]
	f.locked(func() { f.broken = nil })
	r, err := start(cfg, x.disks[id], o)
	x.checker.locked(func() {
		switch {
		case err == nil:
			o.r, x.checker.observers[id] = r, o
		case x.checker.rotten[id] && errors.Is(err, ErrCorrupt):
			o.detach()
			x.checker.lose(id, o.i)
			x.seen.happened("a damaged disk is refused")
		default:
			if o.detach(); !errors.Is(err, errFaulty) && !vfs.Refused(err) {
				x.checker.found(fmt.Errorf("S5: %s does not start: %w", id, err))
			}
		}
	})
	if err != nil {
		return
	}
	x.watchers.Go(o.watch)
	x.mu.Lock()
	defer x.mu.Unlock()
	x.running[id] = r
}

// lose takes a member out of the group, because its memory is gone. The caller holds the checker's lock.
func (c *checker) lose(id ID, i int) {
	c.lost[id] = true
	c.judge.Lost(i)
}

// shutDown closes a member. After that none of its goroutines may be left. A primary must have announced that it leaves (V2).
func (x *seeded) shutDown(id ID) {
	began := time.Now()
	x.within(string(id)+" is closed", func() { x.close(id) })
	x.checker.locked(func() {
		o := x.checker.observers[id]
		o.closed = true
		s := o.r.Status()
		took := time.Since(began)
		switch {
		case s.Phase != Stopped:
			x.checker.found(fmt.Errorf("%s is closed, and its status is %+v", id, s))
		case took > 100*time.Millisecond && latest(o.slept, x.faults[id].stalledUntil()).Before(began):
			x.checker.found(fmt.Errorf("%s was closed in %v, and nothing held it up", id, took))
		case o.leads(began) && errors.Is(o.r.Err(), ErrClosed):
			x.checker.found(fmt.Errorf("V2: %s is closed, and led its view to the end", id))
		}
	})
}

// crash kills a member, with or without its machine, and removes it from those that run. Its goroutines go on until they
// notice, but have no effect and are not observed.
func (x *seeded) crash(id ID, power bool) {
	r := x.replica(id)
	if r == nil {
		return
	}
	x.checker.locked(func() {
		o := x.checker.observers[id]
		o.detach()
		o.until = time.Time{}
		if r.cfg.Volatile {
			x.checker.lose(id, o.i)
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
	x.shutDown(id)
	f.locked(func() { f.dead = false })
}

// crashable is the transport of a replica. It sends nothing once the replica has crashed.
type crashable struct {
	Transport
	o *observer
}

func (m *crashable) Send(to ID, msg []byte) {
	m.o.c.mu.Lock()
	defer m.o.c.mu.Unlock()
	if !m.o.detached {
		m.Transport.Send(to, m.o.forged(msg))
	}
}

// forged returns a message, or, if it is a Request and one is to be forged, one of a session that the sender does not have.
// The caller holds the checker's lock.
func (o *observer) forged(msg []byte) []byte {
	tag := wire.TagOf("smr")
	if !o.forges || msg[1] != byte(vsr.KindRequest) {
		return msg
	}
	h, m, err := wire.DecodeMessage(msg, tag)
	q, ok := m.(*vsr.Request)
	if err != nil || !ok || len(q.Requests) == 0 {
		return msg
	}
	o.forges = false
	o.c.x.seen.happened("a request is forged")
	lie := *q
	lie.Requests = slices.Clone(q.Requests)
	lie.Requests[0].Session += 1 << 20 // it may be opened one day
	return wire.AppendMessage(nil, tag, h, &lie)
}

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

// troubles are what can go wrong in seeded runs, and what must happen in some of them so that it can.
var troubles = []string{"power is lost", "a process is killed", "memory is lost", "a member leaves", "a member is cut off",
	"a link is cut", "a process pauses", "a disk is full", "descriptors run out", "a disk stalls",
	"a sync fails", "a role is handed over", "a state machine hangs", "a link is narrow", "a request is forged", "all disks are full",
	"a state machine fails", "a snapshot is refused", "a bit flips on a disk", "a disk loses what was written",
	"a damaged disk is refused", "a replica stops because its disk is damaged",
	"a log is compacted", "entries are read back", "a snapshot is written", "a snapshot is received"}

// longestTrouble is how long a trouble lasts at most.
const longestTrouble = 3 * time.Second

// trouble makes something go wrong, for a while.
func (x *seeded) trouble() {
	id := x.victim()
	if id == "" {
		return
	}
	d := 1 + time.Duration(x.rng.Int64N(int64(longestTrouble)))
	disk := x.disks[id]
	f := x.faults[id]
	volatile := x.volatile
	switch kind := x.rng.IntN(19); {
	case kind < 2 && (!volatile || x.mayLose()):
		x.down(id, d, func() { x.crash(id, kind == 0) })
		if !volatile && x.rng.IntN(3) == 0 && x.mayLose() {
			x.rot(id)
		}
	case kind == 2 && !volatile:
		x.down(id, d, func() { x.leave(id) })
	case kind == 3 && len(x.members) > 1:
		x.seen.happened("a member is cut off")
		x.later(d, x.wires.isolate(id))
	case kind == 4 && len(x.members) > 1:
		x.seen.happened("a link is cut")
		others := slices.DeleteFunc(x.all(), func(other ID) bool { return other == id })
		x.later(d, x.wires.cutLinks(link{id, others[x.rng.IntN(len(others))]}))
	case kind < 7:
		x.checker.locked(func() { x.checker.observers[id].pause(d) })
	case kind == 7 && !volatile && x.rng.IntN(3) == 0:
		x.later(d, f.starve())
	case kind == 7 && !volatile:
		x.later(d, f.fill(disk, disk.Used()+x.rng.Int64N(4096)))
		if x.rng.IntN(3) == 0 {
			time.Sleep(d / 2)
			x.down(id, d, func() { x.leave(id) })
		}
	case kind == 8 && !volatile:
		f.stall(d, x.rng)
	case kind == 9 && !volatile:
		f.locked(func() { f.fail++ })
		x.later(d, func() { x.begin(id) })
	case kind == 10 && !volatile:
		x.machine(id, func(m *tally) { m.fails = true })
		x.later(d, func() { x.begin(id) })
	case kind == 11:
		x.machine(id, func(m *tally) { m.refuse = true })
	case kind == 12 && !volatile && x.mayLose():
		x.rot(id)
	case kind == 15:
		x.machine(id, func(m *tally) { m.hangs = d })
	case kind == 16 && len(x.members) > 1:
		x.seen.happened("a link is narrow")
		others := slices.DeleteFunc(x.all(), func(other ID) bool { return other == id })
		l := link{id, others[x.rng.IntN(len(others))]}
		if x.rng.IntN(2) == 0 {
			l.from, l.to = l.to, l.from
		}
		x.later(d, x.wires.narrowLink(l, 4<<10<<x.rng.IntN(6)))
	case kind == 17 && len(x.members) > 1:
		x.checker.locked(func() { x.checker.observers[id].forges = true })
	case kind == 18 && !volatile && x.rng.IntN(3) == 0:
		x.seen.happened("all disks are full")
		for _, id := range x.all() {
			x.later(d, x.faults[id].fill(x.disks[id], x.disks[id].Used()+x.rng.Int64N(4096)))
		}
	default:
		to := append(x.all(), "")[x.rng.IntN(len(x.members)+1)]
		r := x.replica(id)
		x.busy.Go(func() { x.handover(r, to, d) })
	}
}

// machine changes the state machine of a member that runs.
func (x *seeded) machine(id ID, change func(m *tally)) {
	var m *tally
	x.checker.locked(func() { m = x.checker.observers[id].machine })
	m.locked(func() { change(m) })
}

// down takes a member down for d.
func (x *seeded) down(id ID, d time.Duration, fall func()) {
	x.checker.locked(func() { x.back[id] = time.Now().Add(d) })
	fall()
	x.later(d, func() { x.begin(id) })
}

// mayLose reports whether one more member may lose its memory.
func (x *seeded) mayLose() bool {
	m := (&Config{Members: x.members}).membership()
	x.checker.mu.Lock()
	defer x.checker.mu.Unlock()
	gone := 0
	for _, id := range x.all() {
		if x.checker.lost[id] || x.checker.rotten[id] {
			gone++
		}
	}
	return gone < len(x.members)-max(m.Qr, m.Qv) && x.checker.judge.Committed().Op > 2
}

// leave stops a member in order.
func (x *seeded) leave(id ID) {
	x.checker.locked(func() { x.checker.observers[id].until = time.Time{} })
	x.shutDown(id)
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
	x.checker.locked(func() {
		for _, o := range x.checker.observers {
			o.until = time.Time{}
			o.machine.locked(func() { o.machine.fails, o.machine.refuse, o.machine.hangs = false, false, 0 })
		}
		clear(x.back)
	})
	for _, id := range x.all() {
		x.disks[id].SetCapacity(0)
		f := x.faults[id]
		f.locked(func() { f.fail, f.slowUntil, f.limits, f.short = 0, time.Time{}, nil, 0 })
	}
	time.Sleep(longestTrouble + time.Second) // what was paused, stalled or hung goes on, and what fails has stopped
	for _, id := range x.all() {
		x.begin(id)
	}
}

// reap removes a member that has stopped by itself. Its disk or its state machine must be the reason.
func (x *seeded) reap(id ID) {
	r := x.replica(id)
	if r == nil || r.Err() == nil {
		return
	}
	x.checker.locked(func() {
		switch err := r.Err(); {
		case x.checker.rotten[id] && errors.Is(err, ErrCorrupt):
			x.checker.lose(id, x.checker.observers[id].i)
			x.seen.happened("a replica stops because its disk is damaged")
		case !errors.Is(err, errFaulty) && !strings.Contains(err.Error(), errMachine.Error()):
			x.checker.found(fmt.Errorf("%s has stopped: %w", id, err))
		}
	})
	x.shutDown(id)
}

// rests lets time pass without callers, and checks that nothing is left to be done.
func (x *seeded) rests() {
	x.wires.disturb(0, 0, 0)
	x.checker.locked(func() {
		for _, o := range x.checker.observers {
			clear(o.slow)
			o.heard = 0
		}
	})
	d := time.Second
	if x.rng.IntN(4) == 0 {
		d = 31 * time.Second // snapshots are kept no longer
	}
	time.Sleep(d)
	synctest.Wait()
	x.checker.locked(func() {
		for _, id := range x.ids() {
			x.checker.found(x.checker.observers[id].rests())
		}
		x.checker.found(x.wires.fault())
	})
	synctest.Wait() // what fault has put into the inboxes leaves them before it keeps a message out
}

// rereads damages a log, every op of which a mark covers by now, and has its member read it.
func (x *seeded) rereads() {
	if ids := x.ids(); !x.volatile {
		id := ids[x.rng.IntN(len(ids))]
		x.crash(id, false)
		x.rot(id)
		x.begin(id)
		time.Sleep(100 * time.Millisecond)
	}
}

// returns has a member come back that lacks what the primary's disk has lost: part of its log, or its snapshot. The primary
// takes another snapshot (F9), or stops and leaves the role to a member with a sound disk (S5).
func (x *seeded) returns() {
	if x.volatile || !x.mayLose() {
		return
	}
	p := x.replica(x.ids()[0]).Status().Primary
	away := slices.DeleteFunc(x.ids(), func(id ID) bool { return id == p })[0]
	x.crash(away, false)
	commands := 12 // which are more than what is in memory, but the log may still hold them
	if x.rng.IntN(3) == 0 {
		commands = 40 + x.rng.IntN(80) // more than the log holds
	}
	for i := range commands {
		x.command(x.checker.observers[p], fmt.Sprint("meanwhile ", i, strings.Repeat("x", 300+x.rng.IntN(400))))
	}
	time.Sleep(time.Second) // a mark covers it all
	for _, at := range append(x.records(p), x.snapshots(p)...) {
		x.spoil(p, at)
	}
	x.begin(away)
	x.settled()
}

// stopAll ends the run.
func (x *seeded) stopAll() {
	for _, id := range x.ids() {
		x.shutDown(id)
	}
	x.within("every trouble has ended", x.busy.Wait)
	x.within("every watcher has seen the end", x.watchers.Wait)
}
