package smr

import (
	"errors"
	"io"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/smr-go/smr/internal/seam"
	"github.com/smr-go/smr/internal/shell"
)

// ID names a member of a group, in 1 to 64 bytes. The ID of a former member must not be given to another.
type ID string

// Member names one replica of a group and gives its address.
type Member struct {
	ID   ID     // unique in the group; required
	Addr string // where the other members reach its Transport; empty if the Transport needs no address
}

// Op is an operation, with its place in the group's order. It is the same on every replica.
type Op struct {
	Number uint64    // increases from one Apply to the next, with gaps
	Time   time.Time // the primary's clock when it received the operation, in UTC; never decreases
	Body   []byte    // as given to Propose; Apply must not change it, nor keep it after it returns
}

// StateMachine is the state that smr replicates. smr never calls two of its methods at the same time,
// and runs the functions given to Replica.Read only while none of them runs.
//
// The replica cannot serve until its methods return. They must not call Propose, Read, Handover or
// Close of their replica, nor wait for a goroutine that does, because these wait for the methods to
// return. Where smr notices such a call, it returns an error. The same holds for Close inside WriteTo.
type StateMachine interface {
	// Apply applies one operation to the state and returns its result, which may be nil. It must be
	// deterministic: the new state and the result depend only on the old state and op, and not on a
	// clock (use op.Time), a random source or the iteration order of a map. An operation that fails
	// reports that in its result. The caller must not change the result after it returns it. Replicas
	// keep the result until its caller has it; one of more than 64 MiB is lost, and Propose returns
	// ErrNoResult. A panic stops the replica.
	Apply(op Op) (result []byte)

	// Snapshot captures the present state and returns without writing it. smr then calls WriteTo of
	// the returned value at most once, while further operations are applied; it must write the state
	// as it was when Snapshot was called. If the value implements io.Closer, smr calls Close when it
	// no longer needs it. Once the replica stops, writes to the writer fail, and WriteTo should
	// return. If snapshots fail repeatedly, Status.Problem reports it.
	Snapshot() (io.WriterTo, error)

	// Restore replaces the whole state by one that WriteTo wrote, on this replica or another. If it
	// returns an error, the replica stops, and the state is undefined. Once the replica stops, reads
	// from r fail, and Restore should return.
	Restore(r io.Reader) error
}

// Config configures a replica. Fields that are not required have useful zero values. Members, Group and the
// initial state of StateMachine must be the same on every replica. All other fields may differ. Choose Heartbeat
// and Detector alike, because the Detector of each replica judges the heartbeats of the others. For each
// field, docs/FAULTS.md#different-configurations states what may differ and what may change at a restart.
type Config struct {
	// ID is the name of this replica, one of Members. Required.
	ID ID
	// Members lists the group's first members, from 1 to 7. Every replica must be given the same
	// list in the same order, at every start; only addresses may change. The group forms when all
	// of them are running (docs/PROTOCOL.md#s2-forming-the-group). Required.
	Members []Member
	// StateMachine is the state machine in its initial state, which is the same on every replica.
	// A value that a replica has used before has another state: pass a new one to each Start.
	// Required.
	StateMachine StateMachine
	// Transport carries messages to the other members. The replica opens it, and closes it when it
	// stops. Required if there is more than one member.
	Transport Transport
	// Group is the name of the group, at most 255 bytes. Replicas of different names refuse to talk
	// to each other. Zero: "smr".
	Group string
	// Dir is the directory of the log and the snapshots, created if absent. Only one replica may use
	// it at a time. Required unless Volatile is set.
	Dir string
	// Volatile keeps the log and the snapshots in memory only. A volatile replica that stops cannot
	// rejoin its group, and a group that loses a quorum of such replicas loses its state.
	Volatile bool

	// Detector decides when a silent primary is suspected to have failed. Each replica needs its own
	// instance. Nil: NewAdaptiveDetector from 5 to 40 heartbeats, which is 250 ms to 2 s by default.
	Detector Detector
	// Heartbeat is the interval at which an otherwise idle primary sends heartbeats. With an
	// adaptive Detector the interval grows up to fourfold while nothing happens. Zero: 50 ms. Less
	// than 1 ms: refused.
	Heartbeat time.Duration
	// Abdication is the time after which a primary that hears from no quorum gives up its role.
	// Zero: 1 s. Less than Heartbeat: refused.
	Abdication time.Duration
	// DiskLimit is the time after which a primary gives up its role because a write or a read of its
	// log, Apply, or a function given to Read does not return. Zero: 5 s. Negative: no limit.
	DiskLimit time.Duration

	// SnapshotEvery is the number of operations after which the replica takes a snapshot. Zero:
	// 100,000. Negative: no limit.
	SnapshotEvery int
	// SnapshotBytes is the number of bytes of log after which the replica takes a snapshot. An
	// operation counts with its overhead in the log, about 100 bytes. Zero: 64 MiB. Negative: no
	// limit.
	SnapshotBytes int64
	// KeepLog is the number of bytes of log that are kept below the latest snapshot, so that replicas
	// that lag can catch up without a snapshot. Zero: 256 MiB. Negative: none.
	KeepLog int64
	// MaxOpSize is the size in bytes of the largest operation that Propose accepts at this replica, at
	// most 32 MiB. It limits nothing that other replicas have accepted. Zero: 1 MiB. Negative: refused.
	MaxOpSize int
	// Window is the number of bytes of operations that may be waiting at the primary to be committed
	// and applied, and of those that may be waiting at this replica for the primary. Above it
	// Propose fails with ErrOverloaded. It also limits the bytes in flight to a replica that is
	// slow, together with a limit of 16 MiB. Zero: 64 MiB. Less than MaxOpSize: refused.
	Window int64

	// Logger receives changes of role at level Info, and problems at Warn and Error. One goroutine
	// calls it. Up to 1 MiB of lines are queued while it is slow; further lines are dropped and counted.
	// Nil: a logger that writes to standard error, from Warn up.
	Logger hclog.Logger
}

