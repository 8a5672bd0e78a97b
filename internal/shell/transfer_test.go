package shell

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr/internal/snap"
	"github.com/smr-go/smr/internal/store"
	"github.com/smr-go/smr/internal/vfs"
	"github.com/smr-go/smr/internal/vsr"
)

// pair is a store of snapshots that has one, and a fetcher of another replica.
type pair struct {
	from  *snap.Store
	whole vsr.Snapshot // of from
	Fetcher
	desk
}

// newPair returns a pair whose snapshot has 3 chunks.
func newPair(t *testing.T) *pair {
	p := &pair{from: newStore(t, vfs.NewMem())}
	p.whole = snapshotAt(t, p.from, 12)
	p.disk = vfs.NewMem()
	p.Fetcher = Fetcher{snapshots: newStore(t, p.disk), shell: &Shell{}, driver: &p.desk}
	t.Cleanup(p.Fetcher.receiver.Close)
	return p
}

func newStore(t *testing.T, disk *vfs.Mem) *snap.Store {
	s, err := snap.Open(disk, SnapshotDir, snap.Options{Identity: "group", ChunkSize: snap.MinChunkSize})
	require.NoError(t, err)
	return s
}

// snapshotAt writes a snapshot of 3 chunks to a store.
func snapshotAt(t *testing.T, s *snap.Store, op uint64) vsr.Snapshot {
	state := store.State{Clock: int64(op), Members: vsr.NewMembership([]vsr.Member{{ID: "a"}, {ID: "b"}})}
	w, err := s.Create(snap.ID{Epoch: 1, Op: op}, state.Header())
	require.NoError(t, err)
	_, err = state.Sessions.WriteTo(w)
	require.NoError(t, err)
	_, err = fmt.Fprint(w, strings.Repeat("x", snap.MinChunkSize))
	require.NoError(t, err)
	info, err := w.Commit()
	require.NoError(t, err)
	return store.Describe(info, state.Members)
}

// chunk returns the step that writes a chunk.
func (p *pair) chunk(t *testing.T, i uint32) vsr.FetchStep {
	data, err := p.from.ReadChunk(store.SnapID(p.whole.SnapshotID), i)
	require.NoError(t, err)
	return vsr.FetchStep{Snapshot: p.whole, Chunk: i, Data: data}
}

// fetch performs steps and returns what the core is told.
func (p *pair) fetch(steps ...vsr.FetchStep) []vsr.Event {
	for _, s := range steps {
		p.Fetcher.Add(s)
	}
	for p.Fetcher.Step() {
	}
	return p.told()
}

// begin begins or resumes the transfer, of which these chunks must be missing.
func (p *pair) begin(t *testing.T, missing ...uint32) {
	t.Helper()
	want := []vsr.Event{&vsr.ChunksMissing{Snapshot: p.whole.SnapshotID, Missing: missing}}
	require.Equal(t, want, p.fetch(vsr.FetchStep{Snapshot: p.whole}))
}

// A snapshot is received chunk by chunk in any order, checked, and then the latest.
func TestFetcherReceivesASnapshot(t *testing.T) {
	p := newPair(t)
	require.True(t, p.Fetcher.Idle())
	p.begin(t, 0, 1, 2)
	require.Equal(t, []vsr.Event{
		&vsr.ChunkWritten{Snapshot: p.whole.SnapshotID, Chunk: 2, OK: true},
		&vsr.ChunkWritten{Snapshot: p.whole.SnapshotID, Chunk: 0, OK: true},
	}, p.fetch(p.chunk(t, 2), p.chunk(t, 0)))
	p.begin(t, 1) // it resumes
	require.Equal(t, []vsr.Event{
		&vsr.ChunkWritten{Snapshot: p.whole.SnapshotID, Chunk: 1, OK: true},
		&vsr.SnapshotReceived{Snapshot: p.whole, Clock: 12},
	}, p.fetch(p.chunk(t, 1), vsr.FetchStep{Snapshot: p.whole, Complete: true}))
	latest, ok := p.Fetcher.snapshots.Latest()
	require.True(t, ok)
	require.Equal(t, store.SnapID(p.whole.SnapshotID), latest.ID)
	require.Empty(t, p.notes)
}

