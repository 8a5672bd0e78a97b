package store

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr/internal/snap"
	"github.com/smr-go/smr/internal/vsr"
)

// A header that does not decode is an ErrCorrupt; any other encodes to the same bytes again.
func FuzzParseHeader(f *testing.F) {
	s := State{Clock: 5, Members: vsr.NewMembership([]vsr.Member{{ID: "a"}})}
	f.Add(s.Header())
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := ParseHeader(snap.Info{Header: b})
		if err != nil {
			require.ErrorIs(t, err, ErrCorrupt)
			return
		}
		again, err := ParseHeader(snap.Info{Header: s.Header()})
		require.NoError(t, err)
		require.Equal(t, s.Header(), again.Header())
	})
}

// A frozen state does not change when later entries are applied.
func TestFrozenStateIsApart(t *testing.T) {
	var s State
	members := vsr.NewMembership([]vsr.Member{{ID: "a"}})
	require.NoError(t, s.Advance(&vsr.Entry{Op: 1, Kind: vsr.Formation, Time: 7, Body: members.Encode()}))
	f := s.Frozen()
	header := f.Header()
	e := vsr.Entry{Op: 2, Kind: vsr.OpenSession, Time: 9}
	s.Sessions.Begin(&e)
	require.NoError(t, s.Advance(&e))
	assert.Equal(t, header, f.Header())
	assert.Equal(t, vsr.OpNumber(1), f.Last.Op)
	assert.Equal(t, int64(9), s.Clock)
	assert.ErrorIs(t, s.Advance(&vsr.Entry{Op: 3, Kind: vsr.Formation, Body: []byte{0xff}}), ErrCorrupt)
}
