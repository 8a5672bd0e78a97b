// Package store keeps what a replica keeps on its disk, in the core's terms: it turns the core's saves
// into those of internal/wal, finds out what a directory holds, and says what a snapshot holds beside
// the user's state. The runtime and the simulation, which perform what the core decides each in its own
// way, both do these things here.
package store

import (
	"errors"

	"github.com/smr-go/smr/internal/snap"
	"github.com/smr-go/smr/internal/vsr"
	"github.com/smr-go/smr/internal/wal"
)

// ErrCorrupt says that what was read cannot have been written so, or lacks what must be there, though
// its checksums hold.
var ErrCorrupt = errors.New("what was read does not fit together")

// IsCorrupt reports whether an error says that a log or a snapshot is damaged.
func IsCorrupt(err error) bool {
	return errors.Is(err, ErrCorrupt) || errors.Is(err, wal.ErrCorrupt) || errors.Is(err, snap.ErrCorrupt)
}

// SnapID returns how internal/snap calls a snapshot.
func SnapID(id vsr.SnapshotID) snap.ID {
	return snap.ID{Epoch: uint64(id.Last.Epoch), View: uint64(id.Last.View), Op: uint64(id.Last.Op), Hash: id.Hash}
}

func lastIn(id snap.ID) vsr.Viewstamp {
	return vsr.Viewstamp{Epoch: vsr.Epoch(id.Epoch), View: vsr.View(id.View), Op: vsr.OpNumber(id.Op)}
}

func headOut(h vsr.Head) wal.Head {
	return wal.Head{Group: h.Group, Incarnation: h.Incarnation, Start: h.Start,
		Epoch: uint64(h.Epoch), View: uint64(h.View), Commit: uint64(h.Commit)}
}

func headIn(h wal.Head) vsr.Head {
	return vsr.Head{Group: h.Group, Incarnation: h.Incarnation, Start: h.Start,
		Epoch: vsr.Epoch(h.Epoch), View: vsr.View(h.View), Commit: vsr.OpNumber(h.Commit)}
}

func stampIn(s wal.Stamp) vsr.Viewstamp {
	return vsr.Viewstamp{Epoch: vsr.Epoch(s.Epoch), View: vsr.View(s.View), Op: vsr.OpNumber(s.Op)}
}
