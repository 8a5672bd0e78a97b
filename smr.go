package smr

import (
	"errors"
	"io"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/smr-go/smr/internal/readlevel"
	"github.com/smr-go/smr/internal/shell"
)

// ID names a member of a group. It is never reused, not even after the member is gone.
type ID string

// Member is one replica of a group as the others know it.
type Member struct {
	ID   ID     // required: 1 to 64 bytes, unique in the group
	Addr string // where its Transport listens; may be empty for a Transport that needs none
}

// Op is an operation in the group's order. It is the same on every replica.
type Op struct {
	Number uint64    // place in the order: rises from one Apply to the next, with gaps
	Time   time.Time // the primary's clock when it took the operation, in UTC; never decreases
	Body   []byte    // smr's: not to be kept or changed after Apply returns
}

// StateMachine is the user's state, of which smr keeps identical copies. smr calls Apply and
// Restore one at a time, and Snapshot between them; functions given to Replica.Read run when none
// of the three does.
type StateMachine interface {
	// Apply changes the state by one operation and returns its result, nil included. It must be
	// deterministic: state and result depend on nothing but the state before and op. So no clock
	// (there is op.Time), no random source, no order of a map. A failure of the operation is part
	// of the result. The result is smr's from then on and must not be changed.
	Apply(op Op) (result []byte)

	// Snapshot freezes the state as it is now and returns at once. WriteTo of what it returns
	// writes the frozen state, once, beside later calls of Apply, whose changes it must not see.
	// If it also implements io.Closer, Close is called when it is no longer needed.
	Snapshot() (io.WriterTo, error)

	// Restore replaces the whole state by one that WriteTo wrote, on this replica or another.
	// After an error the replica stops; the state may then be anything.
	Restore(r io.Reader) error
}

// Config says what a replica is. The zero value of every field that is not called required is a
// good choice.
type Config struct {
	// ID is this replica's name, one of Members. Required.
	ID ID
	// Members are the group's first members, at most 7: the same list in the same order on every
	// replica, at every start; only addresses may change. Required. The first one forms the group
	// once all are there (docs/PROTOCOL.md#s2-forming-the-group).
	Members []Member
	// StateMachine is in its initial state, the same on all replicas. Required.
	StateMachine StateMachine
	// Transport carries messages to the other members. Required for more than one member. The
	// replica opens it, and closes it when it stops.
	Transport Transport
	// Group guards against talking to another group by mistake. Zero: "smr".
	Group string
	// Dir is the directory of the log and the snapshots, made if absent, used by one replica at a
	// time. Required unless Volatile.
	Dir string
	// Volatile keeps log and snapshots in memory. A volatile replica that stops has lost its
	// memory, and stays out of its group; losing a quorum's memory loses the data.
	Volatile bool

	// Detector decides when a silent primary is given up. Each replica needs its own instance.
	// Nil: NewAdaptiveDetector from 5 to 40 heartbeats: 250 ms to 2 s.
	Detector Detector
	// Heartbeat is how often a primary is heard when there is nothing to say. Zero: 50 ms.
	// Negative: refused. A primary to whom nothing happens slows down bit by bit, to a quarter
	// of that, if the Detector is one that learns.
	Heartbeat time.Duration
	// Abdication is how long a primary goes on without hearing from a quorum. Zero: 1 s. Negative:
	// refused.
	Abdication time.Duration
	// DiskLimit is how long a write of the primary may take before it gives up its role. Zero: 5 s.
	// Negative: no limit.
	DiskLimit time.Duration

	// SnapshotEvery is the number of operations from one snapshot to the next. Zero: 100,000.
	// Negative: not by number.
	SnapshotEvery int
	// SnapshotBytes is the bytes of log from one snapshot to the next. Zero: 64 MiB. Negative:
	// not by bytes.
	SnapshotBytes int64
	// KeepLog is the bytes of log below the latest snapshot kept for replicas that are behind.
	// Zero: 256 MiB. Negative: none.
	KeepLog int64
	// MaxOpSize is the largest body that Propose takes, in bytes. Zero: 1 MiB. Negative: refused.
	// The same on all replicas.
	MaxOpSize int
	// Window is the bytes of operations that may wait to be committed and applied at the primary, and
	// the same for the proposals of this replica's callers; above it Propose fails with
	// ErrOverloaded. Zero: 64 MiB. Negative: refused.
	Window int64

	// Logger gets what an operator should know: changes of role at Info, trouble at Warn and
	// Error. Nil: standard error from Warn up.
	Logger hclog.Logger
}

