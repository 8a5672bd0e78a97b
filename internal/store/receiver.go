package store

import (
	"errors"

	"github.com/smr-go/smr/internal/snap"
	"github.com/smr-go/smr/internal/vsr"
)

// Receiver receives one snapshot at a time (C2). The zero value receives none. One goroutine owns it.
type Receiver struct {
	incoming *snap.Incoming
	id       snap.ID
}

// Has reports whether the receiver is receiving that snapshot, and not another one that was begun since.
func (v *Receiver) Has(id vsr.SnapshotID) bool { return v.incoming != nil && v.id == SnapID(id) }

// Begin begins or resumes receiving a snapshot, and returns the numbers of the chunks that are missing.
func (v *Receiver) Begin(store *snap.Store, s vsr.Snapshot) (missing []uint32, err error) {
	if !v.Has(s.SnapshotID) {
		v.Close()
		id := SnapID(s.SnapshotID)
		v.incoming, err = store.Receive(snap.Info{ID: id, Size: s.Size, Chunks: s.Chunks})
		if err != nil {
			return nil, err
		}
		v.id = id
	}
	for i, ok := v.incoming.Next(0); ok; i, ok = v.incoming.Next(i + 1) {
		missing = append(missing, i)
	}
	return missing, nil
}

// Put writes a chunk of the snapshot. If the chunk was changed on its way, Put returns again and an error: the caller
// requests the chunk again. Any other error ends the reception.
func (v *Receiver) Put(chunk uint32, data []byte) (again bool, err error) {
	err = v.incoming.Put(chunk, data)
	if again = errors.Is(err, snap.ErrRefused); err != nil && !again {
		v.Close()
	}
	return again, err
}

// Complete checks the whole snapshot and makes it the latest of the store. It returns the snapshot and the time of its
// last op. It ends the reception in any case.
func (v *Receiver) Complete() (s vsr.Snapshot, clock int64, err error) {
	info, err := v.incoming.Complete()
	v.incoming = nil
	if err != nil {
		return s, 0, err
	}
	state, err := ParseHeader(info)
	return Describe(info, state.Members), state.Clock, err
}

// Close ends the reception. The chunks received so far stay on disk, so that Begin can resume it.
func (v *Receiver) Close() {
	if v.incoming != nil {
		v.incoming.Close()
		v.incoming = nil
	}
}
