package vsr

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"time"
)

// place is the whole state of one member: its core, its disk and its pending saves. A place is
// immutable; events lead to other places.
type place struct {
	id        uint32
	body      uint32 // identity of everything but starts
	starts    []uint64
	host      *host
	crashes   uint8            // number of crashes that may still happen here
	led       [maxViews]uint64 // by view: the start in which it led that view (invariant 5)
	entries   uint32           // identity of its entries, in memory and on disk (invariant 4)
	disk      uint32           // identity of the state after a crash (invariant 3)
	committed uint32           // identity of the viewstamps of the entries that it knows to be committed (invariant 2)
	rank      uint64

	ignored map[uint32]bool // messages that arrived here and were left out

	said []*sent           // messages that it may send at any time
	own  []*next           // results of events without a message; nil before they are computed
	mail map[event][]*next // results of each message
}

const maxViews = 8

// scratch returns a group in which all members but one are down. That member is a copy of p's.
func (x *explorer) scratch(p *place) (*testGroup, *host) {
	g := newTestGroup(x.scope.replicas)
	g.config = x.config
	h := p.host.cloned(&g.config)
	copy(h.core.startSeen, p.starts)
	g.hosts[h.index] = h
	for v, start := range p.led {
		if start > 0 {
			g.history.leaders[Viewstamp{Epoch: 1, View: View(v)}] = leader{h.index, start}
		}
	}
	g.check() // records the values that must not fall
	return g, h
}

// cloned returns a host that continues from this one's state.
func (h *host) cloned(cfg *Config) *host {
	c := *h
	c.core = h.core.cloned()
	c.detector = &fixedTrust{last: c.core.now}
	c.core.cfg.Detector, c.core.cfg.Rand = c.detector, testRand(h)
	c.unsaved, c.machine = slices.Clone(h.unsaved), h.machine.clone()
	c.waits = maps.Clone(h.waits)
	return &c
}

// happen returns the place and the messages that result from an event; no place if the event leaves
// the scope.
func (x *explorer) happen(p *place, ev event, onto func(string)) (*place, []*sent, error) {
	g, h := x.scratch(p)
	g.onto = onto
	for i := range h.core.heardAt {
		if ev.silent>>i&1 == 1 {
			h.core.heardAt[i] = time.Time{}
		}
	}
	if !x.do(g, h, ev) {
		return nil, nil, nil
	}
	crashes := p.crashes
	if ev.kind == crash {
		crashes--
	}
	for crashes == 0 && h.core != nil && len(h.unsaved) > 0 {
		g.saved(h, 1)
	}
	switch {
	case g.broken != nil:
		return nil, g.transit, g.broken
	case h.core == nil:
		return nil, g.transit, errors.New("it stops")
	case h.core.head.View >= View(x.scope.views):
		return nil, nil, nil
	}
	to, err := x.place(h, p.led, crashes)
	return to, g.transit, err
}

// do performs an event. It returns false if the event cannot happen.
func (x *explorer) do(g *testGroup, h *host, ev event) bool {
	switch ev.kind {
	case deliver:
		g.receive(x.messages[ev.message])
	case saved:
		g.saved(h, ev.n)
	case crash:
		g.crash(h, ev.n)
		g.start(h)
	case leave:
		g.suspect(h)
		for _, m := range ev.votes {
			if m > 0 {
				g.receive(x.messages[m-1])
			}
		}
	case propose:
		if !g.propose(h, fmt.Sprintf("x=%d", ev.n)) {
			return false
		}
		g.turn(h)
	}
	return true
}

// speak collects the messages that a place may send at any time: the vote of a member that is not
// the primary; or the primary's heartbeat and every Prepare that its log allows, from any op on. A
// primary also names its view, as in its answer to a member that is behind.
func (x *explorer) speak(p *place) error {
	g, h := x.scratch(p)
	r := h.core
	if !r.isPrimary() {
		g.suspect(h)
	}
	for k := OpNumber(1); r.isPrimary() && k <= r.log.last.Op+1; k++ {
		for _, i := range r.others {
			r.primary.progress[i] = progress{answeredAt: r.now}
			r.primary.progress[i].probe(k)
		}
		g.turn(h)
	}
	g.heartbeat(h)
	p.said = g.transit
	if r.prim() == r.self && r.saves.headSeq <= r.saves.doneSeq {
		for _, i := range r.others {
			p.said = append(p.said, &sent{r.self, i, r.Header(), &Gap{View: r.head.View}})
		}
	}
	return g.broken
}

// place returns the place of a host in normal form.
func (x *explorer) place(h *host, led [maxViews]uint64, crashes uint8) (*place, error) {
	r := h.core
	if r.isPrimary() {
		led[r.head.View] = h.disk.starts
	}
	clear(led[:h.disk.head.View]) // those views are over (11.1)
	normalize(h, crashes)
	starts := r.startSeen
	r.startSeen = make([]uint64, len(starts))
	text := identity(r) + identity(h.disk) + identity(h.unsaved) + identity(led) + identity(crashes)
	id, isNew := x.placeIDs.of(text + identity(starts))
	if !isNew {
		return x.places[id], nil
	}
	h.waits, h.state, h.problem = map[Message]bool{}, stateText(r), r.problem
	p := &place{id: id, starts: starts, host: h, led: led, crashes: crashes, rank: rank(h, crashes), mail: map[event][]*next{}, ignored: map[uint32]bool{}}
	p.body, _ = x.bodyIDs.of(text)
	p.entries, _ = x.entryIDs.of(identity(r.log.tail) + identity(h.disk.base) + identity(h.disk.entries))
	p.disk, _ = x.diskIDs.of(identity(h.disk.head.Group) + identity(h.disk.base) + identity(h.disk.entries))
	p.committed = x.committed(r)
	x.places = append(x.places, p)
	if err := x.speak(p); err != nil {
		return nil, err
	}
	return p, checkMachine(h)
}

// committed returns the identity of a replica's committed log.
func (x *explorer) committed(r *Replica) uint32 {
	var stamps []Viewstamp
	for op := OpNumber(1); op <= r.commit; op++ {
		s, _ := r.log.stamp(op)
		stamps = append(stamps, s)
	}
	return x.histories.of(stamps)
}

func testRand(h *host) *rand.Rand { return rand.New(rand.NewPCG(uint64(h.index), h.disk.starts)) }
