package sim

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/smr-go/smr/internal/snap"
	"github.com/smr-go/smr/internal/vfs"
	"github.com/smr-go/smr/internal/vsr"
	"github.com/smr-go/smr/internal/wal"
	"github.com/smr-go/smr/internal/wire"
)

// storage is a replica's log and snapshots on its disk, in the core's terms.
type storage struct {
	log      *wal.Log
	snaps    *snap.Store
	incoming *snap.Incoming // nil: none
}

// found is what a disk held.
type found struct {
	vsr.Durable
	restored
}

// restored is the state, with what belongs to it.
type restored struct {
	machine  *machine
	sessions vsr.Sessions
	last     vsr.Viewstamp // applied
	clock    int64         // its time
}

// frozen is a state to be written as a snapshot while later operations are applied.
type frozen struct {
	last    vsr.Viewstamp
	time    int64
	members vsr.Membership
	table   []byte // of sessions
	state   io.WriterTo
	at      uint64 // hash of the state as it was written when it was frozen
	written uint64 // and later
}

// freeze freezes the state as it is.
func freeze(a *applier, m vsr.Membership) (*frozen, error) {
	f := &frozen{last: a.last, time: a.clock, members: m, table: a.sessions.Append(nil)}
	b, err := a.machine.encode()
	if err != nil {
		return nil, err
	}
	f.at = sumOf(b)
	f.state, err = a.machine.freeze()
	return f, err
}

// openStorage opens what the disk holds, and reads it (S5).
func openStorage(disk vfs.FS, p *Setup, w *Work, owner string) (*storage, found, error) {
	var f found
	var err error
	if f.machine, err = newMachine(w, false); err != nil {
		return nil, f, err
	}
	log, err := wal.Open(disk, logDir, wal.Options{Identity: owner, SegmentSize: p.SegmentSize})
	if err != nil {
		return nil, f, err
	}
	snaps, err := snap.Open(disk, snapDir, snap.Options{Identity: "sim", ChunkSize: p.ChunkSize})
	if err != nil {
		return nil, f, err
	}
	st := &storage{log: log, snaps: snaps}
	if err := st.readSnapshot(&f); err != nil {
		return nil, f, err
	}
	return st, f, st.readLog(&f)
}

func (st *storage) readSnapshot(f *found) error {
	info, ok := st.snaps.Latest()
	if !ok {
		return nil
	}
	s, at, err := describe(info)
	if err != nil {
		return err
	}
	f.Snapshot, f.Time = &s, at
	f.restored, err = st.restore(&s, f.machine)
	return err
}

// readLog reads what the log holds above the snapshot, and how it lies below.
func (st *storage) readLog(f *found) error {
	base, last := st.log.Bounds()
	f.Head, f.Base, f.Last = fromHead(st.log.Head()), fromStamp(base), fromStamp(last)
	for _, s := range st.log.Stamps() {
		f.Runs = append(f.Runs, fromStamp(s))
	}
	from := vsr.OpNumber(0)
	if f.Snapshot != nil {
		from = f.Snapshot.Last.Op
	}
	if f.Base.Op > from {
		err := fmt.Errorf("the log begins after op %d, and the latest sound snapshot ends with op %d", f.Base.Op, from)
		return errors.Join(append(st.snaps.Damaged(), err)...)
	}
	for from < f.Last.Op {
		entries, err := st.read(from+1, f.Last.Op)
		if err != nil {
			return err
		}
		f.Entries = append(f.Entries, entries...)
		from += vsr.OpNumber(len(entries))
	}
	if f.Base.Op == 0 && len(f.Entries) > 0 {
		f.First = &f.Entries[0]
	}
	return nil
}

// read returns entries of the log, some of those asked for.
func (st *storage) read(from, to vsr.OpNumber) ([]vsr.Entry, error) {
	records, err := st.log.Read(uint64(from), uint64(to), 1<<20)
	if err != nil {
		return nil, err
	}
	entries := make([]vsr.Entry, len(records))
	for i, r := range records {
		e, rest, err := wire.DecodeEntry(r.Data)
		if err != nil || len(rest) > 0 {
			return nil, fmt.Errorf("record of op %d: %d bytes too many, %w", r.Op, len(rest), err)
		}
		entries[i] = e
	}
	return entries, nil
}

