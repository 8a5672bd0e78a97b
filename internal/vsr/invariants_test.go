package vsr

import (
	"bytes"
	"cmp"
	"fmt"
)

// history records the past values to which the invariants of section 11 refer.
type history struct {
	canon   map[OpNumber]Entry          // every op that was ever committed (2)
	stamps  map[Viewstamp]Entry         // every entry that ever existed (4)
	before  map[Viewstamp]Viewstamp     // the entry before it (4)
	leaders map[Viewstamp]leader        // by (epoch, view): the primary with status normal (5)
	views   map[memory]View             // highest durable view (1)
	commits map[process]OpNumber        // highest commit number (1)
	states  map[OpNumber]string         // state after the op (8)
	reads   map[process]map[uint64]read // the op that a read must see (9)
	claim   error                       // the first message whose claim was false (6)

	group  GroupID              // the group of canon, stamps, before, leaders and states; zero before it is formed
	others map[GroupID]*history // of the groups formed later
}

type (
	memory  struct{ inc Incarnation }
	process struct {
		index Index
		start uint64
	}
	leader = process
	read   struct{ op OpNumber }
)

func newHistory() *history {
	return &history{canon: map[OpNumber]Entry{}, stamps: map[Viewstamp]Entry{}, before: map[Viewstamp]Viewstamp{},
		leaders: map[Viewstamp]leader{}, views: map[memory]View{}, commits: map[process]OpNumber{},
		states: map[OpNumber]string{}, reads: map[process]map[uint64]read{}, others: map[GroupID]*history{}}
}

// of returns the history of a group.
func (y *history) of(group GroupID) *history {
	if y.group == (GroupID{}) {
		y.group = group
	}
	if group == y.group {
		return y
	}
	if y.others[group] == nil {
		y.others[group] = newHistory()
	}
	return y.others[group]
}

// checkGroups checks that at most one group is ever confirmed (S2).
func (y *history) checkGroups() error {
	confirmed := len(y.canon)
	for group, z := range y.others {
		if confirmed > 0 && len(z.canon) > 0 {
			return fmt.Errorf("S2: two groups are confirmed, the later one is %v", group)
		}
		confirmed += len(z.canon)
	}
	return nil
}

// check returns the first broken invariant.
func (y *history) check(g *testGroup) error {
	if y.claim != nil {
		return y.claim
	}
	for _, h := range g.hosts {
		if h.core != nil {
			if err := cmp.Or(y.checkReplica(h), checkMemories(g, h.core)); err != nil {
				return fmt.Errorf("%s: %w", h.id, err)
			}
		}
		if err := y.checkDisk(h); err != nil {
			return fmt.Errorf("%s's disk: %w", h.id, err)
		}
	}
	return cmp.Or(y.checkGroups(), y.checkChoices(g))
}

// checkMemories checks that a replica takes only memories for lost that are (S6).
func checkMemories(g *testGroup, r *Replica) error {
	for i, lost := range r.memories.lost {
		if lost && !g.hosts[i].forgot {
			return fmt.Errorf("S6: takes the memory of %s for lost: %s", g.hosts[i].id, r.memories.problem)
		}
	}
	return nil
}

func (y *history) checkReplica(h *host) error {
	r := h.core
	if err := r.Check(); err != nil {
		return err
	}
	p := process{h.index, h.disk.starts}
	if r.commit < y.commits[p] && !(r.full && y.commits[p] <= r.takenBack) { // F13
		return fmt.Errorf("11.1: commit number %d was %d", r.commit, y.commits[p])
	}
	y.commits[p] = r.commit
	z := y.of(r.head.Group)
	if r.isPrimary() {
		at := Viewstamp{Epoch: r.head.Epoch, View: r.head.View}
		if was, ok := z.leaders[at]; ok && was != p {
			return fmt.Errorf("11.5: leads view %d, which member %d led in its start %d", at.View, was.index, was.start)
		}
		z.leaders[at] = p
	}
	return z.checkEntries(&r.log, r.commit)
}

