package vsr

import (
	"cmp"
	"encoding/hex"
	"fmt"
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

// Kind is the purpose of an entry.
type Kind uint8

// The kinds of entries. Their values are on disk.
const (
	Command     Kind = 1 // a user's operation
	Opening     Kind = 2 // the first entry of a view (V7)
	Formation   Kind = 3 // op 1, the first member list (S2)
	OpenSession Kind = 4 // begins a member process's session (X1)
)

// Entry is an entry of the log. It is immutable; copies share its body.
type Entry struct {
	Op      OpNumber
	View    View
	Epoch   Epoch
	Time    int64  // reading of the primary's clock in Unix nanoseconds; it never falls along the log (N2)
	Session uint64 // op of the entry that opened the session; 0 for none (X1)
	Request uint64 // number within the session, from 1 (X2)
	Floor   uint64 // lowest request number of the session still wanted (X2)
	Kind    Kind
	Body    []byte
}

// Stamp returns the entry's viewstamp.
func (e *Entry) Stamp() Viewstamp { return Viewstamp{e.Epoch, e.View, e.Op} }

// entryOverhead is the number of bytes that an entry counts in limits, in addition to its body.
const entryOverhead = 64

func (e *Entry) size() int64 { return int64(len(e.Body)) + entryOverhead }

// Head is the state that a replica keeps on disk in addition to its log and snapshot (section 2).
type Head struct {
	Group       GroupID
	Incarnation Incarnation
	Start       uint64 // start number, which rises at each start
	Epoch       Epoch
	View        View
	Commit      OpNumber // a lower bound, which shortens restarts
}

// SnapshotID identifies a snapshot (C2) by its last entry and a hash of its contents.
type SnapshotID struct {
	Last Viewstamp
	Hash [32]byte
}

// Snapshot describes a snapshot that is durable at some member.
type Snapshot struct {
	SnapshotID
	Size    int64  // bytes of all chunks
	Chunks  uint32 // number of chunks
	Members Membership
}
