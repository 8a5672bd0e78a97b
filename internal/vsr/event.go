package vsr

import "time"

// Event is one of the events below. After its start a replica learns everything through Step. An
// event with a result returns it in a field that Step sets.
type Event interface{ event() }

// The events of the network and of time.
type (
	// Receive is the arrival of a message from a member. The message must be well formed, which
	// internal/wire checks.
	Receive struct {
		From    Index
		Header  Header
		Message Message
	}
	// Tick is the passing of time. One is due at Deadline at the latest.
	Tick struct{}
	// Refused reports that this replica refuses the connections of the member with the ID From, and why.
	// List is that member's list of members if it differs from the one configured here (S2), and "" otherwise.
	Refused struct {
		From   string
		List   string
		Reason string
	}
	// Carried reports that a part of a large message to the member To has arrived there (C5).
	Carried struct{ To Index }
	// Dropped reports that large messages to the member To were dropped, with all that waited behind them: it has not
	// answered for long (C5).
	Dropped struct{ To Index }
)

// The events of callers.
type (
	// Propose is a caller's proposal. Step sets Number, which identifies the result in the session,
	// or Err, which is then ErrOverloaded, ErrFull, ErrShort or ErrNoSpace. The core owns Body once Step is
	// called.
	Propose struct {
		Body   []byte
		Number uint64
		Err    error
	}
	// Forget reports that the result of a request is known, and has Size bytes, or, if Lost is set,
	// that it is no longer wanted: the floor rises (X2).
	Forget struct {
		Request uint64
		Size    int64
		Lost    bool
	}
	// Read asks for a linearizable read (R1). Step sets Number, which returns in Output.Reads.
	Read struct{ Number uint64 }
	// ForgetRead withdraws a read.
	ForgetRead struct{ Read uint64 }
	// Handover asks the primary to hand its role to the member To, or to any member if To is -1
	// (V2). The primary accepts no new request, waits until that member holds the whole log, then
	// votes to leave its view and names the one that the member leads. Step sets Begun, which is
	// false if this replica is not primary or is the only member. The outcome shows in the view or,
	// if the member does not come to hold the log, in State.
	Handover struct {
		To    Index
		Begun bool
	}
	// CancelHandover makes the primary go on if it has not left its view yet.
	CancelHandover struct{}
	// Leave reports that this process is about to stop. A primary then resigns at once (V2).
	Leave struct{}
)

// The events of the disk.
type (
	// Saved reports that all saves up to Seq are durable.
	Saved struct{ Seq uint64 }
	// DiskFull reports whether the disk has no space, or, if Short is not "", why else no file can be made
	// (F13). As long as that lasts, the shell completes no save of a command.
	DiskFull struct {
		Full  bool
		Short string
	}
	// Loaded answers a Load; Entries is empty if they are gone.
	Loaded struct {
		Load    Load
		Entries []Entry
	}
	// Compacted reports that the log on disk begins with First.
	Compacted struct{ First OpNumber }
)

// The events of the state machine.
type (
	// Applied reports that the state machine has applied every entry up to Op.
	Applied struct{ Op OpNumber }
	// SessionOpened reports that the entry with that op number opened this process's session (X1).
	SessionOpened struct{ Session uint64 }
	// FloorRaised reports that an entry without an operation has raised the floor of this process's
	// session in the table (X2).
	FloorRaised struct{ Floor uint64 }
	// SnapshotTaken reports that a snapshot of this replica's own state is durable (C4).
	SnapshotTaken struct{ Snapshot Snapshot }
)

