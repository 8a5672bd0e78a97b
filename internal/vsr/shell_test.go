package vsr

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// A simple shell, which performs outputs at once and writes a line for each part.

// perform performs a turn's output. It reports whether the core received an event from that.
func (g *testGroup) perform(h *host, out *Output) (told bool) {
	r := h.core
	if out.Err != nil {
		g.tell("%s  stops: %v", h.id, out.Err)
		if _, lost := errors.AsType[*LostMemoryError](out.Err); lost && !h.forgot {
			g.keep(fmt.Errorf("S6: %s stops, and its disk has lost nothing: %w", h.id, out.Err))
		}
		h.core, h.unsaved = nil, nil
		return false
	}
	if out.Save != nil {
		g.tell("%s  save %s", h.id, g.saveText(h, out.Save))
		h.unsaved = append(h.unsaved, out.Save)
	}
	g.tellWaiting(h)
	for _, m := range out.Messages {
		g.send(h, m)
	}
	if out.Restore != nil {
		g.tell("%s  restore %s", h.id, stampText(out.Restore.Last))
		h.machine, h.unapplied = g.content[out.Restore.SnapshotID].clone(), nil
		r.Step(g.now, &Applied{Op: out.Restore.Last.Op})
		told = g.sessionOpened(h) || told
		g.answerFromTable(h)
	}
	if h.unapplied = append(h.unapplied, out.Apply...); !h.slow {
		told = g.applySome(h, len(h.unapplied)) || told
	}
	for _, s := range out.Settled {
		g.tell("%s  settled %d: %v", h.id, s.Request, s.Err)
	}
	for _, x := range out.Reads {
		g.tell("%s  read %d from op %d on", h.id, x.Read, x.Op)
		g.history.readReady(g, h, x)
	}
	told = g.performDisk(h, out) || told
	told = g.performFetch(h, out) || told
	if g.fast && !h.hung && h.completes(len(h.unsaved)) > 0 {
		g.saved(h, len(h.unsaved))
	}
	return told && h.core != nil
}

// send puts a message in transit to each of its receivers.
func (g *testGroup) send(h *host, out Outgoing) {
	var to []string
	for _, i := range out.To {
		to = append(to, g.hosts[i].id)
		m := &sent{from: h.index, to: i, header: h.core.Header(), message: out.Message}
		if !matches(g.lost, m) && g.cut[m.from] == g.cut[m.to] {
			g.transit = append(g.transit, m)
		}
	}
	g.tell("%s → %s  %s", h.id, strings.Join(to, ","), messageText(out.Message))
	delete(h.waits, out.Message)
	g.history.sent(g, h, out.Message)
}

// tellWaiting shows the messages that wait for a save.
func (g *testGroup) tellWaiting(h *host) {
	for _, w := range h.core.saves.deferred {
		if h.waits[w.out.Message] {
			continue
		}
		h.waits[w.out.Message] = true
		var to []string
		for _, i := range w.out.To {
			to = append(to, g.hosts[i].id)
		}
		g.tell("%s ⇢ %s  %s", h.id, strings.Join(to, ","), messageText(w.out.Message))
	}
}

// applyFirst applies the next n delivered operations.
func (g *testGroup) applyFirst(h *host, n int) {
	g.applySome(h, n)
	g.turn(h)
}

func (g *testGroup) applySome(h *host, n int) (told bool) {
	for i := range h.unapplied[:n] {
		told = g.apply(h, &h.unapplied[i]) || told
	}
	h.unapplied = h.unapplied[n:]
	return told
}

