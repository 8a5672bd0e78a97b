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
	c.strike(fault.Fault{Kind: fault.CrashIn, Host: c.victim(r).i, N: 1 + r.Int64N(12), For: c.downTime(r),
		Seed: r.Uint64()})
}

func (c *chance) stop(r world.Stream) {
	c.strike(fault.Fault{Kind: fault.Stop, Host: c.running(r).i, For: c.downTime(r), Seed: r.Uint64()})
}

func (c *chance) pauseOne(r world.Stream) { c.respond(byPause, c.running(r), r) }

func (c *chance) slowTurns(r world.Stream) {
	c.strike(fault.Fault{Kind: fault.SlowTurns, Host: c.running(r).i,
		N: int64(r.Scale(time.Millisecond, 100*time.Millisecond)), For: r.Scale(100*time.Millisecond, 5*time.Second)})
}

// hangApply has a state machine hang.
func (c *chance) hangApply(r world.Stream) {
	c.strike(fault.Fault{Kind: fault.HangApply, Host: c.running(r).i, For: r.Scale(50*time.Millisecond, 10*time.Second)})
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

// partition splits the members into two sides, or isolates one, in both directions or one.
func (c *chance) partition(r world.Stream) {
	n := len(c.hosts)
	f := fault.Fault{For: r.Scale(50*time.Millisecond, 8*time.Second), Host: c.victim(r).i}
	f.Kind = world.OneOf(r, fault.Isolate, fault.Isolate, fault.Isolate, fault.Split, fault.Split, fault.SplitOneWay,
		fault.Deafen, fault.Bridge, fault.Ring)
	switch {
	case n == 1:
		return
	case f.Kind == fault.Bridge && n < 3, f.Kind == fault.Ring && n < 4: // would cut nothing
		f.Kind = fault.Isolate
	}
	if f.Kind.HasSide() {
		f.N = c.side(r, f.Kind, f.Host)
	}
	c.strike(f)
}

// side chooses some of the members, but not all. A bridge belongs to neither side.
func (c *chance) side(r world.Stream, kind fault.Kind, bridge int) (mask int64) {
	all := int64(1)<<len(c.hosts) - 1
	if kind == fault.Bridge {
		all &^= 1 << bridge
	}
	for mask == 0 || mask == all {
		mask = r.Int64N(all+1) & all
	}
	return mask
}

// cutLink cuts one link, in both directions or one.
func (c *chance) cutLink(r world.Stream) {
	if len(c.hosts) == 1 {
		return
	}
	f := c.onLink(r, fault.Cut)
	c.strike(f)
	if r.Chance(0.5) {
		f.Host, f.To = f.To, f.Host
		c.strike(f)
	}
}

// onLink chooses a link, and how long the fault lasts there.
func (c *chance) onLink(r world.Stream, kind fault.Kind) fault.Fault {
	f := fault.Fault{Kind: kind, Host: r.IntN(len(c.hosts)), For: r.Scale(50*time.Millisecond, 10*time.Second)}
	f.To = c.other(r, f.Host)
	return f
}

// badLink makes a link slow or lossy.
func (c *chance) badLink(r world.Stream) {
	if len(c.hosts) == 1 {
		return
	}
	f := c.onLink(r, fault.SlowLink)
	f.N = int64(r.Scale(time.Millisecond, 5*time.Second))
	if r.Chance(0.5) {
		f.Kind, f.N = fault.LossyLink, 1+r.Int64N(999)
	}
	c.strike(f)
}

// narrowLink makes a link carry little.
func (c *chance) narrowLink(r world.Stream) {
	if len(c.hosts) == 1 {
		return
	}
	f := c.onLink(r, fault.NarrowLink)
	f.N = int64(r.Scale(4<<10, 1<<20))
	c.strike(f)
}

func (c *chance) rotatePrimaries(r world.Stream) { c.rotate(r, 1+r.IntN(6)) }

// rotate isolates the primary until another one is elected, and then that one as the first returns,
// so that an old log meets a newer one without a better informed replica in between.
func (c *chance) rotate(r world.Stream, rounds int) {
	h := c.primary()
	if h == nil || rounds == 0 || !c.active() || len(c.hosts) == 1 {
		return
	}
	view, kind := h.proc.seen.Head.View, fault.Isolate
	if r.Chance(0.3) {
		kind = fault.Deafen
	}
	c.strike(fault.Fault{Kind: kind, Host: h.i})
	patience := c.Now() + 3*time.Second
	var look func()
	look = func() {
		if next := c.primary(); c.Now() < patience && (next == nil || next.proc.seen.Head.View <= view) {
			c.FaultAt(c.Now()+5*time.Millisecond, look)
			return
		}
		c.FaultAt(c.Now()+r.Scale(time.Millisecond, 500*time.Millisecond), func() {
			c.strike(fault.Fault{Kind: fault.Join, Host: h.i})
			c.rotate(r, rounds-1)
		})
	}
	look()
}