// The events of snapshot transfer (section 5).
type (
	// SnapshotDamaged reports that a snapshot of this replica's can no longer be read (F9).
	SnapshotDamaged struct{ Snapshot SnapshotID }
	// ChunkRead answers a ChunkWanted: the chunk was read from the disk and sent. If it is not OK,
	// this replica does not hold, or cannot read, the snapshot.
	ChunkRead struct {
		Chunk ChunkWanted
		OK    bool
	}
	// ChunksMissing answers the FetchStep that begins or resumes a transfer: these chunks are
	// missing. An error ends the transfer.
	ChunksMissing struct {
		Snapshot SnapshotID
		Missing  []uint32
		Err      error
	}
	// ChunkWritten answers the FetchStep of a chunk. If it is not OK the chunk is requested again.
	ChunkWritten struct {
		Snapshot SnapshotID
		Chunk    uint32
		OK       bool
	}
	// SnapshotReceived answers the FetchStep that completes a transfer: the snapshot is checked
	// and durable, and Clock is the Time of the last operation in it (C3). After an error the
	// transfer begins again.
	SnapshotReceived struct {
		Snapshot Snapshot
		Clock    int64
		Err      error
	}
)

func (*Receive) event()          {}
func (*Tick) event()             {}
func (*Refused) event()          {}
func (*Carried) event()          {}
func (*Dropped) event()          {}
func (*Propose) event()          {}
func (*Forget) event()           {}
func (*Read) event()             {}
func (*ForgetRead) event()       {}
func (*Handover) event()         {}
func (*CancelHandover) event()   {}
func (*Leave) event()            {}
func (*Saved) event()            {}
func (*DiskFull) event()         {}
func (*Loaded) event()           {}
func (*Compacted) event()        {}
func (*Applied) event()          {}
func (*SessionOpened) event()    {}
func (*FloorRaised) event()      {}
func (*SnapshotTaken) event()    {}
func (*SnapshotDamaged) event()  {}
func (*ChunkRead) event()        {}
func (*ChunksMissing) event()    {}
func (*ChunkWritten) event()     {}
func (*SnapshotReceived) event() {}

// Step reports to the replica that an event happened at now. It neither allocates for the event nor
// retains it: a caller may keep events on its stack and reuse them.
func (r *Replica) Step(now time.Time, e Event) {
	r.advance(now)
	switch e := e.(type) {
	case *Receive:
		r.receive(e.From, e.Header, e.Message)
	case *Tick:
		r.tick()
	case *Refused:
		r.refused(e)
	case *Carried:
		r.carried(e.To)
	case *Dropped:
		r.dropped(e.To)
	case *Propose:
		e.Number, e.Err = r.propose(e.Body)
	case *Forget:
		size := e.Size
		if e.Lost {
			size = unknownSize
		}
		r.forget(e.Request, size)
	case *Read:
		e.Number = r.read()
	case *ForgetRead:
		r.health.calls.forgotten(e.Read, r.now)
		r.forgetRead(e.Read)
	case *Handover:
		e.Begun = r.beginHandover(e.To)
	case *CancelHandover:
		r.cancelHandover()
	case *Leave:
		r.leave()
	default:
		r.performed(e)
	}
}

// performed handles the events that report work of the shell.
func (r *Replica) performed(e Event) {
	switch e := e.(type) {
	case *Saved:
		r.saved(e.Seq)
	case *DiskFull:
		r.setDiskFull(e.Full, e.Short)
	case *Loaded:
		r.loaded(e.Load, e.Entries)
	case *Compacted:
		r.logCompacted(e.First)
	case *Applied:
		r.appliedUpTo(e.Op)
	case *SessionOpened:
		r.sessionOpened(e.Session)
	case *FloorRaised:
		r.requests.tableFloor = max(r.requests.tableFloor, e.Floor)
	case *SnapshotTaken:
		r.snapshotTaken(e.Snapshot)
	case *SnapshotDamaged:
		r.snapshotDamaged(e.Snapshot)
	case *ChunkRead:
		r.chunkRead(e.Chunk, e.OK)
	case *ChunksMissing:
		r.chunksMissing(e.Snapshot, e.Missing, e.Err)
	case *ChunkWritten:
		r.chunkWritten(e.Snapshot, e.Chunk, e.OK)
	case *SnapshotReceived:
		r.snapshotReceived(e.Snapshot, e.Clock, e.Err)
	}
}
