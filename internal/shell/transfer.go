package shell

import (
	"errors"
	"io/fs"

	"github.com/hashicorp/go-hclog"

	"github.com/smr-go/smr/internal/snap"
	"github.com/smr-go/smr/internal/store"
	"github.com/smr-go/smr/internal/vsr"
	"github.com/smr-go/smr/internal/wal"
	"github.com/smr-go/smr/internal/wire"
)

// load reads entries that the core has dropped from memory.
func (s *Shell) load(l vsr.Load) {
	entries, err := store.Read(s.Log, l.From, l.To)
	if err != nil && !errors.Is(err, wal.ErrCompacted) {
		s.driver.Fail(err)
		return
	}
	if s.observer != nil {
		s.observer.Loaded(l, len(entries))
	}
	s.driver.Tell(Input{Event: &vsr.Loaded{Load: l, Entries: entries}})
}

// maxChunks bounds the chunks that are read at once. A member whose request is dropped asks again.
const maxChunks = 32

// sendChunk has a chunk of a snapshot read and sent (C2).
func (l *Loop) sendChunk(w vsr.ChunkWanted) {
	l.kept.keep(w.Snapshot)
	if l.chunks >= maxChunks {
		return
	}
	l.chunks++
	h := l.core.Header()
	l.driver.Background(ReadChunk, func() { l.shell.readChunk(w, h) })
}

// readChunk reads a chunk and sends it; an empty one if this replica does not have the snapshot.
func (s *Shell) readChunk(w vsr.ChunkWanted, h vsr.Header) {
	data, err := s.Snapshots.ReadChunk(store.SnapID(w.Snapshot), w.Chunk)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.driver.Note(Note{Level: hclog.Error, Text: "a chunk of a snapshot cannot be read", Args: []any{"op", w.Snapshot.Last.Op, "chunk", w.Chunk}, Err: err})
	}
	s.driver.Tell(Input{Do: func(l *Loop) { l.chunkRead(w, err) }})
	m := &vsr.SnapshotChunk{Snapshot: w.Snapshot, Chunk: w.Chunk, Data: data}
	s.driver.Send(Packet{To: []vsr.Index{w.To}, Header: h, Message: m, Bytes: wire.AppendMessage(nil, s.tag, h, m)})
}

// chunkRead reports to the core a chunk that could not be read. The core replaces a damaged snapshot (F9).
func (l *Loop) chunkRead(w vsr.ChunkWanted, err error) {
	l.chunks--
	if err == nil {
		return
	}
	if errors.Is(err, snap.ErrCorrupt) {
		l.step(&vsr.SnapshotDamaged{Snapshot: w.Snapshot})
	}
	l.step(&vsr.SnapshotUnavailable{To: w.To, Snapshot: w.Snapshot})
}

// Fetcher performs the core's steps with the snapshot that is being received, in order (C2). It is apart from
// the writer because checking a snapshot reads all of it, which would hold up the log's syncs.
type Fetcher struct {
	snapshots *snap.Store
	driver    Driver
	observer  Observer
	receiver  store.Receiver
	steps     []vsr.FetchStep
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
	missing, err := f.receiver.Begin(f.snapshots, s)
	f.note("a snapshot cannot be received", err, "op", s.Last.Op)
	f.tell(&vsr.ChunksMissing{Snapshot: s.SnapshotID, Missing: missing, Err: err})
}

// put writes a chunk. One that was changed on the way is asked for again; after any other error the snapshot is
// begun again.
func (f *Fetcher) put(s *vsr.FetchStep) {
	id := s.Snapshot.SnapshotID
	again, err := f.receiver.Put(s.Chunk, s.Data)
	f.note("a chunk of a snapshot was not taken", err, "op", id.Last.Op, "chunk", s.Chunk)
	if err == nil || again {
		f.tell(&vsr.ChunkWritten{Snapshot: id, Chunk: s.Chunk, OK: err == nil})
		return
	}
	f.tell(&vsr.ChunksMissing{Snapshot: id, Err: err})
}

// complete checks the whole snapshot and makes it the latest.
func (f *Fetcher) complete(s vsr.Snapshot) {
	got, clock, err := f.receiver.Complete()
	f.note("a received snapshot is not whole and is fetched again", err, "op", s.Last.Op)
	if err != nil {
		got = s
	} else if f.observer != nil {
		f.observer.SnapshotReceived(got)
	}
	f.tell(&vsr.SnapshotReceived{Snapshot: got, Clock: clock, Err: err})
}

func (f *Fetcher) tell(e vsr.Event) { f.driver.Tell(Input{Event: e}) }

func (f *Fetcher) note(text string, err error, args ...any) {
	if err != nil {
		f.driver.Note(Note{Level: hclog.Warn, Text: text, Args: args, Err: err})
	}
}

// Idle reports whether no step waits.
func (f *Fetcher) Idle() bool { return len(f.steps) == 0 }
