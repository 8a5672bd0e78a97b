package vsr

// Header is sent with every message. It identifies the sender's group, epoch, incarnation and start
// (S4).
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
	// Prepare carries the entries that follow Prev (N2). Without entries it asks where the backup's
	// log stands.
	Prepare struct {
		View    View
		Prev    Viewstamp
		Commit  OpNumber
		Entries []Entry
	}
	// PrepareOK acknowledges that every entry up to Op is durable and agrees with the log of View's
	// primary (N3).
	PrepareOK struct {
		View View
		Op   OpNumber
	}
	// Gap answers a Prepare that does not follow on from the log: Last is where the log stands, at
	// or below the op before the rejected entries (N3). If View is above the Prepare's view, Gap
	// only reports that view.
	Gap struct {
		View View
		Prev OpNumber  // of the rejected Prepare
		Last Viewstamp // the log's entry at Prev, or its last if that is lower
	}
	// Commit is the heartbeat (N5, N6).
	Commit struct {
		View   View
		Commit OpNumber
		Round  Round
		Keep   OpNumber // a slow replica needs the entries above it (N9)

		Withdrawn    uint64         // the sender's own votes up to this number are withdrawn (V1)
		Acknowledged []Acknowledged // by member, as far as the sender knows; nil if it knows nothing (S6)
		Reports      []Report       // by member, as the sender sees it
	}
	// CommitOK answers a Commit with its round and the last op checked in this view (N6). It
	// acknowledges no entry.
	CommitOK struct {
		View    View
		Round   Round
		Op      OpNumber
		Applied OpNumber // last op that the sender's state machine has applied
		Full    bool     // the sender's disk has no space (F13)
		Problem string   // of the sender itself, at most MaxProblem bytes; "" if it has none
	}
)

// The messages of view changes (section 4).
type (
	// StartViewChange is a vote to leave View (V1). The vote of View's own primary is sufficient on
	// its own, and Next, if above View, is the view to enter (V2).
	StartViewChange struct {
		View    View
		Next    View
		Vote    uint64   // number of the vote, which rises with each that a process gives; a repetition has the same
		Stalled OpNumber // highest op for which a view is known to have ended because it was not committed
	}
	// DoViewChange describes, to the primary of View, the log with which the sender entered View
	// (V5).
	DoViewChange struct {
		View     View
		Last     Viewstamp // last entry of the log
		Commit   OpNumber
		First    OpNumber // first op in the log
		Snapshot OpNumber // last op of the latest snapshot
		Stalled  OpNumber // as in StartViewChange
		Full     bool     // the sender's disk has no space (F13)

		Acknowledged []Acknowledged // as in Commit
	}
	// GetState asks the owner of the best log for the entries after Prev, up to Best (V6).
	GetState struct {
		View View
		Best Viewstamp
		Prev Viewstamp
	}
	// NewState answers a GetState. Prev may lie below the one in the question. Gone reports that
	// the owner no longer has the entries.
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
	// Question is sent by a replica that belongs to no group (S1, S2). Nonce is fresh in every run.
	Question struct {
		Nonce uint64
		List  string // the sender's configuration: IDs, roles, order, quorums
	}
	// Answer answers a Question.
	Answer struct {
		Nonce     uint64
		Group     GroupID // that the sender belongs to, or knows to be confirmed; zero: none
		Confirmed bool    // all members have confirmed Group
		Named     bool    // the sender belongs to Group, and its list names the incarnation that sent the Question
		List      string  // the sender's configuration, if it differs from the one in the Question
	}
	// Outdated reports the highest start number known of the receiver's incarnation, and, if the
	// receiver's log has shown that it lost its memory, the viewstamp that it has acknowledged (S6).
	Outdated struct {
		Start        uint64
		Acknowledged Viewstamp // zero: no loss is known
	}
)

// The messages of requests and reads (sections 8 and 9).
type (
	// Request forwards proposals to the primary of View. Header.Start and Attempt identify the
	// attempt, which is accepted or rejected at most once in a view (X4).
	Request struct {
		View     View
		Attempt  uint64
		Op       OpNumber // last op checked in View, as in CommitOK
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
	// Reply rejects the requests of an attempt that are numbered From or higher (X4).
	Reply struct {
		View       View
		Start      uint64 // of the process that sent the Request
		Attempt    uint64
		From       uint64
		Accepted   uint64 // the highest attempt before this one that was accepted; 0: none was
		Overloaded bool   // rejected because the window is full
		Full       bool   // rejected because too few members have space (F13); if neither, because View is over
	}
	// ReadRound asks the primary for the op that a linearizable read must see (R1).
	ReadRound struct {
		View View
		Read uint64
		Op   OpNumber // last op checked in View, as in CommitOK
	}
	// ReadRoundOK answers a ReadRound.
	ReadRoundOK struct {
		View  View
		Start uint64 // of the process that sent the ReadRound
		Read  uint64
		Op    OpNumber
	}
)

// The messages of snapshot transfer (section 5).
type (
	// SnapshotOffer offers a snapshot to a backup that needs entries which the primary's log no
	// longer holds (C1).
	SnapshotOffer struct {
		View     View
		First    OpNumber // first op in the primary's log
		Snapshot Snapshot
	}
	// GetChunk requests a chunk of a snapshot from any member that may hold it (C2).
	GetChunk struct {
		Snapshot SnapshotID
		Chunk    uint32
	}
	// SnapshotChunk answers a GetChunk. Empty Data reports that the sender does not hold the
	// snapshot.
	SnapshotChunk struct {
		Snapshot SnapshotID
		Chunk    uint32
		Data     []byte
	}
)

// The messages by which a large message travels in parts (C5). The shell sends and handles them; to the core they show
// that their sender is heard, and that what it sends makes progress.
type (
	// Part carries a part of a large message, which is encoded. The parts of the messages to one receiver form a stream.
	Part struct {
		Stream uint64 // number of the stream from this process to the receiver; it rises
		Number uint64 // of the part in the stream, from 0
		Last   bool   // the message ends with it
		Data   []byte
	}
	// PartOK answers Parts.
	PartOK struct {
		Start   uint64 // of the process that sent the Part
		Stream  uint64
		Arrived uint64 // number of parts of the stream that have arrived without a gap
	}
)

// Relay is a message of one member to another that a third passes on, because the link between the
// two is cut. The relay changes nothing but its own header.
type Relay struct {
	From, To Index
	Unheard  bool    // From does not hear To without a relay
	Sender   Header  // of the message itself; the relay fills it in
	Message  Message // of a kind that may go through a relay
}
