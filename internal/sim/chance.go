package sim

import (
	"slices"
	"time"

	"github.com/smr-go/smr/internal/sim/fault"
	"github.com/smr-go/smr/internal/sim/world"
	"github.com/smr-go/smr/internal/vsr"
)

// chance makes faults while a run goes on. Each source has a random stream of its own, and a fault
// that chance makes is one that a schedule could have.
type chance struct {
	*Sim
	*Hazards
	streams []world.Stream          // of Triggered
	delayed map[sending]fault.Fault // strike when the host sends such a message
}

// sending is the moment at which a host sends a message of a kind.
type sending struct {
	host    *host
	message vsr.MessageKind
}

// startChance has chance make faults until the run's Trouble is over.
func (s *Sim) startChance(h *Hazards) {
	c := &chance{Sim: s, Hazards: h, delayed: map[sending]fault.Fault{}}
	s.chance = c
	for i := range h.Triggered {
		c.streams = append(c.streams, world.NewStream(s.p.Seed, "aim", i))
	}
	for i := range sourceTable {
		if h.Every[i] > 0 {
			c.begin(&sourceTable[i], h.Every[i])
		}
	}
	if h.MemoryLoss {
		r := world.NewStream(s.p.Seed, "memory")
		s.FaultAt(r.Between(s.Now(), s.trouble), func() { c.loseMemory(r) })
	}
	if h.Oblivion && !s.p.Volatile && s.p.Replicas > 1 {
		r := world.NewStream(s.p.Seed, "oblivion")
		s.FaultAt(r.Between(s.Now(), s.trouble), func() { c.loseAllMemories(r) })
	}
}

// begin has a source make a fault again and again, with that mean time between two.
func (c *chance) begin(x *source, mean time.Duration) {
	rng := world.NewStream(c.p.Seed, x.stream)
	var next func()
	next = func() {
		if c.active() {
			x.strike(c, rng)
			c.FaultAt(c.Now()+rng.About(mean), next)
		}
	}
	c.FaultAt(c.Now()+rng.About(mean), next)
}

// active reports whether chance makes faults now.
func (c *chance) active() bool { return !c.net.Healed && c.Now() < c.trouble && c.err == nil }

// victim chooses a member that has its memory.
func (s *Sim) victim(r world.Stream) *host {
	return s.pick(r, func(h *host) bool { return !h.lost })
}

// running chooses a member whose process runs, any member if none does.
func (s *Sim) running(r world.Stream) *host {
	return s.pick(r, func(h *host) bool { return h.proc != nil })
}

// pick chooses a suitable member, often the primary; any member if none is suitable.
func (s *Sim) pick(r world.Stream, suits func(h *host) bool) *host {
	primary, from := r.Chance(0.4), r.IntN(len(s.hosts))
	if h := s.primary(); primary && h != nil && suits(h) {
		return h
	}
	for i := range s.hosts {
		if h := s.hosts[(from+i)%len(s.hosts)]; suits(h) {
			return h
		}
	}
	return s.hosts[from]
}

// other chooses a member other than this one, unless it is the only one.
func (s *Sim) other(r world.Stream, than int) int {
	n := len(s.hosts)
	return (than + 1 + r.IntN(max(n-1, 1))) % n
}

// primary returns the host of the latest view's primary, or nil.
func (s *Sim) primary() (h *host) {
	for _, x := range s.hosts {
		if p := x.proc; p != nil && p.seen.Phase == vsr.Primary &&
			(h == nil || p.seen.Head.View > h.proc.seen.Head.View) {
			h = x
		}
	}
	return h
}

// triggered makes chance strike after a moment of the protocol: by time alone it rarely hits the moments that matter.
type triggered struct {
	when     fault.Moment
	message  vsr.MessageKind
	odds     float64 // that a fault follows such a moment
	response response
}

// response is the fault that follows such a moment.
type response uint8

const (
	byCrash     response = iota // the process or its machine crashes
	byIsolation                 // the member is isolated for a while
	byPause                     // the process stands still for a while
	byCrashIn                   // it crashes at one of the next changes of its disk
	bySlowDisk                  // its disk takes long for a while, in which reads and writes that are under way do not end
	byClock                     // its wall clock jumps back
	byHandover                  // the primary hands its role over to the member
	byLag                       // a backup is isolated until its log has been compacted away, if the primary reaches all
)

func (x response) class() fault.Class {
	return [...]fault.Class{byCrash: fault.CrashClass, byIsolation: fault.PartitionClass, byPause: fault.PauseClass,
		byCrashIn: fault.CrashClass, bySlowDisk: fault.DiskClass, byClock: fault.ClockClass, byHandover: fault.HandoverClass,
		byLag: fault.PartitionClass}[x]
}

