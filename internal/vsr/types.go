package vsr

import (
	"cmp"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
)

// The numbers of the protocol. Each has a type of its own, so that they cannot be confused.
type (
	Epoch    uint64 // period of one member list; from 1, 0 before a group is formed
	View     uint64 // period of one primary within an epoch
	OpNumber uint64 // position in the log, from 1 without gaps; 0 is before the first entry
	Index    int    // position of a member in the member list
	Round    uint64 // number of a heartbeat, rising within a view (N6)
)

// Incarnation identifies one memory of a replica (S1). It is random and never reused.
type Incarnation [16]byte

// GroupID identifies a group once it is formed; it is zero before.
type GroupID [16]byte

func (i Incarnation) String() string { return hex.EncodeToString(i[:4]) }
func (g GroupID) String() string     { return hex.EncodeToString(g[:4]) }

// Viewstamp orders entries, and logs by their last entry: epoch first, then view, then op.
type Viewstamp struct {
	Epoch Epoch
	View  View
	Op    OpNumber
}

// Compare returns -1, 0 or +1.
func (a Viewstamp) Compare(b Viewstamp) int {
	return cmp.Or(cmp.Compare(a.Epoch, b.Epoch), cmp.Compare(a.View, b.View), cmp.Compare(a.Op, b.Op))
}

// sameView reports whether two viewstamps have the same epoch and view.
func (a Viewstamp) sameView(b Viewstamp) bool { return a.Epoch == b.Epoch && a.View == b.View }

func (a Viewstamp) String() string { return fmt.Sprintf("%d@%d.%d", a.Op, a.Epoch, a.View) }

// Head is the state that a replica keeps on disk in addition to its log and snapshot (section 2).
type Head struct {
	Group       GroupID
	Incarnation Incarnation
	Start       uint64 // start number, which rises at each start; see nextStart
	Epoch       Epoch
	View        View
	Commit      OpNumber // a lower bound, which shortens restarts
	Known       GroupID  // a confirmed group that the replica does not belong to (S2); zero: it knows of none
}

// SnapshotID identifies a snapshot (C2) by its group, its last entry, which names the epoch, and a hash
// of its contents.
type SnapshotID struct {
	Group GroupID
	Last  Viewstamp
	Hash  [32]byte
}

// Snapshot describes a snapshot that is durable at some member.
type Snapshot struct {
	SnapshotID
	Size    int64  // bytes of all chunks
	Chunks  uint32 // number of chunks
	Members Membership
}

// nextStart returns the start number of a process whose directory holds that of the process before. The
// upper 32 bits count the starts, and the lower ones are random, so that no two processes of a memory
// have the same number, even if both started from copies of one directory (S6). Sessions (X1), attempts
// (X4), votes (V1) and reads (R1) of the two are therefore never confused, and a process with the higher
// number that lacks entries acknowledged under the lower one is known to have lost its memory.
func nextStart(before uint64, random *rand.Rand) uint64 {
	return (before>>32+1)<<32 | uint64(random.Uint32())
}

// IsLaterStart reports whether a start number counts more starts than another. Of two different numbers
// with the same count neither does: two processes use copies of one directory.
func IsLaterStart(start, than uint64) bool { return start>>32 > than>>32 }

// StartText returns a start number as errors show it: the count, and the random bits.
func StartText(start uint64) string { return fmt.Sprintf("%d.%08x", start>>32, uint32(start)) }
