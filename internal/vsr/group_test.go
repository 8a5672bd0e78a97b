package vsr

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// testGroup is cores without a shell. Messages are in transit until a test moves them, saves are
// not durable until it says so, and time stands still until it ticks. After every turn the
// invariants of section 11 are checked.
type testGroup struct {
	now     time.Time
	config  Config // of every member but for Self, Detector and Rand
	hosts   []*host
	transit []*sent
	history *history
	content map[SnapshotID]machine // what each snapshot holds
	cut     map[Index]bool         // members whose links are down
	held    []pattern              // messages that only an explicit deliver moves
	lost    []pattern              // messages that get lost
	fast    bool                   // saves are durable at once
	onto    func(line string)      // where what happens is told; nil: nowhere
	broken  error                  // the first invariant found broken
}

// sent is a message in transit.
type sent struct {
	from, to Index
	header   Header
	message  Message
}

// pattern is a kind of message in transit.
type pattern func(*sent) bool

func matches(patterns []pattern, m *sent) bool {
	return slices.ContainsFunc(patterns, func(p pattern) bool { return p(m) })
}

// host is the place of one member: its disk outlives its core.
type host struct {
	id         string
	index      Index
	core       *Replica // nil: down
	disk       disk
	copied     disk    // an older copy of it
	config     *Config // if it differs from the group's
	unsaved    []*Save
	compaction *Compact // asked for, and waiting for unsaved
	machine    machine
	detector   *fixedTrust
	paused     bool
	hung       bool             // saves are done only when it is said
	rotten     bool             // its snapshot cannot be read any more
	slow       bool             // what is handed out is applied only when it is said
	unapplied  []Entry          // handed out
	slowReads  bool             // entries are loaded only when it is said
	unread     []Load           // asked for
	problem    string           // as last told
	state      string           // as last told
	waits      map[Message]bool // told to wait for a save
	parts      map[SnapshotID]map[uint32]bool
}

// fixedTrust is a detector that trusts for a fixed time, or until it is told to suspect.
type fixedTrust struct {
	last    time.Time
	suspect bool
}

const testTrust = 500 * time.Millisecond

func (d *fixedTrust) Reset(now time.Time) { *d = fixedTrust{last: now} }
func (d *fixedTrust) Heard(now time.Time) { *d = fixedTrust{last: now} }
func (d *fixedTrust) Deadline() time.Time {
	if d.suspect {
		return d.last
	}
	return d.last.Add(testTrust)
}

// memberNames are the ids of a test group's members.
const memberNames = "abcdefg"

// newTestGroup returns n members that are down and have empty disks.
func newTestGroup(n int) *testGroup {
	g := &testGroup{now: time.Unix(1_000_000, 0), history: newHistory(), content: map[SnapshotID]machine{}, cut: map[Index]bool{}}
	var members []Member
	for i := range n {
		members = append(members, Member{ID: memberNames[i : i+1]})
		g.hosts = append(g.hosts, &host{id: memberNames[i : i+1], index: Index(i)})
	}
	g.config = Config{Members: NewMembership(members), Heartbeat: 50 * time.Millisecond, Abdication: time.Second,
		DiskLimit: 5 * time.Second, Window: 1 << 20, Tail: 1 << 20, KeepLog: 1 << 20}
	return g
}

// start starts a member from its disk.
func (g *testGroup) start(h *host) {
	cfg := g.config
	if h.config != nil {
		cfg = *h.config
	}
	h.detector = &fixedTrust{}
	cfg.Self, cfg.Detector = h.index, h.detector
	cfg.Rand = rand.New(rand.NewPCG(uint64(h.index), h.disk.starts))
	h.disk.starts++
	h.unsaved, h.compaction, h.state, h.problem, h.paused, h.unapplied = nil, nil, "", "", false, nil
	h.waits = map[Message]bool{}
	h.machine = h.disk.machine.clone()
	h.core = New(cfg, h.disk.durable(), g.now)
	g.turn(h)
}

// crash stops a member; of its saves the first keep were durable, though it did not learn of it.
func (g *testGroup) crash(h *host, keep int) {
	for _, s := range h.unsaved[:min(keep, len(h.unsaved))] {
		h.disk.write(s)
	}
	h.core, h.unsaved = nil, nil
	g.check()
}