// checkEntries checks the entries in memory (N3), and compares them with those that other members hold or held (2, 4).
func (y *history) checkEntries(l *log, commit OpNumber) error {
	for at := range l.tail.all() {
		e := *at
		if err := e.Check(); err != nil {
			return fmt.Errorf("N3: %w", err)
		}
		before, _ := l.stamp(e.Op - 1)
		if err := y.sameEntry(e, before); err != nil {
			return err
		}
		if e.Op > commit {
			continue
		}
		canon, ok := y.canon[e.Op]
		if !ok {
			y.canon[e.Op] = e
		} else if !equal(canon, e) {
			return fmt.Errorf("11.2: %s is committed, elsewhere it is %s", entryText(&e), entryText(&canon))
		}
	}
	return nil
}

// sameEntry checks that a viewstamp identifies one entry, and one log before it (4).
func (y *history) sameEntry(e Entry, before Viewstamp) error {
	at := e.Stamp()
	if was, ok := y.stamps[at]; ok && !equal(was, e) {
		return fmt.Errorf("11.4: %s was %s", entryText(&e), entryText(&was))
	}
	if was, ok := y.before[at]; ok && was != before {
		return fmt.Errorf("11.4: %s follows %s, elsewhere %s", entryText(&e), stampText(before), stampText(was))
	}
	y.stamps[at], y.before[at] = e, before
	return nil
}

func equal(a, b Entry) bool {
	return a.Stamp() == b.Stamp() && a.Time == b.Time && a.Session == b.Session && a.Request == b.Request &&
		a.Floor == b.Floor && a.Kind == b.Kind && bytes.Equal(a.Body, b.Body)
}

// checkDisk checks the state that a crash now would leave (1, 4).
func (y *history) checkDisk(h *host) error {
	d := &h.disk
	m := memory{d.head.Incarnation}
	if d.head.View < y.views[m] {
		return fmt.Errorf("11.1: durable view %d was %d", d.head.View, y.views[m])
	}
	y.views[m] = d.head.View
	before := d.base
	for _, e := range d.entries {
		if !after(e.Stamp(), before) || e.Op != before.Op+1 || e.View > d.head.View {
			return fmt.Errorf("11.4: %s after %s in view %d", entryText(&e), stampText(before), d.head.View)
		}
		if err := y.of(d.head.Group).sameEntry(e, before); err != nil {
			return err
		}
		before = e.Stamp()
	}
	return nil
}

// checkChoices checks that every Qv voters would choose a log with every committed op from their
// durable state (3). Members whose memory does not belong to the group do not count.
func (y *history) checkChoices(g *testGroup) error {
	voters := y.voters(g)
	qv := g.config.Members.Qv
	for set := range 1 << len(voters) {
		var best []*host
		count := 0
		for i, h := range voters {
			if set>>i&1 == 0 {
				continue
			}
			count++
			switch c := compareLogs(h, best); {
			case c > 0:
				best = []*host{h}
			case c == 0:
				best = append(best, h)
			}
		}
		if count != qv {
			continue
		}
		for _, h := range best {
			if op, ok := y.lacks(h); ok {
				return fmt.Errorf("11.3: a view change among members %b of %d would choose %s's log, ending at %s, which lacks op %d, committed as %s",
					set, len(voters), h.id, stampText(h.disk.end()), op, stampText(y.stampOf(op)))
			}
		}
	}
	return nil
}

func (y *history) stampOf(op OpNumber) Viewstamp { e := y.canon[op]; return e.Stamp() }

func compareLogs(h *host, best []*host) int {
	if len(best) == 0 {
		return 1
	}
	switch a, b := h.disk.end(), best[0].disk.end(); {
	case after(a, b):
		return 1
	case after(b, a):
		return -1
	}
	return 0
}

// after reports whether a orders after b: by epoch, view, op. It does not rely on the core's
// comparison.
func after(a, b Viewstamp) bool {
	if a.Epoch != b.Epoch {
		return a.Epoch > b.Epoch
	}
	if a.View != b.View {
		return a.View > b.View
	}
	return a.Op > b.Op
}

// voters returns the members whose memory belongs to the group that has committed ops and is whole.
func (y *history) voters(g *testGroup) (voters []*host) {
	first, ok := y.canon[1]
	if !ok {
		return nil
	}
	list, err := DecodeMembership(first.Body)
	if err != nil {
		return nil
	}
	for _, h := range g.hosts {
		if !h.forgot && h.disk.head.Group != (GroupID{}) && h.disk.head.Incarnation == list.Members[h.index].Incarnation {
			voters = append(voters, h)
		}
	}
	return voters
}

