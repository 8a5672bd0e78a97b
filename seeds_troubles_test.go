package smr

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/smr-go/smr/internal/sim/judge"
	"github.com/smr-go/smr/internal/vfs"
	"github.com/smr-go/smr/internal/vsr"
)

// errFaulty is what a disk fails with when a trouble makes it.
var errFaulty = errors.New("the disk fails")

// begin starts a member, if it is down and has kept its memory.
func (x *seeded) begin(id ID) {
	var nth int
	x.court.locked(func() {
		nth, x.starts[id] = x.starts[id], x.starts[id]+1
		if x.court.lost[id] {
			nth = -1
		}
	})
	if x.reap(id); nth < 0 || x.replica(id) != nil {
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
		}
	})
	disk := x.disks[id]
	disk.SetHook(func(vfs.Op) error { return errFaulty }) // its goroutines live on until Close, and must not write
	if power {
		disk.Crash(x.random)
	} else {
		disk.Kill()
	}
	x.close(id)
	disk.SetHook(nil)
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
	case kind == 3:
		x.wires.isolate(id)
		x.later(d, func() { x.wires.heal(id) })
	case kind == 4:
		to := x.all()[x.rng.IntN(len(x.members))]
		x.wires.cutOneWay(id, to)
		x.later(d, func() { x.wires.heal(id) })
	case kind < 7:
		x.court.locked(func() { x.court.observers[id].until = time.Now().Add(d) })
	case kind == 7:
		disk.SetCapacity(disk.Used() + x.rng.Int64N(4096))
		x.later(d, func() { disk.SetCapacity(0) })
	case kind == 8:
		x.stall(id, d)
	case kind == 9 && !volatile:
		x.failSync(id, d)
	default:
		to := append(x.all(), "")[x.rng.IntN(len(x.members)+1)]
		r := x.replica(id)
		x.busy.Go(func() {
			ctx, cancel := context.WithTimeout(context.Background(), d)
			defer cancel()
			r.Handover(ctx, to)
		})
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
}

// stall makes every sync of a member's disk take a while, up to d, until then.
func (x *seeded) stall(id ID, d time.Duration) {
	end, most := time.Now().Add(d), 1+x.rng.Int64N(int64(d))
	var mu sync.Mutex
	rng := rand.New(rand.NewPCG(x.rng.Uint64(), 1))
	x.disks[id].SetHook(func(op vfs.Op) error {
		if op.Kind == vfs.OpSync && time.Now().Before(end) {
			mu.Lock()
			wait := time.Duration(rng.Int64N(most))
			mu.Unlock()
			time.Sleep(wait)
		}
		return nil
	})
}

// failSync makes the next sync of a member's disk fail: the replica stops by itself, and is started again.
func (x *seeded) failSync(id ID, d time.Duration) {
	var once sync.Once
	x.disks[id].SetHook(func(op vfs.Op) (err error) {
		if op.Kind == vfs.OpSync {
			once.Do(func() { err = errFaulty })
		}
		return err
	})
	x.later(d, func() { x.begin(id) })
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
		x.disks[id].SetHook(nil)
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

// callers begins the callers, some at each member.
func (x *seeded) callers() *sync.WaitGroup {
	var callers sync.WaitGroup
	for i := range len(x.members) * (1 + x.rng.IntN(3)) {
		id := x.all()[i%len(x.members)]
		rng := stream(x.seed, fmt.Sprint("caller ", i))
		think := time.Duration(1+x.rng.IntN(200)) * time.Millisecond
		callers.Go(func() {
			for n := 0; !x.done(); n++ {
				time.Sleep(time.Duration(rng.Int64N(int64(think))))
				x.call(id, fmt.Sprintf("%d.%d ", i, n), rng)
			}
		})
	}
	return &callers
}

func (x *seeded) done() (over bool) {
	x.court.locked(func() { over = x.closed })
	return over
}

// enough is how long a caller waits that does not give up: in that time the troubles have ended and the group has
// recovered, so that the call has an outcome.
const enough = time.Minute

// call does one thing at a member, and gives up after a while, often soon.
func (x *seeded) call(id ID, name string, rng *rand.Rand) {
	r := x.replica(id)
	if r == nil {
		time.Sleep(20 * time.Millisecond)
		return
	}
	patience := enough
	if rng.IntN(4) == 0 {
		patience = time.Duration(rng.IntN(30)) * time.Millisecond
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c := &judge.Call{}
	var o *observer
	if rng.IntN(3) == 0 {
		x.court.locked(func() { o = x.court.observers[id]; x.court.judge.Began(c) })
		x.court.inTime(o, patience, x.read(ctx, r, o, c, rng))
		return
	}
	body := append([]byte(name), make([]byte, rng.IntN(700))...)
	given := append([]byte(nil), body...)
	c.Body = body
	x.court.locked(func() { o = x.court.observers[id]; x.court.judge.Began(c) })
	result, err := r.Propose(ctx, given)
	x.court.proposed(o, c, result, err)
	x.court.inTime(o, patience, err)
	spoil(given)
	spoil(result)
}

// spoil overwrites bytes that are the caller's.
func spoil(b []byte) {
	for i := range b {
		b[i] = 0xee
	}
}

// proposed reports the outcome of a command to the judge.
func (c *court) proposed(o *observer, call *judge.Call, result []byte, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch x := c.executed[string(call.Body)]; {
	case o.muted, errors.Is(err, ErrUnknown):
		c.judge.Unknown(call, x.session, x.number)
	case err == nil:
		op, err := c.judge.Answered(call, x.session, x.number, result)
		c.seen = max(c.seen, op)
		c.found(err)
	case errors.Is(err, ErrNotApplied):
		c.refused[string(call.Body)] = true
		c.found(c.judge.Refused(call, x.session, x.number))
	default:
		c.found(fmt.Errorf("X4: Propose returned an error of no kind: %w", err))
	}
}

// inTime reports a call at a running replica that has found no outcome although it waited long enough.
func (c *court) inTime(o *observer, patience time.Duration, err error) {
	c.locked(func() {
		if patience == enough && !o.muted && errors.Is(err, context.DeadlineExceeded) {
			c.found(fmt.Errorf("liveness: after %v a call has no outcome: %w", enough, err))
		}
	})
}

// read reads at one of the three levels.
func (x *seeded) read(ctx context.Context, r *Replica, o *observer, c *judge.Call, rng *rand.Rand) error {
	level := Linearizable
	switch rng.IntN(4) {
	case 0:
		level, c.Stale = Local, true
	case 1: // of an op that any caller has seen
		x.court.locked(func() { c.Least = x.court.seen })
		level, c.Stale = AtLeast(uint64(c.Least)), true
	}
	var last, digest uint64
	pause := time.Duration(rng.IntN(3)) * time.Millisecond
	err := r.Read(ctx, level, func() {
		last = o.machine.last
		time.Sleep(pause) // nothing changes meanwhile
		digest = o.machine.digest
	})
	x.court.locked(func() {
		want, known := x.court.digests[last]
		switch {
		case o.muted || err != nil:
			x.court.judge.Unknown(c, 0, 0)
		case last > 0 && (!known || digest != want):
			x.court.found(fmt.Errorf("11.8: a read saw digest %x after op %d; the log says %x", digest, last, want))
		default:
			x.court.found(x.court.judge.Read(c, vsr.OpNumber(last), nil))
		}
	})
	return err
}
