package sim

import (
	"time"

	"github.com/smr-go/smr/internal/sim/fault"
	"github.com/smr-go/smr/internal/sim/world"
)

// downTime chooses how long a process is down.
func (c *chance) downTime(r world.Stream) time.Duration { return r.Scale(time.Millisecond, c.Down) }

func (c *chance) crashOne(r world.Stream) { c.crash(r, c.victim(r)) }

func (c *chance) crashAll(r world.Stream) {
	for _, h := range c.hosts {
		c.crash(r, h)
	}
}

// crash crashes a host, sometimes a second time while it restarts.
func (c *chance) crash(r world.Stream, h *host) {
	f := fault.Fault{Kind: fault.Crash, Host: h.i, For: c.downTime(r), Seed: r.Uint64()}
	if r.Chance(c.PowerCut) {
		f.Kind = fault.PowerCut
	}
	if c.Every[crashesInStorage] > 0 && r.Chance(0.2) {
		f.N = 1 + r.Int64N(15)
	}
	switch {
	case h.proc == nil:
	case c.p.Volatile && !c.mayForget(h):
	case c.p.Volatile:
		c.strike(fault.Fault{Kind: fault.Wipe, Host: h.i, For: f.For, Seed: f.Seed})
	default:
		c.strike(f)
	}
}

func (c *chance) crashIn(r world.Stream) {
	c.strike(fault.Fault{Kind: fault.CrashIn, Host: c.victim(r).i, N: 1 + r.Int64N(12), For: c.downTime(r), Seed: r.Uint64()})
}

func (c *chance) stop(r world.Stream) {
	c.strike(fault.Fault{Kind: fault.Stop, Host: c.running(r).i, For: c.downTime(r), Seed: r.Uint64()})
}

func (c *chance) pauseOne(r world.Stream) { c.respond(byPause, c.running(r), r) }

func (c *chance) slowTurns(r world.Stream) {
	c.strike(fault.Fault{Kind: fault.SlowTurns, Host: c.running(r).i,
		N: int64(r.Scale(time.Millisecond, 100*time.Millisecond)), For: r.Scale(100*time.Millisecond, 5*time.Second)})
}

func (c *chance) jumpClock(r world.Stream) {
	c.strike(fault.Fault{Kind: fault.ClockJump, Host: c.victim(r).i,
		N: int64(r.Scale(time.Millisecond, 24*time.Hour)) * world.OneOf[int64](r, -1, 1)})
}

// handOver asks the primary, occasionally another member, to hand over.
func (c *chance) handOver(r world.Stream) {
	h := c.primary()
	if r.Chance(0.1) {
		h = c.running(r)
	}
	if h == nil || len(c.hosts) == 1 {
		return
	}
	f := fault.Fault{Kind: fault.HandOver, Host: h.i}
	if f.To = c.other(r, f.Host); r.IntN(len(c.hosts)) == 0 {
		f.To = -1
	}
	if r.Chance(0.5) {
		f.For = r.Between(1, time.Second)
	}
	c.strike(f)
}

// startWrongly starts a process on a directory of another replica, or on one in use.
func (c *chance) startWrongly(r world.Stream) {
	f := fault.Fault{Kind: fault.SecondStart, Host: c.running(r).i}
	for _, h := range c.hosts {
		if h.proc == nil && !h.lost { // no lock refuses the process there
			f = fault.Fault{Kind: fault.ForeignStart, Host: h.i, To: r.IntN(len(c.hosts))}
		}
	}
	c.strike(f)
}
