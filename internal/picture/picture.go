// Package picture draws a recorded run of a simulated group as one HTML file that needs no network: a lane for each
// replica and client, messages as arrows, the roles of replicas as bands in the colour of their view, faults, commits,
// and the violated invariant where it was found. It does not depend on the simulator: a simulator fills in a Run, in
// any order, and Write draws it.
package picture

import (
	"embed"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"io/fs"
	"strings"
	"time"
)

// Run holds the events of a run. Times are virtual, from the beginning of the run.
type Run struct {
	Title    string   // one line
	Failure  string   // the violation; "" if the run passed
	Command  string   // the command that repeats the run; "" if there is no such command
	Schedule []string // the faults, one a line
	Unit     string   // the singular noun for a line of Schedule; "": fault
	History  string   // slash-separated name, relative to the page, of porcupine's drawing; "": no drawing

	Lanes    []Lane // from top to bottom: replicas, then clients
	Messages []Message
	Spans    []Span
	Cuts     []Cut
	Marks    []Mark
	States   []State
	Ops      []Op          // of the log, in its order
	End      time.Duration // the end of the run; the last event if that is later
}

// Lane is a replica or a client. Its index in Run.Lanes identifies it.
type Lane struct {
	Name   string
	Client bool // not a replica
}

// Everyone is the lane of a Mark that stands across all lanes.
const Everyone = -1

// Message is one copy of a message from one lane to another.
type Message struct {
	From, To int
	Sent     time.Duration
	Arrived  time.Duration // when it arrived, or was lost, cut off or refused; not above Sent: at once
	Kind     string        // the protocol's name for it, which determines its colour
	Text     string        // its contents without the kind; may have several lines
	Fate     Fate
}

// Fate is the way in which a message ended.
type Fate uint8

// The fates of messages.
const (
	Arrived  Fate = iota // the receiver processed it
	Lost                 // the network lost it
	CutOff               // the link was cut
	Refused              // the receiver was down
	UnderWay             // it had not arrived when the run ended
)

// Span is a condition of a lane that lasts for some time. Spans of a replica are its roles in the protocol and its
// ailments, any number at once; the page shows Paused and Down in place of the role. Spans of a client are calls.
type Span struct {
	Lane     int
	From, To time.Duration // To below From: until the end of the run
	Kind     SpanKind
	View     uint64 // of a role in the protocol; determines the band's colour
	Text     string // may be empty
}

// SpanKind is a kind of Span. The page draws other kinds than those listed here in grey.
type SpanKind string

// The kinds of spans.
const (
	Forming    SpanKind = "forming"
	Outside    SpanKind = "outside"
	Backup     SpanKind = "backup"
	Primary    SpanKind = "primary"
	ViewChange SpanKind = "view change"

	Down     SpanKind = "down"
	Paused   SpanKind = "paused"
	DiskSlow SpanKind = "disk slow"
	DiskFull SpanKind = "disk full"

	Answered   SpanKind = "answered"    // a call that returned a result
	NotApplied SpanKind = "not applied" // a call that returned that it had no effect
	Unknown    SpanKind = "unknown"     // a call that ended without a known outcome
	Open       SpanKind = "open"        // a call that had not ended when the run did
)

// Cut is a time in which no messages pass from one lane to another. A partition is several Cuts.
type Cut struct {
	From, To     int           // lanes
	Since, Until time.Duration // Until below Since: until the end of the run
}

// Mark is an event at one moment.
type Mark struct {
	Lane int // or Everyone
	At   time.Duration
	Kind MarkKind
	Text string
}

// MarkKind is a kind of Mark. The page draws other kinds than those listed here as a Note.
type MarkKind string

// The kinds of marks.
const (
	Violation MarkKind = "violation" // an invariant did not hold; the page opens there
	Fault     MarkKind = "fault"     // a fault, or an action of an operator
	Commit    MarkKind = "commit"    // a replica's commit number rose
	Saved     MarkKind = "saved"     // a save became durable
	Snapshot  MarkKind = "snapshot"  // a replica took a snapshot
	Restored  MarkKind = "restored"  // a replica replaced its state by a snapshot
	Note      MarkKind = "note"      // any other event
)

// State describes a replica's state from At until its next State. The page shows the states at the time under the
// pointer, and highlights words that differ from the State before, so words of the form "name=value" are best.
type State struct {
	Lane int
	At   time.Duration
	Text string
}

// Op is an operation of the log, with the state machine's state before and after it.
type Op struct {
	Number        uint64
	At            time.Duration // when it was first known to be committed
	Text          string        // the operation in words
	Result        string
	Before, After string // "": unknown
}

//go:embed page
var page embed.FS

// scripts are the parts of the page's script. Each part uses only those before it when it is loaded.
var scripts = []string{"data", "kinds", "colours", "scale", "view", "axis", "bands", "network", "crowds", "arrows", "marks", "overview", "draw",
	"point", "details", "list", "ops", "legend", "input", "main"}

// Write writes the page of a run. Equal runs give equal bytes. If r has a lane or a time that does not exist,
// Write returns an error and writes nothing.
func Write(w io.Writer, r *Run) error {
	if r.History != "" && !fs.ValidPath(r.History) {
		return fmt.Errorf("picture: History is %q; it must be a relative, slash-separated name", r.History)
	}
	document, err := encode(r)
	if err != nil {
		return fmt.Errorf("picture: %w", err)
	}
	data, err := json.Marshal(document) // writes <, > and & as \u003c …: no text of a message ends the script
	if err != nil {
		return fmt.Errorf("picture: %w", err)
	}
	return assemble(w, r.Title, data)
}

// assemble replaces the places in the page's frame by its parts, in one pass, so that no text of a run can
// be taken for such a place.
func assemble(w io.Writer, title string, data []byte) error {
	var script strings.Builder
	for _, name := range scripts {
		script.WriteString(part(name + ".js"))
	}
	places := strings.NewReplacer("{{title}}", html.EscapeString(title), "{{style}}", part("style.css"), "{{data}}", string(data), "{{script}}", script.String())
	_, err := places.WriteString(w, part("frame.html"))
	return err
}

// part returns a file of the page. It panics if the file does not exist, which tests exclude.
func part(name string) string {
	text, err := page.ReadFile("page/" + name)
	if err != nil {
		panic(err)
	}
	return string(text)
}
