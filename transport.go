package smr

import (
	"errors"
	"fmt"
	"math"

	"github.com/hashicorp/go-hclog"
)

// Transport carries messages between the members of a group. It may lose, repeat, delay and
// reorder messages, and should not corrupt them: what is corrupted is noticed and dropped. An
// implementation can be tested with smrtest/conform.TestTransport.
type Transport interface {
	// Open starts carrying messages. smr calls it once, before any Send.
	Open(e Endpoint) error
	// Send sends msg to the member. It does not block: what cannot be sent soon is dropped, and
	// queues are bounded. msg is shared with other Sends and must not be changed. Send may be
	// called concurrently, and after Close, when it does nothing.
	Send(to ID, msg []byte)
	// Close stops. When it has returned, Receive is not called again and no goroutine is left.
	Close() error
}

// Endpoint is what a Transport must know of the replica that it serves.
type Endpoint struct {
	ID ID
	// Addr returns a member's present address, "" if there is none.
	Addr func(id ID) string
	// MaxMessage is the size of the largest message in bytes. A larger one is refused before
	// memory is taken for it.
	MaxMessage int
	// Hello returns a greeting to be sent first on every new connection, and Check says whether
	// to talk to a member that greeted so; its error is the reason, to be told to the other side
	// and logged on both. A Transport without connections may leave both out: every message
	// carries what safety needs.
	Hello func() []byte
	Check func(from ID, hello []byte) error
	// Receive takes a message. It returns at once, may be called concurrently, and owns msg from
	// then on. from is who the message is known to be from.
	Receive func(from ID, msg []byte)
	// Logger is never nil.
	Logger hclog.Logger
}

// check says what is wrong with an Endpoint, for a Transport's Open.
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
