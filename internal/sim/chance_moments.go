package sim

import (
	"time"

	"github.com/smr-go/smr/internal/sim/fault"
	"github.com/smr-go/smr/internal/sim/world"
	"github.com/smr-go/smr/internal/vsr"
)

// triggered makes chance strike after a moment of the protocol: by time alone it rarely hits the
// moments that matter.
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
)

func (x response) class() fault.Class {
	return [...]fault.Class{byCrash: fault.CrashClass, byIsolation: fault.PartitionClass, byPause: fault.PauseClass}[x]
}

func drawTriggered(s world.Stream) (all []triggered) {
	kinds := []vsr.MessageKind{vsr.KindPrepare, vsr.KindPrepareOK, vsr.KindCommit, vsr.KindStartViewChange, vsr.KindDoViewChange,
		vsr.KindDoViewChange, vsr.KindGetState, vsr.KindNewState, vsr.KindGap, vsr.KindRequest, vsr.KindSnapshotOffer,
		vsr.KindSnapshotChunk, vsr.KindReadRoundOK}
	for range s.IntN(4) {
		t := triggered{when: fault.Moment(s.IntN(int(fault.Moments))), response: world.OneOf(s, byCrash, byCrash, byIsolation, byPause), message: world.OneOf(s, kinds...)}
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
	if when == fault.Sent && m == vsr.KindSnapshotOffer {
		c.strikeOffer(h)
	}
	for i := range c.Triggered {
		t := &c.Triggered[i]
		if t.when != when || t.message != m || h.proc == nil || !c.streams[i].Chance(t.odds) {
			continue
		}
		c.trigger = c.instant.trigger(h.i, when, m)
		c.respond(t.response, h, c.streams[i])
		c.trigger = nil
	}
}

// strikeOffer strikes the snapshot that the host has just offered, if a fault waits for that.
func (c *chance) strikeOffer(h *host) {
	f, ok := c.offers[h]
	if delete(c.offers, h); !ok || !c.mayForget(h) {
		return
	}
	c.trigger = c.instant.trigger(h.i, fault.Sent, vsr.KindSnapshotOffer)
	c.strike(f)
	c.trigger = nil
}

func (c *chance) respond(x response, h *host, r world.Stream) {
	d := r.Scale(10*time.Millisecond, 3*time.Second)
	switch x {
	case byCrash:
		c.crash(r, h)
	case byIsolation:
		c.isolate(h, d)
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
