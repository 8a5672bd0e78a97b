package smr

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"regexp"
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
	x.court.status(r)
	defer x.court.status(r)
	c, o := &judge.Call{}, r.probe.(*observer)
	if rng.IntN(3) == 0 {
		x.court.locked(func() { x.court.judge.Began(c) })
		x.court.inTime(o, patience, x.read(ctx, r, o, c, rng))
		return
	}
	body := append([]byte(name), make([]byte, rng.IntN(700))...)
	given := append([]byte(nil), body...)
	c.Body = body
	x.court.locked(func() { x.court.judge.Began(c) })
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

// handover hands the primary's role to a member, and gives up after d.
func (x *seeded) handover(r *Replica, to ID, d time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	began, from := time.Now(), vsr.View(r.Status().View)
	err := r.Handover(ctx, to)
	took := time.Since(began)
	time.Sleep(time.Nanosecond) // the turn that gave the outcome ends, and the court sees its state
	x.court.locked(func() {
		if o := r.probe.(*observer); !o.muted {
			x.court.found(x.court.handedOver(r, to, from, err))
			if took > d+time.Millisecond || errors.Is(err, context.DeadlineExceeded) && took < d {
				x.court.found(fmt.Errorf("handover to %q: its context lasts %v, and it has ended after %v: %w", to, d, took, err))
			}
		}
	})
}

// notHandedOver are the errors of a handover, but for the end of its context and of its replica. The name is that of a
// primary.
var notHandedOver = regexp.MustCompile(`^smr: handover to "[a-e]?": (?:` +
	`this replica is not primary, and there is no primary at present|` +
	`this replica is not primary, "([a-e])" is|` +
	`operations have waited for 1s, and it does not hold the whole log \(is its disk full, or slow\?\); "([a-e])" goes on as primary|` +
	`"([a-e])" became primary instead)$`)

// handedOver checks the outcome of a handover that began when its replica was in view from. The caller holds the lock.
func (c *court) handedOver(r *Replica, to ID, from vsr.View, err error) error {
	primary := to
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return nil
	case errors.Is(err, ErrClosed) && r.stopping():
		return nil
	case err != nil:
		names := notHandedOver.FindStringSubmatch(err.Error())
		if names == nil {
			return fmt.Errorf("V2: Handover returned an error of no kind: %w", err)
		}
		primary = ID(names[1] + names[2] + names[3])
	case to != "" && to != r.cfg.ID:
		c.x.seen.happened("a role is handed over")
	}
	if primary == "" {
		return nil
	}
	for view, id := range c.primaries {
		if view >= from && id == primary {
			return nil
		}
	}
	return fmt.Errorf("V2: a handover to %q that began in view %d returned %v; %s has not been primary since", to, from, err, primary)
}

// status compares a replica's status with the judge's account.
func (c *court) status(r *Replica) {
	c.mu.Lock()
	defer c.mu.Unlock()
	o, s := r.probe.(*observer), r.Status()
	if o.muted {
		return
	}
	if s.Applied > s.Commit || s.Commit > s.Op || s.Commit > uint64(c.judge.Committed().Op) || s.View < o.view {
		c.found(fmt.Errorf("the status of %s is %+v; it was in view %d, and op %d is committed", r.cfg.ID, s, o.view, c.judge.Committed().Op))
	}
	o.view = s.View
}
