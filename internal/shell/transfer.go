package shell

import (
	"errors"
	"io/fs"

	"github.com/hashicorp/go-hclog"

	"github.com/smr-go/smr/internal/snap"
	"github.com/smr-go/smr/internal/store"
	"github.com/smr-go/smr/internal/vfs"
	"github.com/smr-go/smr/internal/vsr"
	"github.com/smr-go/smr/internal/wal"
	"github.com/smr-go/smr/internal/wire"
)

// load reads entries that the core has dropped from memory.
func (s *Shell) load(l vsr.Load) {
	entries, err := store.Read(s.Log, l.From, l.To, int(l.Bytes))
	if vfs.IsShort(err) {
		s.driver.Background(TryAgain, func() { s.load(l) })
		return
	}
	if err != nil && !errors.Is(err, wal.ErrCompacted) {
		s.driver.Fail(err)
		return
	}
	if s.observer != nil {
		s.observer.Loaded(l, entries)
	}
	s.driver.Tell(Input{Event: &vsr.Loaded{Load: l, Entries: entries}})
}

// sendChunk starts a task that reads a chunk of a snapshot and sends it (C2).
func (l *Loop) sendChunk(w vsr.ChunkWanted) {
	l.kept.keep(w.Snapshot)
	h := l.core.Header()
	l.driver.Background(ReadChunk, func() { l.shell.readChunk(w, h) })
}

// readChunk reads a chunk and sends it; an empty one if this replica does not have the snapshot. If the system is short
// of something, it sends none: the member asks again.
func (s *Shell) readChunk(w vsr.ChunkWanted, h vsr.Header) {
	data, err := s.Snapshots.ReadChunk(store.SnapID(w.Snapshot), w.Chunk)
	if vfs.IsShort(err) {
		s.note(hclog.Debug, "a chunk of a snapshot cannot be read yet", err, "op", w.Snapshot.Last.Op, "chunk", w.Chunk)
		s.driver.Tell(Input{Do: func(l *Loop) { l.step(&vsr.ChunkRead{Chunk: w, OK: true}) }})
		return
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.note(hclog.Error, "a chunk of a snapshot cannot be read", err, "op", w.Snapshot.Last.Op, "chunk", w.Chunk)
	}
	s.driver.Tell(Input{Do: func(l *Loop) { l.chunkRead(w, err) }})
	m := w.Message(h, data)
	s.driver.Send(Packet{To: []vsr.Index{w.Via}, Header: h, Message: m, Bytes: wire.AppendMessage(nil, s.tag, h, m)})
}

// chunkRead reports to the core that a chunk was read, or could not be. The core replaces a damaged snapshot (F9).
func (l *Loop) chunkRead(w vsr.ChunkWanted, err error) {
	if errors.Is(err, snap.ErrCorrupt) {
		l.step(&vsr.SnapshotDamaged{Snapshot: w.Snapshot})
	}
	l.step(&vsr.ChunkRead{Chunk: w, OK: err == nil})
}

// Fetcher performs the core's steps with the snapshot that is being received, in order (C2). It is separate from
// the writer because checking a snapshot reads all of it, which would delay the log's syncs.
type Fetcher struct {
	snapshots *snap.Store
	shell     *Shell
	driver    Driver
	observer  Observer
	receiver  store.Receiver
	steps     []vsr.FetchStep
	fails     bool // since a snapshot was last complete
}

// Add adds a step to be performed.
func (f *Fetcher) Add(s vsr.FetchStep) { f.steps = append(f.steps, s) }

// Step performs the next step. It reports false if none waited.
func (f *Fetcher) Step() bool {
	if len(f.steps) == 0 {
		return false
	}
	s := f.steps[0]
	f.steps[0] = vsr.FetchStep{}
	f.steps = f.steps[1:]
	begins := !s.Complete && s.Data == nil
	switch {
	case begins:
		f.begin(s.Snapshot)
	case !f.receiver.Has(s.Snapshot.SnapshotID): // another one was begun
	case s.Complete:
		f.complete(s.Snapshot)
	default:
		f.put(&s)
	}
	return true
}

// begin begins or resumes receiving a snapshot, and reports to the core which chunks are missing.
func (f *Fetcher) begin(s vsr.Snapshot) {
	var missing []uint32
	err := f.shell.reserve()
	if err == nil {
		missing, err = f.receiver.Begin(f.snapshots, s)
	}
	f.note("a snapshot cannot be received", err, s.Last.Op)
	f.tell(&vsr.ChunksMissing{Snapshot: s.SnapshotID, Missing: missing, Err: err})
}

// put writes a chunk. A chunk that was corrupted on the way is requested again; after any other error the transfer
// begins again.
func (f *Fetcher) put(s *vsr.FetchStep) {
	id := s.Snapshot.SnapshotID
	again, err := f.receiver.Put(s.Chunk, s.Data)
	f.note("a chunk of a snapshot was not taken", err, id.Last.Op)
	if err == nil || again {
		f.tell(&vsr.ChunkWritten{Snapshot: id, Chunk: s.Chunk, OK: err == nil})
		return
	}
	f.tell(&vsr.ChunksMissing{Snapshot: id, Err: err})
}

// complete checks the whole snapshot and makes it the latest.
func (f *Fetcher) complete(s vsr.Snapshot) {
	got, clock, err := f.receiver.Complete()
	f.note("a received snapshot fails its check and is fetched again", err, s.Last.Op)
	switch {
	case err != nil:
		got = s
	case f.fails:
		f.fails = false
		f.driver.Note(Note{Level: hclog.Info, Text: "a snapshot was received, after attempts that failed",
			Args: []any{"op", s.Last.Op}})
	}
	if err == nil && f.observer != nil {
		f.observer.SnapshotReceived(got)
	}
	f.tell(&vsr.SnapshotReceived{Snapshot: got, Clock: clock, Err: err})
}

func (f *Fetcher) tell(e vsr.Event) { f.driver.Tell(Input{Event: e}) }

// note reports a failure: to the operator once, until a snapshot is complete, and as a problem as long as this replica
// lacks the op. An error of nil ends nothing: other parts of the snapshot may still fail.
func (f *Fetcher) note(text string, err error, op vsr.OpNumber) {
	if err == nil {
		return
	}
	level := hclog.Warn
	if f.fails || errors.Is(err, snap.ErrSuperseded) {
		level = hclog.Debug
	}
	f.driver.Note(Note{Level: level, Text: text, Args: []any{"op", op}, Err: err})
	if !errors.Is(err, snap.ErrSuperseded) && !errors.Is(err, snap.ErrRefused) {
		f.fails = true
		f.shell.snapshotting.notReceived(op, err)
	}
}

// Idle reports whether no step waits.
func (f *Fetcher) Idle() bool { return len(f.steps) == 0 }
