// Package store translates between the core and the disk. It encodes the core's saves as saves of internal/wal, recovers
// the core's state from a log and a snapshot, and defines the part of a snapshot that is not the user's: members,
// sessions and the time.
package store

import (
	"errors"

	"github.com/smr-go/smr/internal/snap"
	"github.com/smr-go/smr/internal/vsr"
	"github.com/smr-go/smr/internal/wal"
	"github.com/smr-go/smr/internal/wire"
)

// ErrCorrupt reports that data whose checksums match does not decode, or does not fit the rest of the directory.
var ErrCorrupt = errors.New("the stored data is inconsistent")

// IsCorrupt reports whether err is caused by damage to a log or a snapshot.
func IsCorrupt(err error) bool {
	return errors.Is(err, ErrCorrupt) || errors.Is(err, wal.ErrCorrupt) || errors.Is(err, snap.ErrCorrupt)
}

const _ uint = wire.MaxMessage - wire.MessageOverhead - wire.RelayOverhead - snap.MaxChunkSize // every chunk fits into a message

// SnapID returns the ID of a snapshot in internal/snap.
func SnapID(id vsr.SnapshotID) snap.ID {
	return snap.ID{Group: id.Group, Epoch: uint64(id.Last.Epoch), View: uint64(id.Last.View), Op: uint64(id.Last.Op), Hash: id.Hash}
}

func lastIn(id snap.ID) vsr.Viewstamp {
	return vsr.Viewstamp{Epoch: vsr.Epoch(id.Epoch), View: vsr.View(id.View), Op: vsr.OpNumber(id.Op)}
}

func headOut(h vsr.Head) wal.Head {
	return wal.Head{Group: h.Group, Incarnation: h.Incarnation, Start: h.Start,
		Epoch: uint64(h.Epoch), View: uint64(h.View), Commit: uint64(h.Commit), Known: h.Known}
}

func headIn(h wal.Head) vsr.Head {
	return vsr.Head{Group: h.Group, Incarnation: h.Incarnation, Start: h.Start,
		Epoch: vsr.Epoch(h.Epoch), View: vsr.View(h.View), Commit: vsr.OpNumber(h.Commit), Known: h.Known}
}

func stampIn(s wal.Stamp) vsr.Viewstamp {
	return vsr.Viewstamp{Epoch: vsr.Epoch(s.Epoch), View: vsr.View(s.View), Op: vsr.OpNumber(s.Op)}
}
