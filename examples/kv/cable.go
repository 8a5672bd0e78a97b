package main

import (
	"sync/atomic"

	"github.com/smr-go/smr"
)

// cable is a Transport that can be pulled out. After that no message passes in either direction, so the
// machine looks dead to the other replicas. Closing the replica would be different: it would hand its
// role over first.
type cable struct {
	smr.Transport
	pulled atomic.Bool
}

func (c *cable) pull() { c.pulled.Store(true) }

// Open opens the transport, with a Receive that drops messages once the cable is pulled.
func (c *cable) Open(e smr.Endpoint) error {
	receive := e.Receive
	e.Receive = func(from smr.ID, msg []byte) {
		if !c.pulled.Load() {
			receive(from, msg)
		}
	}
	return c.Transport.Open(e)
}

// Send sends the message unless the cable is pulled.
func (c *cable) Send(to smr.ID, msg []byte) {
	if !c.pulled.Load() {
		c.Transport.Send(to, msg)
	}
}
