package store

import (
	"bytes"
	"strings"
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

// whole returns what a snapshot holds of s.
func whole(s State) []byte {
	b := bytes.NewBuffer(s.Header())
	_, _ = s.Sessions.WriteTo(b) // a bytes.Buffer never fails
	return b.Bytes()
}

// A snapshot whose members are of another group than its file is an ErrCorrupt (C2).
func TestHeaderOfAnotherGroup(t *testing.T) {
	s := State{Members: vsr.NewMembership([]vsr.Member{{ID: "a"}})}
	s.Members.Group = vsr.GroupID{1}
	_, err := ParseHeader(snap.Info{ID: snap.ID{Group: vsr.GroupID{1}}, Header: s.Header()})
	require.NoError(t, err)
	_, err = ParseHeader(snap.Info{ID: snap.ID{Group: vsr.GroupID{2}}, Header: s.Header()})
	require.ErrorIs(t, err, ErrCorrupt)
	require.ErrorContains(t, err, "is of group 02000000, but its members are of group 01000000")
}

// A frozen state does not change when later entries are applied.
func TestFrozenStateIsApart(t *testing.T) {
	var s State
	members := vsr.NewMembership([]vsr.Member{{ID: "a"}})
	require.NoError(t, s.Advance(&vsr.Entry{Op: 1, Kind: vsr.Formation, Time: 7, Body: members.Encode()}))
	f := s.Frozen()
	before := whole(f)
	e := vsr.Entry{Op: 2, Kind: vsr.OpenSession, Time: 9}
	s.Sessions.Begin(&e)
	require.NoError(t, s.Advance(&e))
	assert.Equal(t, before, whole(f))
	assert.Equal(t, vsr.OpNumber(1), f.Last.Op)
	assert.Equal(t, int64(9), s.Clock)
	assert.ErrorIs(t, s.Advance(&vsr.Entry{Op: 3, Kind: vsr.Formation, Body: []byte{0xff}}), ErrCorrupt)
}

// The longest list of members fits into the header of a snapshot.
func TestHeaderOfTheLongestList(t *testing.T) {
	var s State
	for range vsr.MaxVoters {
		s.Members.Members = append(s.Members.Members, vsr.Member{ID: strings.Repeat("i", 64), Addr: strings.Repeat("a", 255)})
	}
	require.Less(t, len(s.Header()), snap.MaxHeader)
}
