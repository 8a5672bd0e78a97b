package vsr

import (
	"testing"
	"time"

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

// X6: what was found of the ways to other members counts for one view. In the next, messages go to its primary without a
// relay first, and a primary whose messages needed one in an earlier view sends them directly.
func TestANewViewBeginsWithoutRelays(t *testing.T) {
	deaf := member(t, 1) // b leads
	deaf.askForRelay()
	require.Equal(t, Index(2), deaf.relayTo(1))
	hear(deaf, 2, &StartViewChange{View: 2, Vote: 1})
	deaf.setView(2) // c leads
	require.Equal(t, Index(2), deaf.relayTo(2))
	require.False(t, deaf.relays.deaf, "its own messages do not claim that it hears nothing")

	leads := member(t, 0)
	leadNext(t, leads)
	hear(leads, 2, &Relay{From: 1, To: 0, Unheard: true, Sender: Header{Group: GroupID{9}, Epoch: 1, Incarnation: threeIDs[1], Start: 1},
		Message: &CommitOK{View: leads.head.View}})
	require.Equal(t, Index(2), leads.relayTo(1))
	leads.now = leads.now.Add(time.Second)
	leadNext(t, leads)
	require.Equal(t, Index(1), leads.relayTo(1))
}
