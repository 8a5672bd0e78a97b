package vsr

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// testGroup is a group of cores without a shell. Messages stay in transit until a test moves them,
// saves complete when the test reports them, and time passes only in tick. After every turn the
// invariants of section 11 are checked.
type testGroup struct {
	now     time.Time
	config  Config // of every member, without Self, Detector and Rand
	hosts   []*host
	transit []*sent
	history *history
	content map[SnapshotID]machine // content of each snapshot
	cut     map[Index]bool         // members whose links are down
	held    []pattern              // messages that only an explicit deliver moves
	lost    []pattern              // messages that are lost
	fast    bool                   // saves are durable at once
	onto    func(line string)      // receives the lines of the transcript; may be nil
	watch   func(*host, *sent)     // sees each message before its receiver does; may be nil
	broken  error                  // the first broken invariant
}

// sent is a message in transit.
type sent struct {
	from, to Index
	header   Header
	message  Message
}

// pattern selects messages in transit.
type pattern func(*sent) bool

func matches(patterns []pattern, m *sent) bool {
	return slices.ContainsFunc(patterns, func(p pattern) bool { return p(m) })
}

// host is the state of one member. Its disk outlives its core.
type host struct {
	id           string
	index        Index
	core         *Replica // nil: down
	disk         disk
	copied       disk    // an older copy of disk
	forgot       bool    // disk has lost durable entries
	seed         uint64  // of the random numbers of its next process; 0: how often it was started
	config       *Config // if it differs from the group's
	unsaved      []*Save
	compaction   *Compact // requested, and waiting for unsaved
	machine      machine
	detector     *fixedTrust
	paused       bool
	hung         bool             // saves complete only on command
	full         bool             // no command is saved
	rotten       bool             // its snapshot can no longer be read
	slow         bool             // delivered entries are applied only on command
	unapplied    []Entry          // delivered and not applied
	slowChunks   bool             // chunks are read only on command
	slowReads    bool             // entries are loaded only on command
	unread       []Load           // requested and not loaded
	unreadChunks []ChunkWanted    // requested and not read
	problem      string           // as last shown
	state        string           // as last shown
	waits        map[Message]bool // shown as deferred
	parts        map[SnapshotID]map[uint32]bool
}

// fixedTrust is a detector that trusts the primary for a fixed time, or until a test makes it
// suspect.
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

// memberNames are the IDs of a test group's members.
const memberNames = "abcdefg"

// newTestGroup returns n stopped members with empty disks.
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
	cfg.Rand = rand.New(rand.NewPCG(uint64(h.index), cmp.Or(h.seed, h.disk.starts)))
	h.disk.starts++
	h.unsaved, h.compaction, h.state, h.problem, h.paused, h.unapplied = nil, nil, "", "", false, nil
	h.waits = map[Message]bool{}
	h.machine = h.disk.machine.clone()
	h.core = New(cfg, h.disk.durable(), g.now)
	g.turn(h)
	g.fill(h, h.full)
}

// crash stops a member. The first keep of its saves were durable, although the core was not told.
func (g *testGroup) crash(h *host, keep int) {
	for _, s := range h.unsaved[:min(keep, len(h.unsaved))] {
		h.disk.write(s)
	}
	h.core, h.unsaved = nil, nil
	g.check()
}

// form forms the group and completes everything that this involves.
func (g *testGroup) form() {
	for _, h := range g.hosts {
		g.start(h)
	}
	g.stabilize()
	g.heartbeat(g.hosts[0])
	g.stabilize()
}

// heartbeat makes the primary's next heartbeat due.
func (g *testGroup) heartbeat(h *host) {
	if h.core.isPrimary() {
		h.core.primary.heartbeatAt = g.now
	}
	g.turn(h)
}

// stabilize completes all saves and delivers all messages that are not held, until none is left.
func (g *testGroup) stabilize() {
	for range 10_000 {
		if g.broken != nil || !g.settleOne() {
			return
		}
	}
	g.broken = errors.New("it does not become quiet: 10000 messages and saves")
}

// settleOne performs the next event that needs no time to pass.
func (g *testGroup) settleOne() bool {
	for _, h := range g.hosts {
		if h.core != nil && !h.hung && h.completes(len(h.unsaved)) > 0 {
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

// completes returns how many of a member's oldest n saves its disk can complete.
func (h *host) completes(n int) int {
	if h.full {
		_, n = SavableWhenFull(h.disk.last().Op, h.unsaved[:n])
	}
	return n
}

// saved completes a member's oldest n saves, as far as there is space, and reports them.
func (g *testGroup) saved(h *host, n int) {
	saves := h.unsaved[:n]
	if h.full {
		var merged *Save
		if merged, n = SavableWhenFull(h.disk.last().Op, saves); n == 0 {
			return
		}
		saves = []*Save{merged}
	}
	var seq uint64
	for _, s := range saves {
		h.disk.write(s)
		seq = s.Seq
	}
	h.unsaved = h.unsaved[n:]
	h.core.Step(g.now, &Saved{Seq: seq})
	g.compact(h)
	g.turn(h)
}

// deliver delivers a message in transit to its receiver.
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
	if g.watch != nil {
		g.watch(h, m)
	}
	h.core.Step(g.now, &Receive{From: m.from, Header: m.header, Message: m.message})
	g.turn(h)
}

// tick advances the time in steps of a heartbeat.
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

// suspect makes a member's detector suspect the primary, or its view change time out.
func (g *testGroup) suspect(h *host) {
	h.detector.suspect = true
	h.core.viewChange.noVoteBefore = time.Time{}
	if h.core.status == changingView {
		h.core.viewChange.giveUpAt = g.now
	}
	h.core.Step(g.now, &Tick{})
	g.turn(h)
}

// propose appends an operation without a session to the primary's log in this turn. It returns
// false if the primary rejects it.
func (g *testGroup) propose(h *host, body string) bool {
	if !h.core.accepts() || !h.core.room() {
		return false
	}
	h.core.appendNew(Entry{Kind: Command, Body: []byte(body)})
	return true
}

// turn ends a member's turn, performs its output, and ends the turns that this starts.
func (g *testGroup) turn(h *host) {
	for again := true; again && h.core != nil; {
		out := h.core.Ready(g.now)
		g.tellState(h)
		again = g.perform(h, &out)
		g.check()
	}
}

// check records the first broken invariant.
func (g *testGroup) check() {
	if g.broken == nil {
		g.broken = g.history.check(g)
	}
}

// host returns the member with that ID.
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
