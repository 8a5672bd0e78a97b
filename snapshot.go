package smr

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"

	"github.com/smr-go/smr/internal/snap"
	"github.com/smr-go/smr/internal/store"
	"github.com/smr-go/smr/internal/vfs"
	"github.com/smr-go/smr/internal/vsr"
)

// frozen is the state as it was between two operations, to be written out beside later ones (C4).
type frozen struct {
	state store.State
	user  io.WriterTo
}

// freeze takes the state as it is. The caller holds the lock. If the user's code refuses, the next
// snapshot is tried when it is due.
func (m *machine) freeze(a *applied) (err error) {
	defer m.note(&err)
	defer caught(&err, "StateMachine.Snapshot panicked after op %d", &m.state.Last.Op)
	err = errExited
	m.opsSince, m.bytesSince = 0, 0
	user, err := m.user.Snapshot()
	if err != nil {
		a.refused = fmt.Errorf("StateMachine.Snapshot: %w", err)
		return nil
	}
	m.snapshotting.Store(true)
	a.due = &frozen{m.state.Frozen(), user}
	return nil
}

// snapshotNow freezes the state, unless a snapshot is being written, which will do as well.
func (m *machine) snapshotNow() (a applied, err error) {
	m.Lock()
	defer m.Unlock()
	a.op = m.state.Last.Op
	if !m.snapshotting.Load() {
		err = m.freeze(&a)
	}
	return a, err
}

// restore reads a snapshot into the user's state machine, which holds all of it or the replica
// stops.
func (m *machine) restore(snaps *snap.Store, id snap.ID) (s *store.State, err error) {
	defer m.note(&err)
	defer caught(&err, "StateMachine.Restore panicked on the snapshot of op %d", (*vsr.OpNumber)(&id.Op))
	state, info, err := snaps.Read(id)
	if err != nil {
		return nil, storageError(err)
	}
	defer state.Close()
	held, err := store.ParseHeader(info)
	if err != nil {
		return nil, storageError(err)
	}
	err = errExited
	if err := m.user.Restore(state); err != nil {
		return nil, fmt.Errorf("smr: StateMachine.Restore of the snapshot of op %d: %w", id.Op, storageError(err))
	}
	if _, err := io.Copy(io.Discard, state); err != nil { // the last chunk is checked with the whole
		return nil, storageError(err)
	}
	return &held, nil
}

// writeSnapshot writes a frozen state out and tells the core. What goes wrong is not fatal: the
// log is kept, and the next snapshot is tried when it is due.
func (r *Replica) writeSnapshot(f *frozen) {
	defer r.machine.snapshotting.Store(false)
	start := time.Now()
	info, err := snap.Info{}, errExited
	defer func() { r.snapshotEnded(f, info, err, time.Since(start)) }()
	info, err = r.saveFrozen(f)
}

func (r *Replica) snapshotEnded(f *frozen, info snap.Info, err error, took time.Duration) {
	if c, ok := f.user.(io.Closer); ok {
		c.Close()
	}
	switch {
	case errors.Is(err, snap.ErrSuperseded):
		if info, ok := r.snaps.Latest(); ok && info.ID.Op == uint64(f.state.Last.Op) { // the core may take it for damaged
			r.inbox.do(func() { r.core.Step(r.core.now, &vsr.SnapshotTaken{Snapshot: store.Describe(info, f.state.Members)}) })
		}
		return
	case vfs.IsFull(err):
		r.log.Warn("no space for a snapshot; the log grows until there is", "op", f.state.Last.Op, "error", err)
		return
	case err != nil:
		r.log.Error("a snapshot was not written; the log grows until one is", "op", f.state.Last.Op, "error", err)
		return
	}
	r.log.Debug("snapshot written", "op", f.state.Last.Op, "bytes", info.Size, "took", took)
	r.inbox.do(func() { r.core.Step(r.core.now, &vsr.SnapshotTaken{Snapshot: store.Describe(info, f.state.Members)}) })
}

func (r *Replica) saveFrozen(f *frozen) (info snap.Info, err error) {
	defer caught(&err, "writing the snapshot of op %d panicked", &f.state.Last.Op)
	w, err := r.snaps.Create(uint64(f.state.Last.Epoch), uint64(f.state.Last.View), uint64(f.state.Last.Op), f.state.Header())
	if err != nil {
		return info, err
	}
	defer w.Abort()
	if _, err := f.user.WriteTo(w); err != nil {
		return info, err
	}
	return w.Commit()
}

// holdFor is how long a snapshot is kept for a replica that has asked for a part of it, or was
// told of it.
const holdFor = 30 * time.Second