// save makes saves durable, as one batch.
func (st *storage) save(saves []*vsr.Save) error {
	batch := make([]wal.Save, len(saves))
	for i, s := range saves {
		b := &batch[i]
		b.Head, b.From = toHead(s.Head), uint64(s.From)
		if s.Base != nil {
			base := wal.Stamp{Epoch: uint64(s.Base.Epoch), View: uint64(s.Base.View), Op: uint64(s.Base.Op)}
			b.Base = &base
		}
		for j := range s.Entries {
			e := &s.Entries[j]
			b.Records = append(b.Records, wal.Record{Op: uint64(e.Op), Epoch: uint64(e.Epoch), View: uint64(e.View), Data: wire.AppendEntry(nil, e)})
		}
	}
	return st.log.Save(batch)
}

// take writes a snapshot (C4). Its header is what Restore needs beside the state.
func (st *storage) take(f *frozen) (s vsr.Snapshot, err error) {
	state, err := write(f.state)
	if err != nil {
		return s, err
	}
	f.written = sumOf(state)
	members := f.members.Encode()
	header := binary.AppendVarint(nil, f.time)
	header = binary.AppendUvarint(header, uint64(len(members)))
	header = append(append(header, members...), f.table...)
	w, err := st.snaps.Create(uint64(f.last.Epoch), uint64(f.last.View), uint64(f.last.Op), header)
	if err != nil {
		return s, err
	}
	defer w.Abort()
	if _, err := w.Write(state); err != nil {
		return s, err
	}
	info, err := w.Commit()
	if err != nil {
		return s, err
	}
	s, _, err = describe(info)
	return s, err
}

// restore reads a snapshot whole into the machine.
func (st *storage) restore(s *vsr.Snapshot, m *machine) (got restored, err error) {
	state, info, err := st.snaps.Read(toSnapID(s.SnapshotID))
	if err != nil {
		return got, err
	}
	defer state.Close()
	at, _, table, err := splitHeader(info.Header)
	if err != nil {
		return got, err
	}
	sessions, err := vsr.DecodeSessions(table)
	if err != nil {
		return got, err
	}
	err = m.restore(state)
	if _, err2 := io.Copy(io.Discard, state); err2 != nil {
		return got, err2
	}
	if err != nil {
		return got, fmt.Errorf("the snapshot after op %d: %w", s.Last.Op, err)
	}
	return restored{m, sessions, s.Last, at}, nil
}

var errHeader = errors.New("snapshot's header does not parse")

func splitHeader(b []byte) (at int64, m vsr.Membership, table []byte, err error) {
	at, n := binary.Varint(b)
	if n <= 0 {
		return 0, m, nil, errHeader
	}
	b = b[n:]
	size, n := binary.Uvarint(b)
	if n <= 0 || size > uint64(len(b)-n) {
		return 0, m, nil, errHeader
	}
	b = b[n:]
	m, err = vsr.DecodeMembership(b[:size])
	return at, m, b[size:], err
}

// describe returns a snapshot as the core knows it, and the time of its last op.
func describe(info snap.Info) (vsr.Snapshot, int64, error) {
	at, m, _, err := splitHeader(info.Header)
	return vsr.Snapshot{SnapshotID: fromSnapID(info.ID), Size: info.Size, Chunks: info.Chunks, Members: m}, at, err
}

func toHead(h vsr.Head) wal.Head {
	return wal.Head{Group: h.Group, Incarnation: h.Incarnation, Start: h.Start, Epoch: uint64(h.Epoch), View: uint64(h.View), Commit: uint64(h.Commit)}
}

func fromHead(h wal.Head) vsr.Head {
	return vsr.Head{Group: h.Group, Incarnation: h.Incarnation, Start: h.Start, Epoch: vsr.Epoch(h.Epoch), View: vsr.View(h.View), Commit: vsr.OpNumber(h.Commit)}
}

func fromStamp(s wal.Stamp) vsr.Viewstamp {
	return vsr.Viewstamp{Epoch: vsr.Epoch(s.Epoch), View: vsr.View(s.View), Op: vsr.OpNumber(s.Op)}
}

func toSnapID(s vsr.SnapshotID) snap.ID {
	return snap.ID{Epoch: uint64(s.Last.Epoch), View: uint64(s.Last.View), Op: uint64(s.Last.Op), Hash: s.Hash}
}

func fromSnapID(id snap.ID) vsr.SnapshotID {
	return vsr.SnapshotID{Last: vsr.Viewstamp{Epoch: vsr.Epoch(id.Epoch), View: vsr.View(id.View), Op: vsr.OpNumber(id.Op)}, Hash: id.Hash}
}
