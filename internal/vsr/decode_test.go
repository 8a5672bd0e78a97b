package vsr

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestDefaultQuorums is the table of docs/PROTOCOL.md, section 1.
func TestDefaultQuorums(t *testing.T) {
	qr, qv := [...]int{1, 2, 2, 2, 3, 3, 4}, [...]int{1, 2, 2, 3, 3, 4, 4}
	for n := 1; n <= MaxVoters; n++ {
		m := NewMembership(make([]Member, n))
		assert.Equal(t, []int{qr[n-1], qv[n-1]}, []int{m.Qr, m.Qv}, "n is %d", n)
		assert.Greater(t, m.Qr+m.Qv, n)
		assert.Equal(t, n-m.Qv+1, m.Rb())
	}
}

// FuzzDecodeMembership checks that a decoded list is within its bounds, and encodes to bytes that
// decode to the same list.
func FuzzDecodeMembership(f *testing.F) {
	m := NewMembership([]Member{{ID: "a", Addr: "x:1", Incarnation: Incarnation{1}}, {ID: "b"}, {ID: "c"}})
	f.Add(m.Encode())
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := DecodeMembership(b)
		if err != nil {
			return
		}
		require.Greater(t, m.Qr+m.Qv, len(m.Members))
		require.LessOrEqual(t, len(m.Members), MaxVoters)
		again, err := DecodeMembership(m.Encode())
		require.NoError(t, err)
		require.Equal(t, m, again)
	})
}

// FuzzReadSessions checks that a decoded table encodes to bytes that decode to the same table.
func FuzzReadSessions(f *testing.F) {
	var s Sessions
	s.Begin(&Entry{Op: 2, Kind: OpenSession, Body: appendSession(nil, "a", Incarnation{1}, 3)})
	e := &Entry{Op: 3, Kind: Command, Session: 2, Request: 2, Floor: 1}
	if !s.Begin(e) {
		f.Fatal("the request is not to be executed")
	}
	s.Finish(e, []byte("done"))
	f.Add(written(&s))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := ReadSessions(bytes.NewReader(b))
		if err != nil {
			return
		}
		encoded := written(&s)
		again, err := ReadSessions(bytes.NewReader(encoded))
		require.NoError(t, err)
		require.Equal(t, encoded, written(&again))
	})
}