// held is a snapshot kept from being removed. Owned by the loop.
type held struct {
	release func()
	until   time.Time
}

// hold keeps a snapshot for a while.
func (r *Replica) hold(id vsr.SnapshotID, now time.Time) {
	h, ok := r.held[id]
	if !ok {
		release, err := r.snaps.Hold(store.SnapID(id))
		if err != nil {
			return
		}
		h.release = release
	}
	h.until = now.Add(holdFor)
	r.held[id] = h
}

// releaseHeld lets go of the snapshots that nobody has asked for in a while.
func (r *Replica) releaseHeld(now time.Time) {
	for id, h := range r.held {
		if now.After(h.until) {
			delete(r.held, id)
			r.background(h.release)
		}
	}
}

// maxSending bounds the chunks that are read at once.
const maxSending = 32

// sendChunk reads a chunk and sends it, or says that this replica does not have the snapshot.
func (r *Replica) sendChunk(w vsr.ChunkWanted, now time.Time) {
	r.hold(w.Snapshot, now)
	if r.sending.Add(1) > maxSending {
		r.sending.Add(-1)
		return // it will be asked for again
	}
	head := r.core.Header()
	r.background(func() {
		defer r.sending.Add(-1)
		data, err := r.snaps.ReadChunk(store.SnapID(w.Snapshot), w.Chunk)
		if err != nil {
			if !errors.Is(err, fs.ErrNotExist) {
				r.log.Error("a chunk of a snapshot cannot be read", "op", w.Snapshot.Last.Op, "chunk", w.Chunk, "error", err)
			}
			r.inbox.do(func() { r.unsent(w, err) })
		}
		r.encode(head, &vsr.SnapshotChunk{Snapshot: w.Snapshot, Chunk: w.Chunk, Data: data}, []vsr.Index{w.To})
	})
}

// unsent tells the core why a chunk was not sent. A snapshot that is damaged is taken again (F9).
func (r *Replica) unsent(w vsr.ChunkWanted, why error) {
	if errors.Is(why, snap.ErrCorrupt) {
		r.core.Step(r.core.now, &vsr.SnapshotDamaged{Snapshot: w.Snapshot})
	}
	r.core.Step(r.core.now, &vsr.SnapshotUnavailable{To: w.To, Snapshot: w.Snapshot})
}

// fetcher does the core's steps with the snapshot that is being received.
func (r *Replica) fetcher() {
	defer r.receiver.Close()
	for {
		select {
		case <-r.stop:
			return
		case <-r.fetches.wake:
		}
		for _, s := range r.fetches.take() {
			r.fetch(s)
		}
	}
}

func (r *Replica) fetch(s vsr.FetchStep) {
	id := s.Snapshot.SnapshotID
	if begin := !s.Complete && s.Data == nil; !begin && !r.receiver.Has(id) {
		return // another one was begun
	}
	switch {
	case s.Complete:
		got, clock, err := r.receiver.Complete()
		if err != nil {
			r.log.Warn("a received snapshot is not whole; it is fetched again", "op", id.Last.Op, "error", err)
			got = s.Snapshot
		}
		r.inbox.do(func() { r.core.Step(r.core.now, &vsr.SnapshotReceived{Snapshot: got, Clock: clock, Err: err}) })
	case s.Data != nil:
		r.putChunk(s)
	default:
		missing, err := r.receiver.Begin(r.snaps, s.Snapshot)
		if err != nil {
			r.log.Warn("a snapshot cannot be received", "op", id.Last.Op, "error", err)
		}
		r.inbox.do(func() { r.core.Step(r.core.now, &vsr.ChunksMissing{Snapshot: id, Missing: missing, Err: err}) })
	}
}

// putChunk puts in a chunk. One that was changed on the way is asked for again; after anything
// else the snapshot is begun anew.
func (r *Replica) putChunk(s vsr.FetchStep) {
	id := s.Snapshot.SnapshotID
	again, err := r.receiver.Put(s.Chunk, s.Data)
	if err != nil {
		r.log.Warn("a chunk of a snapshot was not taken", "op", id.Last.Op, "chunk", s.Chunk, "error", err)
	}
	if err == nil || again {
		r.inbox.do(func() { r.core.Step(r.core.now, &vsr.ChunkWritten{Snapshot: id, Chunk: s.Chunk, OK: err == nil}) })
		return
	}
	r.inbox.do(func() { r.core.Step(r.core.now, &vsr.ChunksMissing{Snapshot: id, Err: err}) })
}
