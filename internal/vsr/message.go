package vsr

// Header goes with every message: who sends, out of which memory, in which epoch (S4).
type Header struct {
	Group       GroupID
	Epoch       Epoch
	Incarnation Incarnation
	Start       uint64 // the sender's start number
}

// Message is one of the messages below.
type Message interface{ kind() MessageKind }

// The messages of normal operation (section 3).
type (
	// Prepare carries entries that follow Prev (N2). Without entries it asks where the log stands.
	Prepare struct {
		View    View
		Prev    Viewstamp
		Commit  OpNumber
		Entries []Entry
	}
	// PrepareOK says that every entry up to Op is durable and agrees with view's primary (N3).
	PrepareOK struct {
		View View
		Op   OpNumber
	}
	// Gap answers a Prepare that does not follow on: where the log stands at or below the op
	// before the refused entries (N3). In a view above the Prepare's it only names the view.
	Gap struct {
		View View
		Prev OpNumber  // of the Prepare that was refused
		Last Viewstamp // the log's entry at Prev, or its last if that is lower
	}
	// Commit is the heartbeat (N5, N6).
	Commit struct {
		View   View
		Commit OpNumber
		Round  Round
		Keep   OpNumber // entries above it are still needed by a slow replica (N9)
	}
	// CommitOK answers a Commit with its round and the last op checked in this view (N6); it
	// acknowledges no entry.
	CommitOK struct {
		View  View
		Round Round
		Op    OpNumber
	}
)

// The messages of view changes (section 4).
type (
	// StartViewChange votes to leave View (V1). From View's own primary it is proof enough, and
	// Next, if above View, is the view to enter (V2).
	StartViewChange struct {
		View View
		Next View
	}
	// DoViewChange tells View's primary what log the sender entered it with (V5).
	DoViewChange struct {
		View     View
		Last     Viewstamp // last entry of the log
		Commit   OpNumber
		First    OpNumber // first op that the log holds
		Snapshot OpNumber // last op of the latest snapshot
	}
	// GetState asks the owner of the best log for what follows Prev, up to Best (V6).
	GetState struct {
		View View
		Best Viewstamp
		Prev Viewstamp
	}
	// NewState answers GetState; Prev may lie below the one asked for. Gone says that the owner
	// no longer has the entries needed.
	NewState struct {
		View    View
		Best    Viewstamp
		Prev    Viewstamp
		Gone    bool
		Entries []Entry
	}
)

// The messages of formation (section 6).
type (
	// Question is asked by a replica that holds nothing (S1, S2). Nonce is fresh in every run.
	Question struct {
		Nonce uint64
		List  string // the asker's configuration: ids, roles, order, quorums
	}
	// Answer answers a Question.
	Answer struct {
		Nonce  uint64
		Exists bool   // the sender holds a group: Header.Group
		Named  bool   // that group's list names the asker's incarnation
		List   string // set if it differs from the asker's: a refusal
	}
	// Outdated tells a replica the highest start number known of its incarnation (S6).
	Outdated struct {
		Start uint64
	}
)

// The messages of requests and reads (sections 8 and 9).
type (
	// Request forwards proposals to the primary of View. Header.Start and Attempt identify the
	// attempt, which is taken or refused once in a view (X4).
	Request struct {
		View     View
		Attempt  uint64
		Requests []Proposal
	}
	// Proposal is one request of a session.
	Proposal struct {
		Session uint64
		Request uint64
		Floor   uint64
		Kind    Kind
		Body    []byte
	}
	// Reply refuses the requests of an attempt that are numbered From or higher (X4).
	Reply struct {
		View       View
		Start      uint64 // of the asker
		Attempt    uint64
		From       uint64
		Overloaded bool // refused because the window is full; else because View is over
	}
	// ReadRound asks the primary for an op that a linearizable read must see (R1).
	ReadRound struct {
		View View
		Read uint64
	}
	// ReadRoundOK answers it.
	ReadRoundOK struct {
		View  View
		Start uint64 // of the asker
		Read  uint64
		Op    OpNumber
	}
)

// The messages of snapshot transfer (section 5).
type (
	// SnapshotOffer tells a backup that it needs a snapshot, and which the primary has.
	SnapshotOffer struct {
		View     View
		First    OpNumber // the primary's log holds entries from here on
		Snapshot Snapshot
	}
	// GetChunk asks for one chunk of a snapshot of whoever holds it (C2).
	GetChunk struct {
		Snapshot SnapshotID
		Chunk    uint32
	}
	// SnapshotChunk answers it; empty Data says that the sender does not hold that snapshot.
	SnapshotChunk struct {
		Snapshot SnapshotID
		Chunk    uint32
		Data     []byte
	}
)
