package sim

import (
	"errors"
	"fmt"
	"io"

	"github.com/smr-go/smr/internal/contract"
	"github.com/smr-go/smr/internal/snap"
	"github.com/smr-go/smr/internal/store"
	"github.com/smr-go/smr/internal/vfs"
	"github.com/smr-go/smr/internal/vsr"
	"github.com/smr-go/smr/internal/wal"
)

// storage is a replica's log and snapshots on its disk, in the core's terms.
type storage struct {
	log      *wal.Log
	batch    store.Batch
	snaps    *snap.Store
	receiver store.Receiver
}

// found is what a disk held.
type found struct {
	vsr.Durable
	restored
	log []vsr.Entry // above the snapshot, all of them
}

// restored is the state, with what belongs to it.
type restored struct {
	machine *contract.Machine
	store.State
}

// frozen is a state to be written as a snapshot while later operations are applied.
type frozen struct {
	store.State
	user    contract.Snapshot
	at      uint64 // hash of the user's state as it was written when it was frozen
	written uint64 // and later
}

// freeze freezes the state as it is.
func freeze(a *applier) (*frozen, error) {
	f := &frozen{State: a.State.Frozen()}
	var err error
	if f.at, err = a.machine.Sum(); err != nil {
		return nil, err
	}
	f.user, err = a.machine.Snapshot()
	return f, err
}

// openStorage opens what the disk holds, and reads it (S5).
func openStorage(disk vfs.FS, p *Setup, k *contract.Kit, owner string) (*storage, found, error) {
	var f found
	var err error
	if f.machine, err = k.Make(contract.Here); err != nil {
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
	return st, f, st.recover(&f)
}

// recover reads what is there, as a replica does that starts, and all of the log besides, to see
// whether it is what was written.
func (st *storage) recover(f *found) error {
	var latest *vsr.Snapshot
	if info, ok := st.snaps.Latest(); ok {
		var err error
		if f.restored, err = st.restore(info.ID, f.machine); err != nil {
			return err
		}
		s := store.Describe(info, f.Members)
		latest = &s
	}
	var err error
	if f.Durable, err = store.Recover(st.log, latest, f.Clock); err != nil {
		return errors.Join(append(st.snaps.Damaged(), err)...) // why no snapshot reaches as far as it must
	}
	for at := f.State.Last.Op; at < f.Durable.Last.Op; at = f.log[len(f.log)-1].Op {
		entries, err := store.Read(st.log, at+1, f.Durable.Last.Op)
		if err != nil {
			return err
		}
		if f.log == nil {
			f.log = entries // all of them, most times
		} else {
			f.log = append(f.log, entries...)
		}
	}
	return nil
}

// take writes a snapshot (C4).
func (st *storage) take(f *frozen) (s vsr.Snapshot, err error) {
	state, err := f.user.Bytes()
	if err != nil {
		return s, err
	}
	f.written = contract.SumOf(state)
	w, err := st.snaps.Create(uint64(f.Last.Epoch), uint64(f.Last.View), uint64(f.Last.Op), f.Header())
	if err != nil {
		return s, err
	}
	defer w.Abort()
	if _, err := w.Write(state); err != nil {
		return s, err
	}
	info, err := w.Commit()
	return store.Describe(info, f.Members), err
}

// restore reads a snapshot whole into the machine.
func (st *storage) restore(id snap.ID, m *contract.Machine) (got restored, err error) {
	state, info, err := st.snaps.Read(id)
	if err != nil {
		return got, err
	}
	defer state.Close()
	got.machine = m
	if got.State, err = store.ParseHeader(info); err != nil {
		return got, err
	}
	err = m.Restore(state)
	if _, err2 := io.Copy(io.Discard, state); err2 != nil {
		return got, err2
	}
	if err != nil {
		return got, fmt.Errorf("the snapshot after op %d: %w", id.Op, err)
	}
	return got, nil
}
