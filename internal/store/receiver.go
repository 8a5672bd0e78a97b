package store

import (
	"errors"

	"github.com/smr-go/smr/internal/snap"
	"github.com/smr-go/smr/internal/vsr"
)

// Receiver is the snapshot that is being received (C2). Its zero value receives none; one goroutine
// owns it.
type Receiver struct {
	incoming *snap.Incoming
	id       snap.ID
}

// Has reports whether that snapshot is being received: otherwise another one was begun meanwhile.
func (v *Receiver) Has(id vsr.SnapshotID) bool { return v.incoming != nil && v.id == SnapID(id) }

// Begin begins to receive a snapshot, or resumes it, and returns the chunks it lacks.
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

// Put puts in a chunk of the snapshot that is being received. One that was changed on the way is to be
// asked for again (again); after another error nothing is being received any more.
func (v *Receiver) Put(chunk uint32, data []byte) (again bool, err error) {
	err = v.incoming.Put(chunk, data)
	if again = errors.Is(err, snap.ErrRefused); err != nil && !again {
		v.Close()
	}
	return again, err
}

// Complete checks the whole snapshot and makes it the store's latest. It returns the snapshot and the
// time of its last op. Whatever comes of it, nothing is being received then.
func (v *Receiver) Complete() (s vsr.Snapshot, clock int64, err error) {
	info, err := v.incoming.Complete()
	v.incoming = nil
	if err != nil {
		return s, 0, err
	}
	state, err := ParseHeader(info)
	return Describe(info, state.Members), state.Clock, err
}

// Close lets go of what was being received; what is there of it stays, to be resumed.
func (v *Receiver) Close() {
	if v.incoming != nil {
		v.incoming.Close()
		v.incoming = nil
	}
}
