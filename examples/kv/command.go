package main

import (
	"errors"
	"fmt"

	"github.com/hashicorp/go-msgpack/v2/codec"
)

// verb is the kind of change that a command makes. The numbers are stored in logs: new ones may be added,
// but none may change.
type verb uint8

const (
	put    verb = 1 // sets Value
	remove verb = 2 // removes the key, if it is present
	swap   verb = 3 // sets Value if the key holds Old
	create verb = 4 // sets Value if the key is absent
)

// command is one write, which Propose receives encoded. Keys and values are arbitrary bytes.
type command struct {
	Verb    verb
	Key     string
	Value   []byte
	Old     []byte
	Request string // name that the client gave the write, which takes effect once under it; "" for none
}

// outcome is the kind of an answer.
type outcome uint8

const (
	done      outcome = 1
	differs   outcome = 2 // nothing was written: the key holds Value
	absent    outcome = 3 // nothing was written: the key is absent
	malformed outcome = 4 // nothing was written: this version does not know such a command
)

// answer is the result of a command.
type answer struct {
	Op      uint64 // number of the operation at which the command took effect
	Outcome outcome
	Value   []byte
}

// packed encodes structs as msgpack arrays, which are small and can grow at the end.
var packed = newPacked()

func newPacked() *codec.MsgpackHandle {
	h := &codec.MsgpackHandle{WriteExt: true}
	h.StructToArray = true
	return h
}

// encode returns v in msgpack. v is a command, an answer or a part of a snapshot, so it never fails.
func encode(v any) (encoded []byte) {
	codec.NewEncoderBytes(&encoded, packed).MustEncode(v)
	return encoded
}

// decode sets v to the value that encode encoded. v shares no memory with encoded.
func decode(encoded []byte, v any) error {
	return codec.NewDecoderBytes(encoded, packed).Decode(v)
}

// errAnswer reports that this version does not know the result of a command.
var errAnswer = errors.New("the replicas do not run the same version of kv")

// decodeAnswer returns an answer whose Outcome is done, differs or absent. Otherwise the error is an
// errAnswer.
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