// apply applies an entry. It reports whether the core received its session or result.
func (g *testGroup) apply(h *host, e *Entry) bool {
	executed := h.machine.apply(e)
	again := ""
	if e.Kind == Command && !executed {
		again = ": not executed"
	}
	g.tell("%s  apply %s%s", h.id, entryText(e), again)
	g.history.applied(g, h, e)
	h.core.Step(g.now, &Applied{Op: e.Op})
	if own := h.core.requests.session; e.Kind == Command && own != 0 && e.Session == own {
		if e.Request == 0 {
			h.core.Step(g.now, &FloorRaised{Floor: e.Floor})
		}
		g.answer(h, e.Request)
		return true
	}
	return g.sessionOpened(h)
}

// answer ends a call whose result the session table holds.
func (g *testGroup) answer(h *host, request uint64) {
	if v, known := h.machine.sessions.Result(h.core.requests.session, request); known == Kept {
		g.tell("%s  result %d: %s", h.id, request, v)
		h.core.Step(g.now, &Forget{Request: request})
	}
}

// answerFromTable ends the waiting calls whose requests took effect before the snapshot that was restored (X3).
func (g *testGroup) answerFromTable(h *host) {
	floor, waiting := h.core.requests.floor, slices.Clone(h.core.requests.waiting)
	for i, w := range waiting {
		if w != nil {
			g.answer(h, floor+uint64(i))
		}
	}
}

// sessionOpened reports the session to the core once.
func (g *testGroup) sessionOpened(h *host) bool {
	op := h.machine.sessions.Opened(h.id, h.core.head.Incarnation, h.core.head.Start)
	if op == 0 || h.core.requests.session != 0 {
		return false
	}
	h.core.Step(g.now, &SessionOpened{Session: op})
	return true
}

// performDisk loads entries, and cuts the log below a snapshot.
func (g *testGroup) performDisk(h *host, out *Output) bool {
	for _, l := range out.Loads {
		g.tell("%s  load %d..%d for %s", h.id, l.From, l.To, g.hosts[l.For].id)
		if h.slowReads {
			h.unread = append(h.unread, l)
		} else {
			h.core.Step(g.now, &Loaded{Load: l, Entries: h.disk.load(l.From, l.To)})
		}
	}
	if out.Compact != nil {
		h.compaction = out.Compact
	}
	return g.compact(h) || len(out.Loads) > 0
}

// fill makes a member's disk full, or gives it space, and reports that.
func (g *testGroup) fill(h *host, full bool) {
	if h.full = full; h.core != nil && h.core.full != full {
		h.core.Step(g.now, &DiskFull{Full: full})
		g.turn(h)
	}
}

// loaded performs the pending loads, and reports them.
func (g *testGroup) loaded(h *host) {
	for _, l := range h.unread {
		h.core.Step(g.now, &Loaded{Load: l, Entries: h.disk.load(l.From, l.To)})
	}
	h.unread = nil
	g.readChunks(h)
	g.turn(h)
}

// compact cuts the log once all earlier saves are complete, because the disk works in order.
func (g *testGroup) compact(h *host) bool {
	c := h.compaction
	if c == nil || len(h.unsaved) > 0 {
		return false
	}
	h.compaction = nil
	h.disk.compact(c, g.config.KeepLog)
	g.tell("%s  log from %d on", h.id, h.disk.base.Op+1)
	h.core.Step(g.now, &Compacted{First: h.disk.base.Op + 1})
	return true
}

// readChunks reads the chunks that other members have requested, and sends them.
func (g *testGroup) readChunks(h *host) {
	for _, w := range h.unreadChunks {
		var data []byte
		switch s := h.disk.snapshot; {
		case s == nil || s.SnapshotID != w.Snapshot:
		case h.rotten:
			h.core.Step(g.now, &SnapshotDamaged{Snapshot: w.Snapshot})
		default:
			data = []byte{byte(w.Chunk)}
		}
		h.core.Step(g.now, &ChunkRead{Chunk: w, OK: data != nil})
		g.send(h, Outgoing{To: []Index{w.Via}, Message: w.Message(h.core.Header(), data)})
	}
	h.unreadChunks = nil
}

