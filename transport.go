package smr

import (
	"errors"
	"fmt"
	"math"

	"github.com/hashicorp/go-hclog"
)

// Transport carries messages between the members of a group. It may lose, repeat, delay and reorder
// messages. It should not corrupt them; replicas detect and drop a corrupted message. An
// implementation can be tested with smrtest/conform.TestTransport.
type Transport interface {
	// Open starts carrying messages. The replica calls it once, before any Send. After an error the
	// replica does not start, and does not call the Transport again.
	Open(e Endpoint) error
	// Send sends msg to a member. It must not block: a message that cannot be sent soon is dropped,
	// and queues are bounded. It must not change msg, which other calls of Send may share, but may
	// keep it. Send may be called concurrently. After Close it does nothing.
	Send(to ID, msg []byte)
	// Close stops the Transport. After it has returned, no goroutine of the Transport is left and
	// Receive is not called again.
	Close() error
}

// Endpoint describes to a Transport the replica that it serves.
type Endpoint struct {
	// ID is the ID of the replica.
	ID ID
	// Addr returns the present address of a member, or "" if the member has none or id is not a
	// member's. It may be called concurrently.
	Addr func(id ID) string
	// MaxMessage is the size of the largest message in bytes. A Transport must refuse a larger one
	// before it allocates memory for it.
	MaxMessage int
	// Hello returns a greeting, which a Transport sends first on every new connection. Check returns
	// nil if the replica may talk to a member that sent this greeting. Otherwise the Transport sends
	// the error's text to the other side, both sides log it, and the connection is closed. Both may
	// be called concurrently, and may be nil. A Transport without connections need not call them:
	// every message carries all that safety requires.
	Hello func() []byte
	Check func(from ID, hello []byte) error
	// Receive hands a message over to the replica, which owns msg afterwards. from is the member that
	// sent it, as far as the Transport can establish that. Receive does not block, and may be called
	// concurrently.
	Receive func(from ID, msg []byte)
	// Logger receives the log of the Transport. It is not nil.
	Logger hclog.Logger
}

// check returns the reason why a Transport cannot serve the Endpoint, or nil. The Open of each
// Transport calls it.
func (e *Endpoint) check() error {
	switch {
	case len(e.ID) == 0 || len(e.ID) > maxID:
		return fmt.Errorf("smr: Endpoint.ID %q has %d bytes: it must have 1 to %d", e.ID, len(e.ID), maxID)
	case e.Receive == nil || e.Addr == nil:
		return errors.New("smr: Endpoint.Receive and Endpoint.Addr must be set")
	case e.MaxMessage <= 0 || e.MaxMessage > math.MaxInt32:
		return fmt.Errorf("smr: Endpoint.MaxMessage is %d: it must be 1 to %d", e.MaxMessage, math.MaxInt32)
	}
	return nil
}
