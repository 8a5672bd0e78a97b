package main

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestARequestTakesEffectOnce(t *testing.T) {
	s := newStore()
	write := command{Verb: put, Key: "k", Value: []byte("1"), Request: "r"}
	first := apply(t, s, 1, write)
	apply(t, s, 2, command{Verb: put, Key: "k", Value: []byte("2")})

	assert.Equal(t, first, apply(t, s, 3, write), "the same answer, with the number of the first op")
	value, _ := s.get("k")
	assert.Equal(t, "2", string(value))
}

func TestARefusedRequestStaysRefused(t *testing.T) {
	s := newStore()
	apply(t, s, 1, command{Verb: put, Key: "k", Value: []byte("1")})
	claim := command{Verb: create, Key: "k", Value: []byte("2"), Request: "r"}
	first := apply(t, s, 2, claim)
	require.Equal(t, differs, first.Outcome)
	apply(t, s, 3, command{Verb: remove, Key: "k"})

	assert.Equal(t, first, apply(t, s, 4, claim))
	_, ok := s.get("k")
	assert.False(t, ok)
}

func TestTheOldestRequestIsForgotten(t *testing.T) {
	s := newStore()
	named := func(i int) command {
		return command{Verb: put, Key: "k", Value: fmt.Append(nil, i), Request: fmt.Sprint("r", i)}
	}
	for i := range remembered {
		apply(t, s, uint64(i+1), named(i))
	}
	again := apply(t, s, remembered+1, named(0))
	require.EqualValues(t, 1, again.Op, "all of them are remembered")

	apply(t, s, remembered+2, named(remembered))
	assert.Equal(t, remembered, s.requests.byID.Len())
	assert.Equal(t, remembered, s.requests.byOp.Len())
	again = apply(t, s, remembered+3, named(0))
	assert.EqualValues(t, remembered+3, again.Op, "the first one was forgotten, though it was sent again")
	again = apply(t, s, remembered+4, named(2))
	assert.EqualValues(t, 3, again.Op, "the third one was not")
}