// performFetch sends and receives chunks of snapshots.
func (g *testGroup) performFetch(h *host, out *Output) bool {
	if h.unreadChunks = append(h.unreadChunks, out.Chunks...); !h.slowChunks {
		g.readChunks(h)
	}
	if out.Retake {
		g.tell("%s  is to take another snapshot", h.id)
	}
	for _, f := range out.Fetch {
		g.fetchStep(h, f)
	}
	return len(out.Fetch)+len(out.Chunks) > 0
}

func (g *testGroup) fetchStep(h *host, f FetchStep) {
	have := h.parts[f.Snapshot.SnapshotID]
	switch {
	case f.Complete:
		g.tell("%s  snapshot %s is complete", h.id, stampText(f.Snapshot.Last))
		h.disk.keepSnapshot(f.Snapshot, g.content[f.Snapshot.SnapshotID])
		h.core.Step(g.now, &SnapshotReceived{Snapshot: f.Snapshot, Clock: h.disk.machine.clock})
	case f.Data != nil:
		g.tell("%s  put chunk %d of %s", h.id, f.Chunk, stampText(f.Snapshot.Last))
		have[f.Chunk] = true
		h.core.Step(g.now, &ChunkWritten{Snapshot: f.Snapshot.SnapshotID, Chunk: f.Chunk, OK: true})
	default:
		if have == nil {
			have = map[uint32]bool{}
			h.parts = map[SnapshotID]map[uint32]bool{f.Snapshot.SnapshotID: have}
		}
		var missing []uint32
		for c := range f.Snapshot.Chunks {
			if !have[c] {
				missing = append(missing, c)
			}
		}
		g.tell("%s  fetch snapshot %s, chunks %v", h.id, stampText(f.Snapshot.Last), missing)
		h.core.Step(g.now, &ChunksMissing{Snapshot: f.Snapshot.SnapshotID, Missing: missing})
	}
}

// snapshotChunks is the number of chunks of every snapshot in tests.
const snapshotChunks = 2

// takeSnapshot takes a snapshot of the state that the member has applied (C4). The snapshots of two
// members at one op have different bytes.
func (g *testGroup) takeSnapshot(h *host) error {
	last, ok := h.core.Stamp(h.machine.applied)
	if !ok { // the log was taken back below it (F13)
		last = g.history.stampOf(h.machine.applied)
	}
	if h.machine.applied == 0 || last.Op != h.machine.applied {
		return fmt.Errorf("%s has applied nothing above its snapshot", h.id)
	}
	id := SnapshotID{Group: h.core.members.Group, Last: last, Hash: sha256.Sum256([]byte(h.id + h.machine.text()))}
	s := Snapshot{SnapshotID: id, Size: 2, Chunks: snapshotChunks, Members: h.core.members}
	g.content[id] = h.machine.clone()
	h.disk.keepSnapshot(s, h.machine)
	h.rotten = false
	h.core.Step(g.now, &SnapshotTaken{Snapshot: s})
	g.turn(h)
	return nil
}

// machine is the replicated state: the list of executed operations.
type machine struct {
	applied  OpNumber
	clock    int64
	executed []string
	sessions Sessions
}

// apply applies an entry and reports whether its operation was executed.
func (m *machine) apply(e *Entry) bool {
	m.applied, m.clock = e.Op, e.Time
	begun := m.sessions.Begin(e)
	if e.Kind != Command || e.Session != 0 && !begun {
		return false
	}
	m.executed = append(m.executed, string(e.Body))
	if begun {
		m.sessions.Finish(e, fmt.Appendf(nil, "%s done", e.Body))
	}
	return true
}

func (m machine) clone() machine {
	m.executed = slices.Clone(m.executed)
	m.sessions = m.sessions.Clone()
	return m
}

// text returns the whole state, for comparison.
func (m *machine) text() string {
	return fmt.Sprintf("%d %d %q %x", m.applied, m.clock, m.executed, written(&m.sessions))
}
