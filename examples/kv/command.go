package main

import (
	"errors"
	"fmt"

	"github.com/hashicorp/go-msgpack/v2/codec"
)

// verb is what a command does to its key. The numbers are in logs: they may be added to, never
// changed.
type verb uint8

const (
	put    verb = 1 // Value, whatever was there
	remove verb = 2 // present or not
	swap   verb = 3 // Old for Value: compare and set
	create verb = 4 // Value, if the key is absent
)

// command is one write, as Propose takes it. Keys and values are any bytes.
type command struct {
	Verb    verb
	Key     string
	Value   []byte
	Old     []byte
	Request string // the caller's name for this write, under which it takes effect once; "" for none
}

// outcome is how a command ended.
type outcome uint8

const (
	done      outcome = 1
	differs   outcome = 2 // nothing was written: the key holds Value
	absent    outcome = 3 // nothing was written: there is no such key
	malformed outcome = 4 // nothing was written: this version does not know such a command
)

// answer is the result of a command.
type answer struct {
	Op      uint64 // the place in the order at which the command took effect
	Outcome outcome
	Value   []byte
}

// packed is msgpack with structs as arrays: smaller, and fields may be added at the end.
var packed = newPacked()

func newPacked() *codec.MsgpackHandle {
	h := &codec.MsgpackHandle{WriteExt: true}
	h.StructToArray = true
	return h
}

// encode never fails: it is given nothing but commands, answers and what a snapshot is made of.
func encode(v any) (encoded []byte) {
	codec.NewEncoderBytes(&encoded, packed).MustEncode(v)
	return encoded
}

// decode fills v from what encode made; v shares no memory with encoded.
func decode(encoded []byte, v any) error {
	return codec.NewDecoderBytes(encoded, packed).Decode(v)
}

// errAnswer: the result of a command is not one that this version knows.
var errAnswer = errors.New("the replicas do not run the same version of kv")

// decodeAnswer returns an answer whose Outcome is done, differs or absent, or an errAnswer.
func decodeAnswer(encoded []byte) (answer, error) {
	var a answer
	if err := decode(encoded, &a); err != nil {
		return answer{}, fmt.Errorf("%w: a result of %d bytes is no answer: %w", errAnswer, len(encoded), err)
	}
	if a.Outcome < done || a.Outcome > absent {
		return answer{}, fmt.Errorf("%w: op %d ended as %d, which is none of %d to %d", errAnswer, a.Op, a.Outcome, done, absent)
	}
	return a, nil
}
