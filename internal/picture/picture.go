// Package picture draws a recorded run of a simulated group as one HTML file that needs no network:
// a lane per replica and client, messages as arrows, what each replica was as bands in the colour
// of its view, faults, commits, and the violated invariant where it was found. It knows nothing of
// the simulator: who runs one fills in a Run, in any order, and Write draws it.
package picture

import "time"

// Run is what happened, in virtual time since the run's beginning.
type Run struct {
	Title    string   // what it is, in a line
	Failure  string   // what is wrong, in words; "" if none is
	Command  string   // repeats the run; "" if nothing does
	Schedule []string // the faults as they are written down, a line each
	Unit     string   // what a line of Schedule is, in the singular; "": a fault
	History  string   // slash-separated name, relative to the page, of porcupine's own view; "" if there is none

	Lanes    []Lane // from top to bottom: replicas, then clients
	Messages []Message
	Spans    []Span
	Cuts     []Cut
	Marks    []Mark
	States   []State
	End      time.Duration // of the run; it is no earlier than what began, was sent or arrived last
}

// Lane is who something happens to. Lanes are named by their index in Run.Lanes.
type Lane struct {
	Name   string
	Client bool // calls replicas, and is not one
}

// Everyone is the lane of a Mark that belongs to no lane: it stands across all of them.
const Everyone = -1

// Message is one copy of a message on its way from one lane to another.
type Message struct {
	From, To int
	Sent     time.Duration
	Arrived  time.Duration // or was lost, cut off or refused; not above Sent: it did not get far
	Kind     string        // as the protocol names it; colours and the choice of what to show go by it
	Text     string        // its contents, without the kind; may have several lines
	Fate     Fate
}

// Fate is what became of a message.
type Fate uint8

// The fates of messages.
const (
	Arrived  Fate = iota // the receiver took it in
	Lost                 // the network lost it
	CutOff               // the link was cut
	Refused              // it arrived where nobody was running
	UnderWay             // it was on its way when the run ended
)

// Span is what a lane was for some time. Spans of a replica are what it is in the protocol and what
// ails it, any number at once; where it is paused or down, the page shows that in place of its role.
// Spans of a client are calls.
type Span struct {
	Lane     int
	From, To time.Duration // To below From: until the end of the run
	Kind     SpanKind
	View     uint64 // for what a replica is in the protocol: colours the band
	Text     string // "" for none
}

// SpanKind is what a lane was. A kind that is not listed here is drawn too, in grey.
type SpanKind string

// The kinds of spans.
const (
	Forming    SpanKind = "forming"
	Recovering SpanKind = "recovering"
	Backup     SpanKind = "backup"
	Primary    SpanKind = "primary"
	ViewChange SpanKind = "view change"

	Down     SpanKind = "down"
	Paused   SpanKind = "paused"
	DiskSlow SpanKind = "disk slow"
	DiskFull SpanKind = "disk full"

	Answered   SpanKind = "answered"    // a call that had its answer
	NotApplied SpanKind = "not applied" // a call that had no effect, and said so
	Unknown    SpanKind = "unknown"     // a call that ended without an outcome
	Open       SpanKind = "open"        // a call under way when the run ended
)

// Cut is a time in which nothing got from one lane to another. A partition is several of them.
type Cut struct {
	From, To     int           // lanes
	Since, Until time.Duration // Until below Since: until the end of the run
}

// Mark is something that happened at one moment.
type Mark struct {
	Lane int // or Everyone
	At   time.Duration
	Kind MarkKind
	Text string
}

// MarkKind is the kind of thing that happened. A kind that is not listed here is drawn as a Note.
type MarkKind string

// The kinds of marks.
const (
	Violation MarkKind = "violation" // an invariant did not hold; the page opens there
	Fault     MarkKind = "fault"     // something that was done to the group
	Commit    MarkKind = "commit"    // a replica knew ops to be committed
	Saved     MarkKind = "saved"     // a replica's disk had something durable
	Snapshot  MarkKind = "snapshot"  // a replica had taken a snapshot
	Restored  MarkKind = "restored"  // a replica had put a snapshot in place of its state
	Note      MarkKind = "note"      // anything else
)

// State is what a replica held from At on, up to its next State: shown where one points. Words that
// differ from those of the state before are pointed out, so "name=value" words serve best.
type State struct {
	Lane int
	At   time.Duration
	Text string
}
