package smr

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/smr-go/smr/internal/sim/judge"
	"github.com/smr-go/smr/internal/vsr"
)

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
	x.checker.locked(func() { over = x.closed || x.checker.violation != nil })
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
	x.checker.status(r)
	defer x.checker.status(r)
	c, o, began := &judge.Call{}, r.probe.(*observer), time.Now()
	if rng.IntN(3) == 0 {
		x.checker.locked(func() { x.checker.judge.Began(c); o.reads.began++ })
		x.checker.inTime(o, began, patience, x.read(ctx, r, o, c, rng))
		return
	}
	body := append([]byte(name), make([]byte, rng.IntN(700))...)
	given := append([]byte(nil), body...)
	c.Body = body
	x.checker.locked(func() { x.checker.judge.Began(c) })
	result, err := r.Propose(ctx, given)
	x.checker.proposed(o, c, result, err, r.Status())
	x.checker.inTime(o, began, patience, err)
	spoil(given)
	spoil(result)
}

// spoil overwrites bytes that are the caller's.
func spoil(b []byte) {
	for i := range b {
		b[i] = 0xee
	}
}

// proposed reports the outcome of a command, and the replica's status after it, to the judge.
func (c *checker) proposed(o *observer, call *judge.Call, result []byte, err error, s Status) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if o.machine.returned(result) {
		c.found(errors.New("X4: a caller got the result that the session table holds"))
	}
	switch x := c.executed[string(call.Body)]; {
	case o.ignored(), errors.Is(err, ErrUnknown):
		c.judge.Unknown(call, x.session, x.number)
	case err == nil:
		op, err := c.judge.Answered(call, x.session, x.number, result)
		c.seen = max(c.seen, op)
		c.found(err)
		if s.Applied < uint64(op) {
			c.found(fmt.Errorf("the status says that %d ops are applied, and a caller has the result of op %d", s.Applied, op))
		}
	case errors.Is(err, ErrNotApplied):
		c.found(c.judge.Refused(call, x.session, x.number))
	default:
		c.found(fmt.Errorf("X4: Propose returned an error of no kind: %w", err))
	}
}

// inTime reports a call at a running replica that has found no outcome although it waited long enough, or that has
// outlived its context.
func (c *checker) inTime(o *observer, began time.Time, patience time.Duration, err error) {
	const slack = 50 * time.Millisecond // turns, and reads of others
	c.locked(func() {
		took := time.Since(began)
		switch {
		case o.ignored():
		case took > patience+slack && o.slept.Before(began):
			c.found(fmt.Errorf("X4: a call took %v, and its context %v: %v", took, patience, err))
		case err == nil:
		case patience == enough && errors.Is(err, context.DeadlineExceeded):
			c.found(fmt.Errorf("liveness: after %v a call has no outcome: %w", enough, err))
		case !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, ErrClosed) && !errors.Is(err, ErrNotApplied):
			c.found(fmt.Errorf("a call returned an error of no kind: %w", err))
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
		x.checker.locked(func() { c.Least = x.checker.seen })
		level, c.Stale = AtLeast(uint64(c.Least)), true
	}
	var last, digest uint64
	pause := time.Duration(rng.IntN(3)) * time.Millisecond
	err := r.Read(ctx, level, func() {
		last = o.machine.last
		time.Sleep(pause) // nothing changes meanwhile
		digest = o.machine.digest
	})
	x.checker.locked(func() {
		o.reads.ended++
		want, known := x.checker.digests[last]
		switch {
		case o.ignored() || err != nil:
			x.checker.judge.Unknown(c, 0, 0)
		case last > 0 && (!known || digest != want):
			x.checker.found(fmt.Errorf("11.8: a read saw digest %x after op %d; the log says %x", digest, last, want))
		default:
			x.checker.found(x.checker.judge.Read(c, vsr.OpNumber(last), nil))
		}
	})
	return err
}

// handover hands the primary's role to a member, and gives up after d.
func (x *seeded) handover(r *Replica, to ID, d time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	began, from, o := time.Now(), vsr.View(r.Status().View), r.probe.(*observer)
	x.checker.locked(func() { o.handovers.began++ })
	err := r.Handover(ctx, to)
	took := time.Since(began)
	x.checker.locked(func() { o.handovers.ended++ })
	time.Sleep(10 * time.Millisecond) // the turn that gave the outcome ends, and the checker sees its state
	x.checker.locked(func() {
		if !o.ignored() {
			x.checker.found(x.checker.handedOver(r, to, from, err))
			if took > d+time.Millisecond || errors.Is(err, context.DeadlineExceeded) && took < d {
				x.checker.found(fmt.Errorf("handover to %q: its context lasts %v, and it has ended after %v: %w", to, d, took, err))
			}
		}
	})
}

// handedOver checks the outcome of a handover that began when its replica was in view from. The caller holds the lock.
func (c *checker) handedOver(r *Replica, to ID, from vsr.View, err error) error {
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, ErrClosed) && r.stopping() {
		return nil
	}
	if err == nil && to != "" && to != r.cfg.ID {
		c.x.seen.happened("a role is handed over")
	}
	return c.judge.HandedOver(int(r.cfg.index(to)), from, err)
}

// status compares a replica's status with the judge's account.
func (c *checker) status(r *Replica) {
	c.mu.Lock()
	defer c.mu.Unlock()
	o, s := r.probe.(*observer), r.Status()
	if o.ignored() {
		return
	}
	if s.Applied > s.Commit || s.Commit > s.Op || s.Commit > uint64(c.judge.Committed().Op) || s.View < o.view {
		c.found(fmt.Errorf("the status of %s is %+v; it was in view %d, and op %d is committed",
			r.cfg.ID, s, o.view, c.judge.Committed().Op))
	}
	o.view = s.View
}
