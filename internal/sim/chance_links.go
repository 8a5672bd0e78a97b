package sim

import (
	"time"

	"github.com/smr-go/smr/internal/sim/fault"
	"github.com/smr-go/smr/internal/sim/world"
)

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
	f := fault.Fault{Kind: fault.Cut, Host: r.IntN(len(c.hosts)), For: r.Scale(50*time.Millisecond, 10*time.Second)}
	f.To = c.other(r, f.Host)
	c.strike(f)
	if r.Chance(0.5) {
		f.Host, f.To = f.To, f.Host
		c.strike(f)
	}
}

// badLink makes a link slow or lossy.
func (c *chance) badLink(r world.Stream) {
	if len(c.hosts) == 1 {
		return
	}
	f := fault.Fault{Kind: fault.SlowLink, Host: r.IntN(len(c.hosts)), For: r.Scale(50*time.Millisecond, 10*time.Second)}
	f.To = c.other(r, f.Host)
	f.N = int64(r.Scale(time.Millisecond, 5*time.Second))
	if r.Chance(0.5) {
		f.Kind, f.N = fault.LossyLink, 1+r.Int64N(999)
	}
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
