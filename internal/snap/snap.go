// Package snap stores the snapshots of one replica as files. It writes and reads them, and sends
// and receives them chunk by chunk (C2, C3, F9). It does not interpret their contents.
//
// A snapshot is listed once it is complete: synced, read back and renamed. A file that a crash has
// left unfinished is never mistaken for a snapshot. Every chunk is checked before any of its bytes
// are returned, and the hash of the whole snapshot before any byte of the last chunk. A damaged
// snapshot is reported and skipped; its file is kept until a newer snapshot is complete.
package snap

import (
	"cmp"
	"encoding/hex"
	"errors"
	"fmt"
)

// ID identifies a snapshot (C2) by its group, the viewstamp of its last op and the hash of its file.
type ID struct {
	Group           [16]byte // zero while only the file's name is known
	Epoch, View, Op uint64
	Hash            [32]byte
}

func (id ID) String() string {
	return fmt.Sprintf("%d@%d.%d/%s", id.Op, id.Epoch, id.View, hex.EncodeToString(id.Hash[:4]))
}

// sameName reports whether both snapshots have the same file name, which lacks the group.
func (id ID) sameName(other ID) bool {
	id.Group = other.Group
	return id == other
}

// compare orders IDs by viewstamp: by epoch, then view, then op.
func (id ID) compare(other ID) int {
	return cmp.Or(cmp.Compare(id.Epoch, other.Epoch), cmp.Compare(id.View, other.View), cmp.Compare(id.Op, other.Op))
}

// Info describes a snapshot. A receiver needs all fields except Header, which travels in the
// chunks.
type Info struct {
	ID     ID
	Size   int64  // total size of the chunks in bytes
	Chunks uint32 // number of chunks
	Header []byte // header passed to Create; must not be modified
}

// Errors of this package, to be tested with errors.Is. All other errors come from the file system.
var (
	// ErrCorrupt reports that a file cannot be read, or that its contents are not those written.
	ErrCorrupt = errors.New("snapshot is corrupt")
	// ErrRefused reports that a description or a chunk received from another replica is invalid.
	ErrRefused = errors.New("refused")
	// ErrSuperseded reports that the store holds a snapshot that is at least as new.
	ErrSuperseded = errors.New("snapshot is superseded")
	// ErrBusy reports that another snapshot is being written or received, which must end first.
	ErrBusy = errors.New("another snapshot is in progress")
	// ErrForeign reports that a file belongs to another group or was written in another format
	// version.
	ErrForeign = errors.New("file of another group or format version")
)
