package sim

import (
	"time"

	"github.com/smr-go/smr/internal/vsr"
)

// Fault is one thing that goes wrong, or that an operator does. A run's faults are all of this
// kind, whether chance chose them or a schedule says so: the same faults make the same run.
type Fault struct {
	At    time.Duration // virtual time: when it happens, or from when on its moment is waited for
	After *Aim          // nil: it happens at At
	Kind  Kind
	Host  int           // whom it befalls
	To    int           // the other one, of those kinds that have one
	For   time.Duration // how long; 0: until the kind that ends it, or the end of all faults
	N     int64         // see the kind
	Seed  uint64        // of what chance does in it
}

// Aim is a moment that a fault waits for: right after the Nth thing of its kind that Host does from
// the fault's time on.
type Aim struct {
	Host    int
	When    Moment
	Message MessageKind // of Sent and Received
	Nth     int         // from 1
}

// Moment is a kind of thing that a replica does.
type Moment uint8

// The moments.
const (
	Sent     Moment = iota // a message went to one of those it is for
	Received               // a message came in
	Issued                 // a save was issued
	Saved                  // a save became durable; the core has not heard of it
	Alone                  // likewise, and no other disk holds the log's last entry
	Led                    // it has become primary
	Changes                // its view change has begun
	Applied                // it has applied operations
	moments
)

var momentNames = [moments]string{"sent", "received", "issued", "saved", "alone", "led", "changes", "applied"}

func (m Moment) String() string { return momentNames[m] }

// Kind is a kind of fault.
type Kind uint8

// The kinds of faults.
const (
	noFault             Kind = iota
	Crash                    // as SIGKILL does; N > 0: again at the Nth change of the disk when it starts
	PowerCut                 // what is not synced survives in pieces; N as of Crash
	CrashIn                  // the machine, or its process alone, goes down at the Nth change of its disk from now on
	Start                    // it starts, if it is down
	Stop                     // it leaves in order, as Close does, and goes down after 10 ms
	Pause                    // its process stands still
	Resume                   // ends Pause and Suspend
	Suspend                  // its machine does, and its monotonic clock with it
	SlowTurns                // its loop takes up to N ns for each turn; 0: as usual
	Isolate                  // all links to and from it are cut
	Deafen                   // all links to it are cut
	Join                     // ends Isolate and Deafen
	Cut                      // the link from Host to To is cut
	Mend                     // ends Cut
	Split                    // links between those whose bit in N is set and the others are cut
	SplitOneWay              // those from the former to the latter are
	Bridge                   // Split, but Host reaches all
	Ring                     // each reaches its neighbours in the list only
	SlowLink                 // the link from Host to To takes N ns more; 0: it does no longer
	LossyLink                // it loses N of 1,000 messages; 0: likewise
	ClockJump                // its wall clock jumps by N ns
	SlowDisk                 // saves take up to N ns more; 0: likewise
	FullDisk                 // its disk has N bytes left
	Space                    // ends FullDisk
	FailSync                 // the Nth sync from now on fails (F12)
	FailReads                // reads fail (F11)
	FailWrites               // all that changes the disk fails (F14)
	RotLog                   // a bit of op N in its log is flipped (F6)
	RotHead                  // a bit of copy N (0 or 1) of its head is flipped (F8)
	RotSnapshot              // a bit of its latest snapshot is flipped (F9)
	LostInLog                // the write that brought op N to its log is not there after all (F10)
	LostInHead               // nor the one before the last of its head: that copy is as it was before
	LostInSnapshot           // nor one of its latest snapshot
	MisplacedInLog           // another write of the log lies in the place of the one that brought op N (F10)
	MisplacedInSnapshot      // a chunk of its latest snapshot lies in the place of another
	StrayWrite               // a copy of an earlier write lies behind its log's end, where nothing counts yet
	Wipe                     // its disk is empty (F16)
	ForeignStart             // To, or if that is Host one of its name in another group, is started on its directory (F17)
	SecondStart              // it is started once more, while it runs (F18)
	HandOver                 // it is asked to hand over to To; -1: to any; For: then the caller gives up
	kinds
)

var kindNames = [kinds]string{"", "crash", "power-cut", "crash-in", "start", "stop", "pause", "resume", "suspend", "slow-turns",
	"isolate", "deafen", "join", "cut", "mend", "split", "split-one-way", "bridge", "ring", "slow-link", "lossy-link",
	"clock-jump", "slow-disk", "full-disk", "space", "fail-sync", "fail-reads", "fail-writes",
	"rot-log", "rot-head", "rot-snapshot", "lost-in-log", "lost-in-head", "lost-in-snapshot",
	"misplaced-in-log", "misplaced-in-snapshot", "stray-write", "wipe", "foreign-start", "second-start", "hand-over"}

func (k Kind) String() string { return kindNames[k] }

// hasTo reports whether the kind befalls two.
func (k Kind) hasTo() bool {
	switch k {
	case Cut, Mend, SlowLink, LossyLink, ForeignStart, HandOver:
		return true
	}
	return false
}

// ofAll reports whether the kind befalls all, and names no host.
func (k Kind) ofAll() bool {
	switch k {
	case Split, SplitOneWay, Ring:
		return true
	}
	return false
}

// LosesMemory reports whether the kind may take from a member what it has acknowledged.
func (k Kind) LosesMemory() bool {
	switch k {
	case RotLog, RotHead, RotSnapshot, LostInLog, LostInSnapshot, MisplacedInLog, MisplacedInSnapshot, Wipe:
		return true
	}
	return false
}

// MessageKind is a kind of message.
type MessageKind uint8

// messageNames are the kinds of messages, by number; 0 is none.
var messageNames = [...]string{"", "Prepare", "PrepareOK", "Gap", "Commit", "CommitOK", "StartViewChange", "DoViewChange",
	"GetState", "NewState", "Question", "Answer", "Outdated", "Request", "Reply", "ReadRound", "ReadRoundOK",
	"SnapshotOffer", "GetChunk", "SnapshotChunk"}

func (k MessageKind) String() string { return messageNames[k] }

// MessageNamed returns the kind of that name, 0 if there is none.
func MessageNamed(name string) MessageKind {
	for i, n := range messageNames {
		if n == name {
			return MessageKind(i)
		}
	}
	return 0
}

// kindOf returns a message's kind.
func kindOf(m vsr.Message) MessageKind {
	switch m.(type) {
	case *vsr.Prepare:
		return 1
	case *vsr.PrepareOK:
		return 2
	case *vsr.Gap:
		return 3
	case *vsr.Commit:
		return 4
	case *vsr.CommitOK:
		return 5
	case *vsr.StartViewChange:
		return 6
	case *vsr.DoViewChange:
		return 7
	case *vsr.GetState:
		return 8
	case *vsr.NewState:
		return 9
	case *vsr.Question:
		return 10
	case *vsr.Answer:
		return 11
	case *vsr.Outdated:
		return 12
	case *vsr.Request:
		return 13
	case *vsr.Reply:
		return 14
	case *vsr.ReadRound:
		return 15
	case *vsr.ReadRoundOK:
		return 16
	case *vsr.SnapshotOffer:
		return 17
	case *vsr.GetChunk:
		return 18
	case *vsr.SnapshotChunk:
		return 19
	}
	return 0
}
