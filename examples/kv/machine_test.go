package main

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr"
	"github.com/smr-go/smr/smrtest"
)

// apply applies a command as op number n and then overwrites the body, as smr may.
func apply(t *testing.T, s *store, n uint64, c command) answer {
	t.Helper()
	body := encode(c)
	a, err := decodeAnswer(s.Apply(smr.Op{Number: n, Body: body}))
	require.NoError(t, err)
	clear(body)
	return a
}

func TestStoreIsAStateMachine(t *testing.T) {
	smrtest.TestStateMachine(t, func() smr.StateMachine { return newStore() }, [][]byte{
		encode(command{Verb: put, Key: "a", Value: []byte("1"), Request: "r1"}),
		encode(command{Verb: put, Key: "b", Value: []byte("2")}),
		encode(command{Verb: create, Key: "a", Value: []byte("3"), Request: "r2"}),
		encode(command{Verb: swap, Key: "a", Old: []byte("1"), Value: []byte("4")}),
		encode(command{Verb: put, Key: "a", Value: []byte("1"), Request: "r1"}),
		encode(command{Verb: remove, Key: "b", Request: "r3"}),
		encode(command{Verb: swap, Key: "b", Old: []byte("2"), Request: "r4"}),
	})
}

func TestCommands(t *testing.T) {
	s := newStore()
	for i, step := range []struct {
		command command
		want    outcome
		value   string // in the answer
	}{
		{command{Verb: put, Key: "k", Value: []byte("1")}, done, ""},
		{command{Verb: create, Key: "k", Value: []byte("2")}, differs, "1"},
		{command{Verb: swap, Key: "k", Old: []byte("2"), Value: []byte("3")}, differs, "1"},
		{command{Verb: swap, Key: "k", Old: []byte("1"), Value: []byte("3")}, done, ""},
		{command{Verb: remove, Key: "k"}, done, ""},
		{command{Verb: remove, Key: "k"}, done, ""},
		{command{Verb: swap, Key: "k", Old: nil, Value: []byte("4")}, absent, ""},
		{command{Verb: create, Key: "k", Value: nil}, done, ""},
		{command{Verb: swap, Key: "k", Old: []byte{}, Value: []byte("\x00\xff")}, done, ""},
		{command{Verb: create, Key: "k", Value: nil}, differs, "\x00\xff"},
	} {
		n := uint64(3*i + 5)
		a := apply(t, s, n, step.command)
		assert.Equal(t, step.want, a.Outcome, "step %d", i)
		assert.Equal(t, step.value, string(a.Value), "step %d", i)
		assert.Equal(t, n, a.Op, "step %d", i)
		assert.Equal(t, n, s.applied)
	}
}

func pairsOf(s *store, from, to string, limit int) []pair {
	found, _, _ := s.scan(from, to, limit)
	return found
}

func TestScanIsInOrderOfBytes(t *testing.T) {
	s := newStore()
	for i, key := range []string{"b", "\xff", "a", "a/1", "c", "ä"} {
		apply(t, s, uint64(i+1), command{Verb: put, Key: key})
	}
	keys := func(from, to string, limit int) (keys []string) {
		for _, p := range pairsOf(s, from, to, limit) {
			keys = append(keys, p.Key)
		}
		return keys
	}
	assert.Equal(t, []string{"a", "a/1", "b", "c", "ä", "\xff"}, keys("", "", 10))
	assert.Equal(t, []string{"a/1", "b"}, keys("a/", "c", 10), "from included, to not")
	assert.Equal(t, []string{"a", "a/1"}, keys("", "", 2))
	assert.Empty(t, keys("c", "a", 10))
	assert.Empty(t, keys("", "", 0))
}

func TestUnknownCommandsChangeNothing(t *testing.T) {
	s := newStore()
	for i, body := range [][]byte{nil, {0xc1}, []byte("hello"), encode(command{Verb: 9, Key: "k"}), encode(command{Key: "k"})} {
		_, err := decodeAnswer(s.Apply(smr.Op{Number: uint64(i + 1), Body: body}))
		assert.ErrorIs(t, err, errAnswer, "body %d", i)
	}
	assert.Zero(t, s.pairs.Len())
	_, err := decodeAnswer([]byte("no answer"))
	assert.ErrorIs(t, err, errAnswer)
}

func FuzzApply(f *testing.F) {
	f.Add(encode(command{Verb: put, Key: "k", Value: []byte("v"), Request: "r"}))
	f.Add(encode(command{Verb: swap, Key: "k", Old: []byte("v")}))
	f.Add([]byte{0x95, 0x01, 0xdb, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, body []byte) {
		one, other := newStore(), newStore()
		for n := range uint64(2) {
			op := smr.Op{Number: n + 1, Body: body}
			require.Equal(t, one.Apply(op), other.Apply(op), "equal states and ops give equal results")
		}
		require.Equal(t, pairsOf(one, "", "", 9), pairsOf(other, "", "", 9))
	})
}