// The errors of Propose, Read and Start. Use errors.Is to tell them apart.
var (
	// ErrNotApplied reports that the operation was not applied and never will be. It is safe to
	// propose it again: at another replica if this one has stopped (ErrClosed) or has no state
	// (ErrNoState), but in vain if it is too large (ErrTooLarge).
	ErrNotApplied = shell.ErrNotApplied
	// ErrUnknown reports that the context ended or the replica stopped before the outcome was known.
	// The operation may have been applied, or be applied later, or never. The error wraps the cause.
	ErrUnknown = shell.ErrUnknown
	// ErrNoResult reports that the operation was applied and that its result is lost: it is larger
	// than 64 MiB, or this replica was so far behind that it learned of the operation from a
	// snapshot, which holds at most 64 MiB of results for this replica's callers. It is an ErrUnknown.
	ErrNoResult = shell.ErrNoResult
	// ErrOverloaded reports that too many operations are waiting. It is an ErrNotApplied; try again
	// later.
	ErrOverloaded = shell.ErrOverloaded
	// ErrTooLarge reports that the operation exceeds Config.MaxOpSize. It is an ErrNotApplied.
	ErrTooLarge = shell.NotApplied("smr: operation too large")
	// ErrClosed reports that the replica has stopped. An error of Propose that wraps it is an
	// ErrNotApplied as well if the operation was never sent, and an ErrUnknown otherwise.
	ErrClosed = shell.ErrClosed
	// ErrNoState reports that the replica has no state of its group and takes no part in it, for example
	// because it has lost its directory. Its text contains that of Status.Problem. This does not change
	// while the replica runs; call another one. An error of Propose that wraps it is an ErrNotApplied.
	ErrNoState = shell.ErrNoState
	// ErrCorrupt reports that a file in Config.Dir is damaged or missing, or that the files do not belong
	// together. Nothing is removed from Dir.
	ErrCorrupt = errors.New("smr: storage is corrupt")
)

// ReadLevel states how recent the state that a Read sees must be: Linearizable, AtLeast or Local. The
// zero value is Linearizable.
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
	// Linearizable reads see every operation whose Propose had returned when Read was called, on any
	// replica, and everything that an earlier linearizable read saw. They take a round of messages
	// between the primary and a quorum (docs/PROTOCOL.md#r1-linearizable-reads).
	Linearizable = ReadLevel{kind: readLinearizable}
	// Local reads see the operations that this replica has applied so far. They need no quorum. On a
	// replica that has not been in a group yet they wait until one forms.
	Local = ReadLevel{kind: readLocal}
)

// AtLeast returns the level of a read that waits until this replica has applied op, an Op.Number. With
// the number of its last write a caller sees its own writes on any replica; to make the number known to
// callers, Apply returns it as part of its result.
func AtLeast(op uint64) ReadLevel { return ReadLevel{kind: readAtLeast, op: op} }

func init() { seam.LevelOp = func(level any) uint64 { return level.(ReadLevel).op } }

// Phase is the phase of the protocol in which a replica is.
type Phase string

// The phases of a replica.
const (
	Forming    Phase = "forming"     // has no group yet, or one that not every member has confirmed
	Outside    Phase = "outside"     // takes no part in the group that exists: it lost its memory of it, or never had one
	ViewChange Phase = "view change" // takes part in the choice of the next primary
	Normal     Phase = "normal"      // is the primary or follows it
	Stopped    Phase = "stopped"     // has stopped; Replica.Err returns the cause
)

// Status is the state of a replica, and of its group as far as the replica knows it, at one moment.
type Status struct {
	ID       ID
	Phase    Phase
	Epoch    uint64   // of the group's list of members; 0 before the group has formed
	View     uint64   // increases with every change of primary
	Primary  ID       // "" while unknown
	Op       uint64   // number of the last operation in the replica's log
	Commit   uint64   // number of the last operation that the replica knows to be committed
	Applied  uint64   // number of the last operation that its state machine has applied
	Snapshot uint64   // number of the last operation in its latest snapshot; 0 before the first
	Members  []Member // must not be changed

	// Problem is a sentence that names the member or resource because of which calls at this replica
	// fail, the group tolerates fewer failures than a group of its size can, or snapshots fail and the
	// log grows, and states since when. It is empty if there is no problem.
	Problem string
}
