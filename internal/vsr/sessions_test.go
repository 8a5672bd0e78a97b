package vsr

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// naiveSessions is the session table as maps from which nothing is dropped.
type naiveSessions struct {
	open    map[string]naiveSession // by member: the latest session
	results map[[2]uint64]string    // by session and request: of every executed request
}

type naiveSession struct{ number, start, floor uint64 }

// begin reports whether the entry must be executed (X1, X2).
func (n *naiveSessions) begin(e *Entry) bool {
	if e.Kind == OpenSession {
		id, _, start, _ := cutSession(e.Body)
		if was, ok := n.open[id]; !ok || start > was.start {
			n.open[id] = naiveSession{uint64(e.Op), start, 1}
		}
		return false
	}
	for id, s := range n.open {
		if s.number != e.Session {
			continue
		}
		s.floor = max(s.floor, e.Floor)
		n.open[id] = s
		_, done := n.results[[2]uint64{e.Session, e.Request}]
		return !done && e.Request >= s.floor && e.Request < s.floor+SessionLimit
	}
	return false
}

// result returns the result of a request that the table must still have: of a session that has not
// ended, from its floor on.
func (n *naiveSessions) result(session, request uint64) (string, bool) {
	for _, s := range n.open {
		if s.number == session && request >= s.floor {
			v, ok := n.results[[2]uint64{session, request}]
			return v, ok
		}
	}
	return "", false
}

// randomEntry returns an entry that opens a session of one of three members, sometimes of an
// earlier process, or a request of any session.
func randomEntry(rnd *rand.Rand, op OpNumber) Entry {
	if rnd.IntN(6) == 0 {
		body := appendSession(nil, memberNames[rnd.IntN(3):][:1], Incarnation{7}, rnd.Uint64N(uint64(op)/8+2))
		return Entry{Op: op, Kind: OpenSession, Body: body}
	}
	e := Entry{Op: op, Kind: Command, Session: rnd.Uint64N(uint64(op)) + 1, Request: rnd.Uint64N(12) + 1, Floor: rnd.Uint64N(6)}
	if rnd.IntN(40) == 0 {
		e.Request += SessionLimit // too far ahead
	}
	return e
}

// TestSessionsAgainstMaps applies the same entries to the table and to the maps. From time to time
// it encodes and decodes the table, or continues with a clone, as a snapshot does (X1 to X3).
func TestSessionsAgainstMaps(t *testing.T) {
	for seed := range uint64(300) {
		rnd := rand.New(rand.NewPCG(seed, 0))
		n := naiveSessions{map[string]naiveSession{}, map[[2]uint64]string{}}
		var s Sessions
		for op := OpNumber(1); op <= 60; op++ {
			e := randomEntry(rnd, op)
			want := n.begin(&e)
			require.Equal(t, want, s.Begin(&e), "seed %d, op %d: %+v", seed, op, e)
			if want {
				value := fmt.Sprint("result of ", op)
				n.results[[2]uint64{e.Session, e.Request}] = value
				s.Finish(&e, []byte(value))
			}
			s = again(t, rnd, s)
			compareResults(t, seed, op, &s, &n)
		}
	}
}

func again(t *testing.T, rnd *rand.Rand, s Sessions) Sessions {
	switch rnd.IntN(4) {
	case 0:
		decoded, err := ReadSessions(bytes.NewReader(written(&s)))
		require.NoError(t, err)
		return decoded
	case 1:
		return s.Clone()
	}
	return s
}

func compareResults(t *testing.T, seed uint64, op OpNumber, s *Sessions, n *naiveSessions) {
	for session := uint64(1); session <= uint64(op); session++ {
		for request := uint64(1); request <= 12; request++ {
			want, wanted := n.result(session, request)
			got, known := s.Result(session, request)
			if wanted != (known == Kept) || want != string(got) { // require.Equal takes a hundred times as long
				require.Failf(t, "results differ", "seed %d, op %d: request %d of session %d: want %q, %v, got %q, %v",
					seed, op, request, session, want, wanted, got, known == Kept)
			}
		}
	}
}

// TestSessionsCloneIsApart changes a table after it was cloned for a snapshot (C4).
func TestSessionsCloneIsApart(t *testing.T) {
	var s Sessions
	s.Begin(&Entry{Op: 1, Kind: OpenSession, Body: appendSession(nil, "a", Incarnation{1}, 1)})
	first := &Entry{Op: 2, Kind: Command, Session: 1, Request: 1}
	require.True(t, s.Begin(first))
	s.Finish(first, []byte("one"))
	frozen := s.Clone()
	before := written(&frozen)
	second := &Entry{Op: 3, Kind: Command, Session: 1, Request: 2, Floor: 2}
	require.True(t, s.Begin(second))
	s.Finish(second, []byte("two"))
	require.Equal(t, before, written(&frozen))
}

// written returns what WriteTo writes.
func written(s *Sessions) []byte {
	var b bytes.Buffer
	_, _ = s.WriteTo(&b) // a bytes.Buffer never fails
	return b.Bytes()
}

// TestSessionWindow checks that the results of a session never have more bytes than its window: a
// result that finds no room is not kept, one that is larger than the window never is, and both count
// as executed. A higher floor makes room, and a copy read from a snapshot decides alike (X2).
func TestSessionWindow(t *testing.T) {
	s := Sessions{Window: 100}
	s.Begin(&Entry{Op: 1, Kind: OpenSession, Body: appendSession(nil, "a", Incarnation{1}, 1)})
	run := func(request, floor uint64, size int) Known {
		e := Entry{Op: OpNumber(request) + 1, Kind: Command, Session: 1, Request: request, Floor: floor}
		require.True(t, s.Begin(&e))
		known := s.Finish(&e, make([]byte, size))
		require.False(t, s.Begin(&e), "it is executed")
		require.NoError(t, s.Check())
		value, again := s.Result(1, request)
		require.Equal(t, known, again)
		require.Equal(t, known == Kept, value != nil)
		return known
	}
	require.Equal(t, Kept, run(1, 1, 60))
	require.Equal(t, TooLarge, run(2, 1, 101))
	require.Equal(t, NotKept, run(3, 1, 41))
	require.Equal(t, Kept, run(4, 1, 40))
	require.Equal(t, int64(100), s.Bytes())
	read, err := ReadSessions(bytes.NewReader(written(&s)))
	require.NoError(t, err)
	read.Window = s.Window
	require.Equal(t, s, read)
	require.Equal(t, Kept, run(5, 2, 60))
	require.Equal(t, NotKept, run(6, 5, 41))
	require.Equal(t, Kept, run(7, 7, 100))
}
