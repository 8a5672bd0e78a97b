package smrtest

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"

	"github.com/anishathalye/porcupine"

	"github.com/smr-go/smr"
	"github.com/smr-go/smr/internal/sim"
)

// Operation is a kind of operation that callers perform: a [Command] or a [Query].
type Operation struct {
	name string
	id   *byte // differs for each call of Command and Query
	next func(r *rand.Rand) sim.Operation
	fits func(m smr.StateMachine) error // returns why a Query cannot read such a machine; nil for a Command
	lack string                         // the argument that is missing; "" if none is
}

// Command returns an operation that is proposed, and that every replica applies. Schedules know it by its name. body
// returns a body for Apply. It must depend on r only, so that a seed always gives the same bodies. Concurrent runs call
// it. In a Model the input is the body, and the output the result of Apply, both []byte.
func Command(name string, body func(r *rand.Rand) []byte) Operation {
	return Operation{name: name, id: new(byte), lack: lacks(body == nil, "Command(%q, body): body is nil; give a function that returns a body for Apply", name), next: func(r *rand.Rand) sim.Operation {
		b := append([]byte{}, body(r)...)
		return sim.Operation{Name: name, Body: b, Input: b}
	}}
}

// Query returns an operation that reads the state at a replica, as smr.Replica.Read does with smr.Linearizable.
// Schedules know it by its name. input returns the query's argument and must depend on r only; read returns the answer
// and must neither change the state nor retain parts of it. Concurrent runs call both. Often both exist already: with
//
//	func (s *KV) Get(key string) string
//
// a query is smrtest.Query("get", randomKey, (*KV).Get). In a Model, input and output are the values that the two
// functions return.
func Query[M smr.StateMachine, I, O any](name string, input func(r *rand.Rand) I, read func(m M, input I) O) Operation {
	next := func(r *rand.Rand) sim.Operation {
		in := input(r)
		return sim.Operation{Name: name, Input: in, Read: func(m smr.StateMachine) any { return read(m.(M), in) }}
	}
	lack := lacks(input == nil, "Query(%q, input, read): input is nil; give a function that draws what is asked for", name)
	lack += lacks(read == nil && lack == "", "Query(%q, input, read): read is nil; give a function that reads the answer from the state", name)
	return Operation{name: name, id: new(byte), lack: lack, next: next, fits: func(m smr.StateMachine) error {
		if _, ok := m.(M); ok {
			return nil
		}
		var want M
		return fmt.Errorf("query %q reads a %T; New returns a %T", name, want, m)
	}}
}

// make returns the operation that a seed makes.
func (o *Operation) make(seed uint64) sim.Operation {
	made := o.next(rand.New(rand.NewPCG(seed, 0)))
	made.Seed = seed
	return made
}

// lacks returns a text if an argument is missing, and "" otherwise.
func lacks(missing bool, format string, args ...any) string {
	if !missing {
		return ""
	}
	return fmt.Sprintf(format, args...)
}

// checkWorkload returns why a workload is not possible with such a machine.
func checkWorkload(workload []Operation, m smr.StateMachine) error {
	if len(workload) == 0 {
		return fmt.Errorf("Workload is empty; it must be like []smrtest.Operation{smrtest.Command(...), ...}")
	}
	commands, ids := 0, map[string]*byte{}
	for _, o := range workload {
		if err := o.misuse(m); err != nil {
			return fmt.Errorf("Workload: %w", err)
		}
		if id := cmp.Or(ids[o.name], o.id); id != o.id {
			return fmt.Errorf("Workload: two operations have the name %q, by which schedules know them: give each its own", o.name)
		}
		ids[o.name] = o.id
		if o.fits == nil {
			commands++
		}
	}
	if commands == 0 {
		return fmt.Errorf("Workload has no Command: queries would only ever read the initial state")
	}
	return nil
}

// checkQueries returns why such a machine cannot be asked these queries.
func checkQueries(queries []Operation, m smr.StateMachine) error {
	for _, q := range queries {
		if err := q.misuse(m); err != nil {
			return err
		}
		if q.fits == nil {
			return errors.New("only Query returns queries; give the bodies of commands in ops")
		}
	}
	return nil
}

// misuse returns why callers cannot perform the operation on such a machine.
func (o *Operation) misuse(m smr.StateMachine) error {
	switch {
	case o.next == nil:
		return errors.New("there is a zero Operation: Command and Query return operations")
	case o.lack != "":
		return errors.New(o.lack)
	case o.fits != nil:
		return o.fits(m)
	}
	return nil
}

// PartitionBy returns a function for the Partition field of a porcupine.Model. It divides a history by a key of the
// inputs, which makes checking much faster. Operations on one key must not affect those on another.
func PartitionBy[K comparable](key func(input any) K) func(history []porcupine.Operation) [][]porcupine.Operation {
	return func(history []porcupine.Operation) (parts [][]porcupine.Operation) {
		place := map[K]int{}
		for _, o := range history {
			k := key(o.Input)
			i, ok := place[k]
			if !ok {
				i = len(parts)
				place[k], parts = i, append(parts, nil)
			}
			parts[i] = append(parts[i], o)
		}
		return parts
	}
}

// described returns a model with a DescribeOperation, and that describes the simulator's metadata; nil if m is zero.
func described(m porcupine.Model, describe func(body []byte) string) *porcupine.Model {
	if m.Step == nil && m.StepContext == nil {
		return nil
	}
	m.DescribeOperationMetadata = nil
	if m.DescribeOperation == nil {
		m.DescribeOperation = func(input, output any) string {
			text := word(input)
			if body, ok := input.([]byte); ok && describe != nil {
				text = describe(body)
			}
			return fmt.Sprintf("%s → %s", text, word(output))
		}
	}
	return &m
}

// word formats a value, and bytes as text.
func word(x any) string {
	if b, ok := x.([]byte); ok {
		return quote(b)
	}
	return fmt.Sprintf("%+v", x)
}

// guarded returns a function that calls describe and survives its panics; nil if describe is nil.
func guarded(describe func(body []byte) string) func(body []byte) string {
	if describe == nil {
		return nil
	}
	return func(body []byte) (text string) {
		defer func() {
			if p := recover(); p != nil {
				text = fmt.Sprintf("%s (Describe panicked: %v)", quote(body), p)
			}
		}()
		return describe(body)
	}
}

// numbered returns a function that describes an operation by its number and by describe; nil if describe is nil.
func numbered(describe func(body []byte) string) func(op smr.Op) string {
	if describe == nil {
		return nil
	}
	return func(op smr.Op) string { return fmt.Sprintf("op %d, %s", op.Number, describe(op.Body)) }
}