func drawTriggered(s world.Stream) (all []triggered) {
	kinds := []vsr.MessageKind{vsr.KindPrepare, vsr.KindPrepareOK, vsr.KindCommit, vsr.KindStartViewChange,
		vsr.KindDoViewChange, vsr.KindDoViewChange, vsr.KindGetState, vsr.KindNewState, vsr.KindGap, vsr.KindRequest,
		vsr.KindSnapshotOffer, vsr.KindSnapshotChunk, vsr.KindReadRoundOK}
	for range s.IntN(4) {
		t := triggered{when: fault.Moment(s.IntN(int(fault.Fetched))),
			response: world.OneOf(s, byCrash, byCrash, byIsolation, byPause), message: world.OneOf(s, kinds...)}
		t.odds = world.OneOf(s, 0.001, 0.01, 0.05)
		switch t.message {
		case vsr.KindPrepare, vsr.KindPrepareOK, vsr.KindCommit:
			t.odds /= 10
		case vsr.KindStartViewChange, vsr.KindDoViewChange, vsr.KindGetState, vsr.KindNewState:
			t.odds *= 4
		}
		switch t.when {
		case fault.Issued, fault.Saved, fault.Applied:
			t.message, t.odds = 0, 0.002
		case fault.Alone:
			t.message, t.odds = 0, world.OneOf(s, 0.003, 0.03)
		case fault.Led, fault.Changes:
			t.message, t.odds = 0, world.OneOf(s, 0.05, 0.3)
		}
		all = append(all, t)
	}
	return all
}

// happened makes the faults that follow a moment at the host.
func (c *chance) happened(h *host, when fault.Moment, m vsr.MessageKind) {
	if !c.active() {
		return
	}
	if when == fault.Sent {
		c.strikeDelayed(sending{h, m})
	}
	for i := range c.Triggered {
		t := &c.Triggered[i]
		if t.when != when || t.message != m || h.proc == nil || !c.streams[i].Chance(t.odds) {
			continue
		}
		c.after(h.i, when, m, func() { c.respond(t.response, h, c.streams[i]) })
	}
}

// strikeDelayed strikes with the fault that waits for the moment, if there is one.
func (c *chance) strikeDelayed(x sending) {
	f, ok := c.delayed[x]
	if delete(c.delayed, x); !ok || !c.mayForget(x.host) {
		return
	}
	c.after(x.host.i, fault.Sent, x.message, func() { c.strike(f) })
}

func (c *chance) respond(x response, h *host, r world.Stream) {
	d := r.Scale(10*time.Millisecond, 3*time.Second)
	switch x {
	case byCrash:
		c.crash(r, h)
	case byIsolation:
		c.isolate(h, d)
	case byCrashIn:
		c.strike(fault.Fault{Kind: fault.CrashIn, Host: h.i, N: 1 + r.Int64N(4), For: min(d, c.Down), Seed: r.Uint64()})
	case bySlowDisk:
		c.strike(fault.Fault{Kind: fault.SlowDisk, Host: h.i, N: int64(d), For: d})
	case byClock:
		c.strike(fault.Fault{Kind: fault.ClockJump, Host: h.i, N: -int64(r.Scale(time.Second, 24*time.Hour))})
	case byHandover:
		if p := c.primary(); p != nil && p != h {
			c.strike(fault.Fault{Kind: fault.HandOver, Host: p.i, To: h.i})
		}
	case byLag:
		p := c.primary()
		if p != nil && p != h && !slices.ContainsFunc(c.hosts, func(x *host) bool { return c.net.Links[p.i][x.i].IsCut() }) {
			c.isolate(h, c.p.Abdication+r.Between(c.p.Abdication, 3*c.p.Abdication))
		}
	case byPause:
		c.strike(fault.Fault{Kind: world.OneOf(r, fault.Pause, fault.Pause, fault.Suspend), Host: h.i, For: d})
		if c.Every[partitions]+c.Every[cutLinks]+c.Every[rotations] > 0 && r.Chance(0.4) { // so that it catches up late
			c.isolate(h, d+r.Scale(10*time.Millisecond, time.Second))
		}
	}
}

// isolate cuts a member off, if there are others.
func (c *chance) isolate(h *host, d time.Duration) {
	if len(c.hosts) > 1 {
		c.strike(fault.Fault{Kind: fault.Isolate, Host: h.i, For: d})
	}
}