// A chunk that was changed on the way is asked for again, and the rest of the snapshot stays.
func TestFetcherAsksForADamagedChunkAgain(t *testing.T) {
	p := newPair(t)
	p.fetch(vsr.FetchStep{Snapshot: p.whole})
	damaged := p.chunk(t, 1)
	damaged.Data[50] ^= 1
	require.Equal(t, []vsr.Event{&vsr.ChunkWritten{Snapshot: p.whole.SnapshotID, Chunk: 1}}, p.fetch(damaged))
	require.ErrorIs(t, p.notes[0].Err, snap.ErrRefused)
	require.Equal(t, []vsr.Event{&vsr.ChunkWritten{Snapshot: p.whole.SnapshotID, Chunk: 1, OK: true}}, p.fetch(p.chunk(t, 1)))
}

// The disk fails while a chunk is written: the transfer ends, and begins again.
func TestFetcherEndsATransferThatTheDiskFails(t *testing.T) {
	p := newPair(t)
	p.fetch(vsr.FetchStep{Snapshot: p.whole})
	broken := errors.New("the disk is broken")
	p.disk.SetHook(func(op vfs.Op) error {
		if op.Kind == vfs.OpWrite {
			return broken
		}
		return nil
	})
	told := p.fetch(p.chunk(t, 0), p.chunk(t, 1))
	require.Len(t, told, 1, "nothing is being received by then")
	missing := told[0].(*vsr.ChunksMissing)
	require.ErrorIs(t, missing.Err, broken)
	told = p.fetch(vsr.FetchStep{Snapshot: p.whole})
	require.ErrorIs(t, told[0].(*vsr.ChunksMissing).Err, broken)
	p.disk.SetHook(nil)
	p.begin(t, 0, 1, 2)
	require.Equal(t, "a chunk of a snapshot was not taken", p.notes[0].Text)
	require.Equal(t, "a snapshot cannot be received", p.notes[1].Text)
}

// Steps for a snapshot in whose place another was begun are left.
func TestFetcherBeginsAnotherSnapshot(t *testing.T) {
	p := newPair(t)
	p.fetch(vsr.FetchStep{Snapshot: p.whole}, p.chunk(t, 0))
	older, late := p.whole, p.chunk(t, 1)
	p.whole = snapshotAt(t, p.from, 20)
	told := p.fetch(vsr.FetchStep{Snapshot: p.whole}, late, vsr.FetchStep{Snapshot: older, Complete: true}, p.chunk(t, 0))
	require.Equal(t, []vsr.Event{
		&vsr.ChunksMissing{Snapshot: p.whole.SnapshotID, Missing: []uint32{0, 1, 2}},
		&vsr.ChunkWritten{Snapshot: p.whole.SnapshotID, Chunk: 0, OK: true},
	}, told)
}

// A snapshot that is not whole when it is checked is received again.
func TestFetcherFindsASnapshotDamaged(t *testing.T) {
	p := newPair(t)
	p.fetch(vsr.FetchStep{Snapshot: p.whole}, p.chunk(t, 0), p.chunk(t, 1), p.chunk(t, 2))
	names, err := p.disk.ReadDir(SnapshotDir)
	require.NoError(t, err)
	require.Len(t, names, 1)
	b, err := p.disk.ReadFile(SnapshotDir + "/" + names[0])
	require.NoError(t, err)
	_, chunks := snap.Extents(b)
	require.NoError(t, p.disk.FlipBit(SnapshotDir+"/"+names[0], chunks[1].Off+20, 1))
	told := p.fetch(vsr.FetchStep{Snapshot: p.whole, Complete: true})
	received := told[0].(*vsr.SnapshotReceived)
	require.ErrorIs(t, received.Err, snap.ErrCorrupt)
	require.Equal(t, p.whole, received.Snapshot)
	require.True(t, p.noted("a received snapshot fails its check and is fetched again"))
	p.begin(t, 0, 1, 2)
}

// F9: a snapshot that has rotted is offered no more, and another is taken in its place; a member that asks for a chunk of it
// gets an empty one.
func TestSnapshotRots(t *testing.T) {
	g := newGroup(t, 3, everyTenOps)
	n, p := g.backups()[0], g.primary()
	n.cut = true
	for p.state.First <= n.state.Last.Op+1 {
		p.must("op")
	}
	g.pass(time.Second)
	p.rot(t)
	n.cut = false
	g.until("it is up to date", func() bool { return n.state.Commit == p.state.Commit })
	require.True(t, p.noted("a chunk of a snapshot cannot be read"))
	g.pass(time.Second)
	require.Equal(t, p.user.items, n.user.items)
}