// lacks returns a committed op that the member's durable log does not hold.
func (y *history) lacks(h *host) (OpNumber, bool) {
	for op, e := range y.canon {
		if op <= h.disk.covered() {
			continue
		}
		if s, ok := h.disk.stamp(op); !ok || s != e.Stamp() {
			return op, true
		}
	}
	return 0, false
}

// covered returns the op up to which base and snapshot replace the log.
func (d *disk) covered() OpNumber {
	if d.snapshot != nil {
		return max(d.base.Op, d.snapshot.Last.Op)
	}
	return d.base.Op
}

// end returns the viewstamp of the end of the log after a restart. A snapshot with which the log
// does not agree replaces the log.
func (d *disk) end() Viewstamp {
	if d.snapshot != nil {
		if s, ok := d.stamp(d.snapshot.Last.Op); d.snapshot.Last.Op > d.base.Op && (!ok || s != d.snapshot.Last) {
			return d.snapshot.Last
		}
	}
	return d.last()
}

// applied compares the state after an op with the states of other members (8).
func (y *history) applied(g *testGroup, h *host, e *Entry) {
	state, states := h.machine.text(), y.of(h.core.head.Group).states
	if was, ok := states[e.Op]; ok && was != state {
		y.fail(fmt.Errorf("11.8: state of %s after op %d is %s, elsewhere %s", h.id, e.Op, state, was))
	}
	states[e.Op] = state
}

// readAsked records what a linearizable read must see: every op that is committed now (9).
func (y *history) readAsked(h *host, number uint64) {
	p := process{h.index, h.disk.starts}
	if y.reads[p] == nil {
		y.reads[p] = map[uint64]read{}
	}
	y.reads[p][number] = read{OpNumber(len(y.canon))}
}

func (y *history) readReady(g *testGroup, h *host, x ReadReady) {
	want := y.reads[process{h.index, h.disk.starts}][x.Read]
	if x.Op < want.op {
		y.fail(fmt.Errorf("11.9: read %d at %s from op %d on, op %d was committed when it was asked", x.Read, h.id, x.Op, want.op))
	}
}

func (y *history) fail(err error) {
	if y.claim == nil {
		y.claim = err
	}
}

// sent checks that the claims of a message are true on the sender's disk (6).
func (y *history) sent(g *testGroup, h *host, m Message) {
	d := &h.disk
	if h.core.head.Incarnation != d.head.Incarnation || h.core.head.Start != d.head.Start {
		y.fail(fmt.Errorf("11.6: %s says %s before its incarnation and start are durable", h.id, messageText(m)))
	}
	if v, ok := claimedView(m); ok && v > d.head.View {
		y.fail(fmt.Errorf("11.6: %s says %s, its durable view is %d", h.id, messageText(m), d.head.View))
	}
	switch m := m.(type) {
	case *PrepareOK:
		y.claims(h, m, m.Op)
	case *DoViewChange:
		if d.end() != m.Last {
			y.fail(fmt.Errorf("11.6: %s says %s, its durable log ends at %s", h.id, messageText(m), stampText(d.end())))
		}
	}
}

// claims checks that the entries up to op are durable as they are in memory.
func (y *history) claims(h *host, m Message, op OpNumber) {
	for o := op; o > h.disk.covered(); o-- {
		durable, ok := h.disk.stamp(o)
		if inMemory, _ := h.core.log.stamp(o); !ok || durable != inMemory {
			y.fail(fmt.Errorf("11.6: %s says %s, its durable log ends at %s", h.id, messageText(m), stampText(h.disk.last())))
			return
		}
	}
}

// claimedView returns the view that a message's sender claims to be in.
func claimedView(m Message) (View, bool) {
	switch m := m.(type) {
	case *Prepare:
		return m.View, true
	case *PrepareOK:
		return m.View, true
	case *Gap:
		return m.View, m.Prev == 0 // otherwise the primary that it answers is in that view
	case *Commit:
		return m.View, true
	case *CommitOK:
		return m.View, true
	case *StartViewChange:
		return m.View, true
	case *DoViewChange:
		return m.View, true
	case *GetState:
		return m.View, true
	case *NewState:
		return m.View, true
	case *ReadRoundOK:
		return m.View, true
	case *SnapshotOffer:
		return m.View, true
	}
	return 0, false
}
