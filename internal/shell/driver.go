package shell

import (
	"github.com/hashicorp/go-hclog"

	"github.com/smr-go/smr/internal/store"
	"github.com/smr-go/smr/internal/vsr"
)

// Driver runs a shell's steps and carries their results. The loop alone calls the methods under "From the loop". Any
// part or background task calls the others, concurrently if the driver runs them concurrently.
type Driver interface {
	// From the loop.

	// Write, Apply and Fetch queue work for a part. The driver calls Add of that part, in order.
	Write(Write)
	Fetch(vsr.FetchStep)
	// Turned reports the core's state at the end of a turn, before callers receive their outcomes. The state
	// is valid until the next turn.
	Turned(*vsr.State)

	// From any part.

	Apply(Job)
	// Tell queues an input for the loop.
	Tell(Input)
	// Send sends a message to each of the members in p.To.
	Send(p Packet)
	// Background runs do once, soon.
	Background(task Task, do func())
	// Note reports something that an operator should know. The replica goes on.
	Note(Note)
	// Fail stops the replica because of err. The first call counts.
	Fail(err error)
	// Stopping reports whether the replica stops, so that work which can be left is left.
	Stopping() bool
}

// Task is a kind of background work.
type Task uint8

// The kinds of background work.
const (
	LoadEntries     Task = iota // read entries of the log
	ReadChunk                   // read a chunk of a snapshot and send it
	WriteSnapshot               // write a frozen state
	ReleaseSnapshot             // stop keeping a snapshot, which may delete its file
	TryAgain                    // FullRetry later: what failed because the system was short of something
)

// Packet is a message on its way out: encoded once, for all its receivers.
type Packet struct {
	To      []vsr.Index // valid during the call only
	Header  vsr.Header
	Message vsr.Message
	Bytes   []byte // the encoding of both; must not be changed
}

// Note is something that an operator should know.
type Note struct {
	Level hclog.Level
	Text  string
	Args  []any // pairs of key and value, as hclog has them
	Err   error // nil if the note reports no error
}

// Input is one thing for the loop to handle. Exactly one of the exported fields is set. Shell.Receive and
// Shell.Propose return the inputs of messages and proposals.
type Input struct {
	Receive vsr.Receive // set if its Message is; within the queue, since most inputs are messages
	Event   vsr.Event
	Applied *Applied
	Call    *Call // a new proposal
	Read    *Read // a new read
	Do      func(l *Loop)

	size int // bytes of a message or proposal that leave the door when the loop handles it
}

// Observer observes what a shell does, to judge or to record it. It changes nothing. The part that performs a
// step calls it within that step.
type Observer interface {
	// Ready receives the output of a turn before any part of it is performed. The output is valid during the
	// call.
	Ready(out *vsr.Output)
	// InParts reports a large message. Send receives its parts.
	InParts(p Packet)
	// Saved reports that saves are durable; the core does not know it yet.
	Saved(saves []*vsr.Save)
	// Marked reports that the idle log has written its mark (S5).
	Marked()
	// Compacted reports that the log was compacted and begins with op first.
	Compacted(c vsr.Compact, first vsr.OpNumber)
	// Loaded reports how many entries were read for l.
	Loaded(l vsr.Load, entries []vsr.Entry)
	// Applied reports that an entry was applied; executed is false if its request had taken effect before, or
	// is below the floor (X2). s is the state after it.
	Applied(e *vsr.Entry, executed bool, result []byte, s *store.State)
	// Restored reports that the state machine was restored from the snapshot whose last entry is s.Last.
	Restored(s *store.State)
	// SnapshotWritten reports that a frozen state was written, or why it was not.
	SnapshotWritten(f *Frozen, err error)
	// SnapshotReceived reports that a snapshot from another member is complete and durable.
	SnapshotReceived(s vsr.Snapshot)
}