// The errors of Propose and Read, to be told apart with errors.Is.
var (
	// ErrNotApplied: the operation was not applied and never will be. It is safe to try again.
	ErrNotApplied = shell.ErrNotApplied
	// ErrUnknown: the context ended or the replica stopped before the outcome was known. The
	// operation may have been applied, may yet be, or never. The error wraps the cause.
	ErrUnknown = shell.ErrUnknown
	// ErrOverloaded is an ErrNotApplied: too much is waiting already. Try again later.
	ErrOverloaded = shell.ErrOverloaded
	// ErrTooLarge is an ErrNotApplied: the body is larger than MaxOpSize.
	ErrTooLarge = shell.NotApplied("smr: operation too large")
	// ErrClosed: the replica has stopped. From Propose it is an ErrNotApplied too if the
	// operation was never sent; otherwise ErrUnknown wraps it.
	ErrClosed = errors.New("smr: replica closed")
	// ErrCorrupt: a file of Dir holds what cannot have been written, or lacks what must be there.
	// The directory is left as it is.
	ErrCorrupt = errors.New("smr: storage is corrupt")
)

// ReadLevel says how fresh the state must be that a Read sees. The zero value is Linearizable.
type ReadLevel struct {
	kind readKind
	op   uint64
}

type readKind uint8

const (
	readLinearizable readKind = iota // R1
	readAtLeast                      // R4
	readLocal                        // R5
)

var (
	// Linearizable reads see every operation whose Propose had returned, on any replica, and every
	// linearizable read that had ended, when Read was called. They take a round of messages between
	// the primary and a quorum (docs/PROTOCOL.md#r1-linearizable-reads).
	Linearizable = ReadLevel{kind: readLinearizable}
	// Local reads see whatever this replica has applied. They work without a quorum.
	Local = ReadLevel{kind: readLocal}
)

// AtLeast reads wait until this replica has applied op. With the number of a caller's last write,
// the caller sees its own writes on any replica. The number is Op.Number as Apply saw it; a state
// machine that wants it known outside makes it part of its results.
func AtLeast(op uint64) ReadLevel { return ReadLevel{kind: readAtLeast, op: op} }

func init() { readlevel.Op = func(level any) uint64 { return level.(ReadLevel).op } }

// Phase is what a replica is doing.
type Phase string

// The phases of a replica.
const (
	Forming    Phase = "forming"     // holds no group yet, or one that not every member has confirmed
	Recovering Phase = "recovering"  // its group exists, but this memory is not of it: it stays out
	ViewChange Phase = "view change" // the group is choosing its next primary
	Normal     Phase = "normal"      // follows a primary, or is it
	Stopped    Phase = "stopped"     // Err says why
)

// Status is a replica's view of itself and its group at one moment.
type Status struct {
	ID       ID
	Phase    Phase
	Epoch    uint64   // 0 before the group is formed
	View     uint64   // rises with every change of primary
	Primary  ID       // "" while unknown
	Op       uint64   // last operation in this replica's log
	Commit   uint64   // highest operation it knows committed
	Applied  uint64   // highest operation its state machine has applied
	Snapshot uint64   // last operation of its latest snapshot; 0 if none
	Members  []Member // not to be changed
	Problem  string   // what keeps the replica from working as it should, and what to do; "" if nothing
}
