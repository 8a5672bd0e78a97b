package vsr

import (
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// 11.10: a replica whose disk hangs while it receives a snapshot requests each chunk once the view
// is durable, and not again with each timeout.
func TestChunksAreAskedForOnceTheViewIsDurable(t *testing.T) {
	r := member(t, 1)
	h := Header{Group: GroupID{9}, Epoch: 1, Incarnation: threeIDs[1], Start: 1}
	s := Snapshot{SnapshotID: SnapshotID{Last: stampOf(1, 4, 100)}, Size: 100, Chunks: 3}
	r.Step(r.now, &Receive{From: 1, Header: h, Message: &SnapshotOffer{View: 4, First: 101, Snapshot: s}})
	r.Ready(r.now)
	r.Step(r.now, &ChunksMissing{Snapshot: s.SnapshotID, Missing: []uint32{0, 1, 2}})
	for range 20 {
		r.Ready(r.now)
		require.NoError(t, r.Check())
		r.Step(r.now.Add(5*time.Second), &Tick{})
	}
	r.Step(r.now, &Saved{Seq: r.saves.issuedSeq})
	asked := map[uint32]int{}
	for _, m := range r.Ready(r.now).Messages {
		if m, ok := m.Message.(*GetChunk); ok {
			asked[m.Chunk]++
		}
	}
	assert.Equal(t, map[uint32]int{0: 1, 1: 1, 2: 1}, asked)
}

// 11.10: so many chunks are read at once, and each once only; those that are requested meanwhile are
// requested again.
func TestChunkReadsAreLimited(t *testing.T) {
	r := member(t, 1)
	h := Header{Group: GroupID{9}, Epoch: 1, Incarnation: threeIDs[1], Start: 1}
	r.Step(r.now, &Saved{Seq: r.saves.issuedSeq})
	ask := func(chunks uint32) []ChunkWanted {
		for i := range chunks {
			r.Step(r.now, &Receive{From: 1, Header: h, Message: &GetChunk{Chunk: i}})
			r.Step(r.now, &Receive{From: 1, Header: h, Message: &GetChunk{Chunk: i}})
		}
		return r.Ready(r.now).Chunks
	}
	first := ask(maxChunkReads + 8)
	require.Len(t, first, maxChunkReads)
	require.Empty(t, ask(maxChunkReads+8))
	r.Step(r.now, &ChunkRead{Chunk: first[3], OK: true})
	require.Equal(t, first[3:4], ask(maxChunkReads+8))
	require.NoError(t, r.Check())
}

// C2, C3. A complete snapshot of another group is not installed, although it is newer.
func TestSnapshotOfAnotherGroupIsNotInstalled(t *testing.T) {
	for group, installed := range map[GroupID]bool{{9}: true, {8}: false, {}: false} {
		r := member(t, 1)
		s := Snapshot{SnapshotID: SnapshotID{Group: group, Last: stampOf(1, 1, 100)}, Size: 100, Chunks: 3, Members: r.members}
		r.Step(r.now, &SnapshotReceived{Snapshot: s})
		assert.Equal(t, installed, r.Ready(r.now).Restore != nil, group)
	}
}

// S2. A formation that names another group than its sender's is not adopted.
func TestFormationOfAnotherGroupIsNotAdopted(t *testing.T) {
	for group, adopted := range map[GroupID]bool{{9}: true, {8}: false, {}: false} {
		configured := NewMembership([]Member{{ID: "a"}, {ID: "b"}})
		r := New(Config{Self: 1, Members: configured, Detector: patient{}, Heartbeat: time.Second,
			Rand: rand.New(rand.NewPCG(1, 2))}, Durable{}, time.Unix(0, 0))
		finishTurn(r)
		list := configured
		list.Group, list.Members = group, []Member{{ID: "a", Incarnation: threeIDs[0]}, {ID: "b", Incarnation: r.head.Incarnation}}
		hear(r, 0, &Prepare{Entries: []Entry{{Op: 1, Epoch: 1, Kind: Formation, Body: list.Encode()}}})
		assert.Equal(t, adopted, r.head.Group == group && group != GroupID{}, group)
	}
}

// F9: while each new snapshot turns out to be damaged, a replica takes the next one less and less often.
func TestRetakesBackOff(t *testing.T) {
	r := member(t, 1)
	id := SnapshotID{Last: stampOf(1, 0, 1)}
	r.setSnapshot(Snapshot{SnapshotID: id})
	taken, began := 0, r.now
	for r.now.Sub(began) < 10*time.Minute {
		r.Step(r.now.Add(time.Second), &Tick{})
		r.Step(r.now, &SnapshotDamaged{Snapshot: id})
		if r.Ready(r.now).Retake {
			id.Hash[0]++
			r.Step(r.now, &SnapshotTaken{Snapshot{SnapshotID: id}})
			taken++
		}
	}
	assert.Less(t, taken, 8)
	r.Step(r.now.Add(2*time.Hour), &Tick{})
	r.Step(r.now, &SnapshotDamaged{Snapshot: id})
	assert.True(t, r.Ready(r.now).Retake, "at once, if the disk has been sound for long")
}

// N2: an entry that a primary appends is no earlier than the last operation of the snapshot that it has installed.
func TestTimeDoesNotFallAfterASnapshot(t *testing.T) {
	r := member(t, 1)
	s := Snapshot{SnapshotID: SnapshotID{Group: r.head.Group, Last: stampOf(1, 1, 100)}, Size: 1, Chunks: 1, Members: r.members}
	clock := r.now.Add(time.Hour).UnixNano()
	r.Step(r.now, &SnapshotReceived{Snapshot: s, Clock: clock})
	finishTurn(r)
	leadNext(t, r)
	opening := r.log.entries(101, 101, 0)
	require.Len(t, opening, 1)
	assert.Equal(t, clock, opening[0].Time)
}

// C3: a snapshot takes the place of committed entries that were read from the disk in the same turn: the state machine,
// which is restored first, cannot apply them any more.
func TestASnapshotReplacesEntriesToApply(t *testing.T) {
	r := member(t, 1)
	entries := []Entry{{Op: 2, View: 1, Epoch: 1, Kind: Opening}, {Op: 3, View: 1, Epoch: 1, Kind: Command}}
	hear(r, 1, &Prepare{View: 1, Prev: stampOf(1, 0, 1), Entries: entries, Commit: 1})
	r.log.trim(3)
	r.Step(r.now, &Receive{From: 1, Header: Header{Group: GroupID{9}, Epoch: 1, Incarnation: threeIDs[1], Start: 1},
		Message: &Commit{View: 1, Commit: 3, Round: 1}})
	loads := r.Ready(r.now).Loads
	require.Len(t, loads, 1)
	r.Step(r.now, &Loaded{Load: loads[0], Entries: entries})
	s := Snapshot{SnapshotID: SnapshotID{Group: r.head.Group, Last: stampOf(1, 1, 100)}, Size: 1, Chunks: 1, Members: r.members}
	r.Step(r.now, &SnapshotReceived{Snapshot: s})
	out := r.Ready(r.now)
	require.NoError(t, r.Check())
	assert.Equal(t, &s, out.Restore)
	assert.Empty(t, out.Apply)
}

// While transfers fail here, the next one is begun less and less often, until one is complete or there is space again.
func TestRefetchesBackOff(t *testing.T) {
	r := member(t, 1)
	s := Snapshot{SnapshotID: SnapshotID{Group: r.head.Group, Last: stampOf(1, 1, 100)}, Size: 1, Chunks: 1, Members: r.members}
	begins := func() bool {
		r.Step(r.now.Add(time.Second), &Tick{})
		r.Step(r.now, &Receive{From: 1, Header: Header{Group: GroupID{9}, Epoch: 1, Incarnation: threeIDs[1], Start: 1},
			Message: &SnapshotOffer{View: 1, First: s.Last.Op + 1, Snapshot: s}})
		return len(r.Ready(r.now).Fetch) > 0
	}
	failures := func(seconds int) (n int) {
		for range seconds {
			if begins() {
				n++
				r.Step(r.now, &ChunksMissing{Snapshot: s.SnapshotID, Err: errors.New("no space")})
			}
		}
		return n
	}
	assert.Equal(t, 5, failures(600), "after 20, 40, 80, 160 and 320 heartbeats")
	r.Step(r.now, &DiskFull{Full: true})
	r.Step(r.now, &DiskFull{})
	assert.Equal(t, 4, failures(150), "at once, if there is space")
	for !begins() {
	}
	r.Step(r.now, &SnapshotReceived{Snapshot: s})
	r.Ready(r.now)
	s.Last.Op = 200
	assert.Equal(t, 4, failures(150), "at once, after one that is complete")
}

// C2: a member that asks for chunks of the snapshot that it was offered is not offered it again.
func TestNoOfferToAMemberThatAsksForChunks(t *testing.T) {
	for asks, most := range map[bool]int{true: 0, false: 20} {
		r := member(t, 0)
		leadNext(t, r)
		r.setSnapshot(Snapshot{SnapshotID: SnapshotID{Group: r.head.Group, Last: r.log.last}, Size: 1, Chunks: 1, Members: r.members})
		p := &r.primary.progress[1]
		p.state, p.offered, p.offeredAt = installing, r.snapshot, r.now
		offers := 0
		for range 80 {
			r.Step(r.now.Add(time.Second), &Tick{})
			for _, m := range finishTurn(r) {
				if _, ok := m.(*SnapshotOffer); ok {
					offers++
				}
			}
			if asks {
				hear(r, 1, &GetChunk{Snapshot: r.snapshot.SnapshotID})
			}
		}
		assert.Equal(t, most, offers)
	}
}

// N9: a transfer is overrun if the log was compacted past its snapshot while it went on. A transfer that is complete ends
// the count, and a new one begins it again. A member that is away for long does not narrow the window.
func TestOverrunsAreCountedByTransfer(t *testing.T) {
	r := member(t, 0)
	leadNext(t, r)
	p := &r.primary.progress[1]
	snapshotAt := func(op OpNumber) {
		r.snapshot.Last = Viewstamp{Epoch: 1, Op: op}
		r.log.base.Op = op
		r.offer(1)
	}
	base := r.log.base
	snapshotAt(10)
	snapshotAt(20)
	require.Equal(t, 1, p.overruns)
	p.acknowledged(19, 1, r.now, r.cfg.Heartbeat)
	require.Equal(t, 1, p.overruns)
	p.acknowledged(20, 1, r.now, r.cfg.Heartbeat)
	require.Zero(t, p.overruns)
	snapshotAt(30)
	require.Zero(t, p.overruns, "it is another transfer")
	snapshotAt(40)
	snapshotAt(50)
	p.answeredAt = r.now
	require.True(t, r.overrun())
	r.now = r.now.Add(r.cfg.Abdication + 1)
	require.False(t, r.overrun())
	r.log.base = base
}
