package smrtest

import (
	"fmt"
	"math/rand/v2"

	"github.com/anishathalye/porcupine"

	"github.com/smr-go/smr"
	"github.com/smr-go/smr/internal/sim"
)

// Operation is one kind of thing that callers of a state machine do: a [Command] or a [Query].
type Operation struct {
	name string
	next func(r *rand.Rand) sim.Operation
	fits func(m smr.StateMachine) error // says why it is none for such a machine; nil: of a Command
	lack string                         // what Command or Query was not given; "": it has all
}

// Command is an operation that is proposed, and applied by every replica. body returns a body for
// Apply, as r says and by nothing else: then a seed makes the same bodies again. Many runs call it
// at the same time. To a model the input is the body and the output what Apply returned, both
// []byte.
func Command(name string, body func(r *rand.Rand) []byte) Operation {
	return Operation{name: name, lack: lacks(body == nil, "Command(%q, body): body is nil; give a function that returns a body for Apply", name), next: func(r *rand.Rand) sim.Operation {
		b := append([]byte{}, body(r)...)
		return sim.Operation{Name: name, Body: b, Input: b}
	}}
}

// Query is an operation that reads the state at a replica, as Replica.Read does at level
// smr.Linearizable. input draws what is asked for, as r says and by nothing else; read returns the
// answer, and must neither change the state nor keep parts of it. Both often exist already: with
//
//	func (s *KV) Get(key string) string
//
// a query is smrtest.Query("get", randomKey, (*KV).Get). To a model input and output are what the two
// functions return.
func Query[M smr.StateMachine, I, O any](name string, input func(r *rand.Rand) I, read func(m M, input I) O) Operation {
	next := func(r *rand.Rand) sim.Operation {
		in := input(r)
		return sim.Operation{Name: name, Input: in, Read: func(m smr.StateMachine) any { return read(m.(M), in) }}
	}
	lack := lacks(input == nil, "Query(%q, input, read): input is nil; give a function that draws what is asked for", name)
	lack += lacks(read == nil && lack == "", "Query(%q, input, read): read is nil; give a function that reads the answer from the state", name)
	return Operation{name: name, lack: lack, next: next, fits: func(m smr.StateMachine) error {
		if _, ok := m.(M); ok {
			return nil
		}
		var want M
		return fmt.Errorf("query %q reads a %T; Config.New returns a %T", name, want, m)
	}}
}

// lacks is a text if something is missing.
func lacks(missing bool, format string, args ...any) string {
	if !missing {
		return ""
	}
	return fmt.Sprintf(format, args...)
}

// checkWorkload returns why callers of such a machine cannot do all of these.
func checkWorkload(workload []Operation, m smr.StateMachine) error {
	if len(workload) == 0 {
		return fmt.Errorf("Workload is empty: []smrtest.Operation{smrtest.Command(...), ...} is one")
	}
	commands := 0
	for _, o := range workload {
		switch {
		case o.next == nil:
			return fmt.Errorf("Workload has an Operation that neither Command nor Query returned")
		case o.lack != "":
			return fmt.Errorf("Workload: %s", o.lack)
		case o.fits == nil:
			commands++
		}
		if o.fits != nil {
			if err := o.fits(m); err != nil {
				return err
			}
		}
	}
	if commands == 0 {
		return fmt.Errorf("Workload has no Command: without one nothing is replicated that queries could read")
	}
	return nil
}

// PartitionBy returns a porcupine.Model's Partition that takes operations apart by a key of their
// input: those of one key must not matter to those of another. Histories of many keys are checked
// much sooner so.
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

// described completes a model with words for what it does not describe itself.
func described(m porcupine.Model, describe func(body []byte) string) *porcupine.Model {
	if m.Step == nil && m.StepContext == nil {
		return nil
	}
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

// word shows a value, and bytes as text.
func word(x any) string {
	if b, ok := x.([]byte); ok {
		return quote(b)
	}
	return fmt.Sprintf("%+v", x)
}

// guarded returns a describe that survives a panic of the user's; nil if there is none.
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
