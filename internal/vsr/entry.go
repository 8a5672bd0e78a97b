package vsr

import "fmt"

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

// MaxBody is the size in bytes of the largest body of an entry. What a log may hold can be sent, by any
// member to any other (N3): the limits of messages follow from MaxBody and MaxBatch, and from nothing
// that is configured. Every queue has room for MaxInFlight bytes and a message with the largest body.
const MaxBody = 32 << 20

const _ uint = MaxBody - MaxBatch // the largest message holds one entry

// entryOverhead is the number of bytes that an entry counts in limits, in addition to its body.
const entryOverhead = 64

func (e *Entry) size() int64 { return int64(len(e.Body)) + entryOverhead }

// Check returns an error if no log can hold the entry, whatever lies before it. The same check serves
// an entry when it is made, when it is received and when it is read back (N3): what a primary saves,
// every member takes. It depends on nothing that is configured or applied.
func (e *Entry) Check() error {
	switch {
	case len(e.Body) > MaxBody:
		return fmt.Errorf("entry %v: its body has %d bytes; the limit is %d", e.Stamp(), len(e.Body), MaxBody)
	case e.Op == 0 || e.Epoch == 0:
		return fmt.Errorf("entry %v: ops and epochs begin at 1", e.Stamp())
	case e.Session >= uint64(e.Op):
		return fmt.Errorf("entry %v: session %d was not opened before it", e.Stamp(), e.Session)
	case (e.Kind == Formation) != (e.Op == 1):
		return fmt.Errorf("entry %v: kind %d, but op 1 and no other is the formation", e.Stamp(), e.Kind)
	}
	switch e.Kind {
	case Command, Opening:
		return nil
	case Formation:
		if _, err := DecodeMembership(e.Body); err != nil {
			return fmt.Errorf("entry %v: %w", e.Stamp(), err)
		}
		return nil
	case OpenSession:
		if _, _, _, ok := cutSession(e.Body); !ok {
			return fmt.Errorf("entry %v: its body names no process that opens a session", e.Stamp())
		}
		return nil
	}
	return fmt.Errorf("entry %v: unknown kind %d", e.Stamp(), e.Kind)
}
