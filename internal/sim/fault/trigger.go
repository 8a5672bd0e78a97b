package fault

import "github.com/smr-go/smr/internal/vsr"

// Trigger is the moment that a fault waits for: right after the Nth event of its kind at Host, from
// the fault's time on.
type Trigger struct {
	Host    int
	When    Moment
	Message vsr.MessageKind // for Sent and Received; 0: any
	Nth     int             // from 1
}

// Matches reports whether an event has the trigger's host, moment and message.
func (t *Trigger) Matches(host int, when Moment, m vsr.MessageKind) bool {
	return t.Host == host && t.When == when && (t.Message == 0 || t.Message == m)
}

// Moment is a kind of event at a replica.
type Moment uint8

// The moments.
const (
	Sent     Moment = iota // a message was sent to one of its receivers
	Received               // a message arrived
	Issued                 // a save was issued
	Saved                  // a save became durable, and the core does not know it yet
	Alone                  // a save became durable, and no other disk holds the log's last entry
	Led                    // the replica became primary
	Changes                // its view change began
	Applied                // it applied operations
	Moments                // the number of moments
)

var momentNames = [Moments]string{"sent", "received", "issued", "saved", "alone", "led", "changes", "applied"}

func (m Moment) String() string { return momentNames[m] }
