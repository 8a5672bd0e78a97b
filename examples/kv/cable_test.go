package main

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr"
)

// echo is a Transport that delivers every message to its own endpoint.
type echo struct {
	smr.Transport
	endpoint smr.Endpoint
	sent     int
}

func (e *echo) Open(endpoint smr.Endpoint) error { e.endpoint = endpoint; return nil }
func (e *echo) Send(to smr.ID, msg []byte)       { e.sent++; e.endpoint.Receive(to, msg) }

func TestNothingComesThroughAPulledCable(t *testing.T) {
	var received []string
	transport := &echo{}
	c := &cable{Transport: transport}
	require.NoError(t, c.Open(smr.Endpoint{Receive: func(from smr.ID, msg []byte) { received = append(received, string(msg)) }}))

	c.Send("b", []byte("before"))
	c.pull()
	c.Send("b", []byte("after"))
	transport.endpoint.Receive("b", []byte("late"))
	assert.Equal(t, []string{"before"}, received)
	assert.Equal(t, 1, transport.sent)
}