// form forms the group, with all that belongs to it done and said.
func (g *testGroup) form() {
	for _, h := range g.hosts {
		g.start(h)
	}
	g.stabilize()
	g.heartbeat(g.hosts[0])
	g.stabilize()
}

// heartbeat lets the primary's next heartbeat be due.
func (g *testGroup) heartbeat(h *host) {
	if h.core.isPrimary() {
		h.core.primary.heartbeatAt = g.now
	}
	g.turn(h)
}

// stabilize makes all saves durable and delivers all messages that are not held, until none is
// left.
func (g *testGroup) stabilize() {
	for range 10_000 {
		if g.broken != nil || !g.settleOne() {
			return
		}
	}
	g.broken = errors.New("it does not become quiet: 10000 messages and saves")
}

// settleOne does the next thing that can be done without time passing.
func (g *testGroup) settleOne() bool {
	for _, h := range g.hosts {
		if h.core != nil && !h.hung && len(h.unsaved) > 0 {
			g.saved(h, len(h.unsaved))
			return true
		}
	}
	for _, m := range g.transit {
		if !matches(g.held, m) {
			g.deliver(m)
			return true
		}
	}
	return false
}

// saved makes a member's oldest n saves durable and tells it.
func (g *testGroup) saved(h *host, n int) {
	var seq uint64
	for _, s := range h.unsaved[:n] {
		h.disk.write(s)
		seq = s.Seq
	}
	h.unsaved = h.unsaved[n:]
	h.core.Step(g.now, &Saved{Seq: seq})
	g.compact(h)
	g.turn(h)
}

// deliver takes a message out of transit to its receiver.
func (g *testGroup) deliver(m *sent) {
	g.drop(m)
	g.receive(m)
}

func (g *testGroup) drop(m *sent) {
	g.transit = slices.DeleteFunc(g.transit, func(x *sent) bool { return x == m })
}

func (g *testGroup) receive(m *sent) {
	h := g.hosts[m.to]
	if h.core == nil || h.paused || g.cut[m.from] != g.cut[m.to] {
		return
	}
	h.core.Step(g.now, &Receive{From: m.from, Header: m.header, Message: m.message})
	g.turn(h)
}

// tick lets time pass, in steps of a heartbeat.
func (g *testGroup) tick(d time.Duration) {
	for d > 0 {
		step := min(d, g.config.Heartbeat)
		d -= step
		g.now = g.now.Add(step)
		for _, h := range g.hosts {
			if h.core != nil && !h.paused {
				h.core.Step(g.now, &Tick{})
				g.turn(h)
			}
		}
	}
}

// suspect makes the member's detector suspect the primary, or its view change last too long.
func (g *testGroup) suspect(h *host) {
	h.detector.suspect = true
	h.core.viewChange.noVoteBefore = time.Time{}
	if h.core.status == changingView {
		h.core.viewChange.giveUpAt = g.now
	}
	h.core.Step(g.now, &Tick{})
	g.turn(h)
}

// propose puts an operation without a session into the primary's log, in this turn; false if it is
// refused.
func (g *testGroup) propose(h *host, body string) bool {
	if !h.core.accepts() || !h.core.room() {
		return false
	}
	h.core.appendNew(Entry{Kind: Command, Body: []byte(body)})
	return true
}

// turn ends a member's turn, does what it says, and ends the turns that this begins.
func (g *testGroup) turn(h *host) {
	for again := true; again && h.core != nil; {
		out := h.core.Ready(g.now)
		g.tellState(h)
		again = g.perform(h, &out)
		g.check()
	}
}

// check keeps the first broken invariant.
func (g *testGroup) check() {
	if g.broken == nil {
		g.broken = g.history.check(g)
	}
}

// host returns the member of that id.
func (g *testGroup) host(id string) (*host, error) {
	for _, h := range g.hosts {
		if h.id == id {
			return h, nil
		}
	}
	return nil, fmt.Errorf("no member %q", id)
}

func (g *testGroup) tell(format string, args ...any) {
	if g.onto != nil {
		g.onto(fmt.Sprintf(format, args...))
	}
}
