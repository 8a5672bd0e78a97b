// Package snap keeps the snapshots of one replica as files over vfs: it writes them, reads them
// back, sends them chunk by chunk and receives them so (rules C2, C3; RELIABILITY F9). It knows
// bytes and numbers only.
//
// A snapshot is listed once it is complete, synced, read back and renamed; what a crash leaves
// before that is never taken for one. Each chunk is checked before a byte of it is given out, and
// the hash of the whole before the bytes of the last. A damaged snapshot is reported and passed
// over, and stays where it is until a newer one is complete.
package snap

import (
	"cmp"
	"encoding/hex"
	"errors"
	"fmt"
)

// ID is the identity of a snapshot (C2): the viewstamp of its last op, and the hash of its file.
type ID struct {
	Epoch, View, Op uint64
	Hash            [32]byte
}

func (id ID) String() string {
	return fmt.Sprintf("%d@%d.%d/%s", id.Op, id.Epoch, id.View, hex.EncodeToString(id.Hash[:4]))
}

// compare orders by viewstamp: epoch first, then view, then op.
func (id ID) compare(other ID) int {
	return cmp.Or(cmp.Compare(id.Epoch, other.Epoch), cmp.Compare(id.View, other.View), cmp.Compare(id.Op, other.Op))
}

// Info describes a snapshot. A receiver needs all of it but Header, which travels in the chunks.
type Info struct {
	ID     ID
	Size   int64  // bytes of all chunks
	Chunks uint32 // number of chunks
	Header []byte // what Create was given; not to be changed
}

// The errors of this package, to be told apart with errors.Is. Others are the disk's.
var (
	// ErrCorrupt: a file holds what was not written there, or cannot be read.
	ErrCorrupt = errors.New("snapshot is corrupt")
	// ErrRefused: a description or a chunk that came from elsewhere does not fit.
	ErrRefused = errors.New("refused")
	// ErrSuperseded: the store holds a snapshot that is as new.
	ErrSuperseded = errors.New("a snapshot as new is held")
	// ErrBusy: another snapshot is being written, or received. Finish that one first.
	ErrBusy = errors.New("another snapshot is under way")
	// ErrForeign: the directory holds another group's files, or those of another version of smr.
	ErrForeign = errors.New("not of this group and version")
)
