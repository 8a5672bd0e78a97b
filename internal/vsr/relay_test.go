package vsr

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// X6: a relay passes on only what its sender itself sends, to another member, and takes nothing that
// claims to be its own.
func TestARelayPassesOnOnce(t *testing.T) {
	g := newTestGroup(4)
	g.form()
	r := g.hosts[0].core
	header := func(i Index) Header { return g.hosts[i].core.Header() }
	inner := &CommitOK{}
	hears := func(m *Relay) []Outgoing {
		r.Step(g.now, &Receive{From: 1, Header: header(1), Message: m})
		return r.Ready(g.now).Messages
	}
	require.Equal(t, []Outgoing{{To: []Index{2}, Message: &Relay{From: 1, To: 2, Sender: header(1), Message: inner}}},
		hears(&Relay{From: 1, To: 2, Message: inner}), "with the header that the sender had")
	for _, m := range []*Relay{
		{From: 3, To: 2, Sender: header(3), Message: inner}, // relayed before
		{From: 1, To: 1, Sender: header(1), Message: inner},
		{From: 0, To: 2, Sender: header(0), Message: inner},
		{From: 0, To: 0, Sender: header(0), Message: inner},
		{From: 1, To: 7, Sender: header(1), Message: inner},
		{From: 7, To: 2, Sender: header(1), Message: inner},
	} {
		require.Empty(t, hears(m), "%+v", m)
	}
}
