package main

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// get is the verb of a read, which is not a command.
const get verb = 0

// input is an operation that a client requested, however often it sent the request.
type input struct {
	verb            verb
	key, value, old string
}

// output is the answer to the client; unknown if there was none.
type output struct {
	outcome outcome // of a get: done or absent
	value   string  // of a get that is done, and of a write that differs
	op      uint64
	unknown bool
}

// register is the state of one key in the model.
type register struct {
	present bool
	value   string
}

// model is the behaviour of a single, unreplicated kv for one key.
var model = porcupine.Model{
	Partition: byKey,
	Init:      func() any { return register{} },
	Step: func(state, in, out any) (bool, any) {
		return step(state.(register), in.(input), out.(output))
	},
	DescribeOperation: func(in, out any) string { return fmt.Sprintf("%+v -> %+v", in, out) },
}

func byKey(operations []porcupine.Operation) [][]porcupine.Operation {
	parts := map[string][]porcupine.Operation{}
	for _, o := range operations {
		key := o.Input.(input).key
		parts[key] = append(parts[key], o)
	}
	var all [][]porcupine.Operation
	for _, part := range parts {
		all = append(all, part)
	}
	return all
}

// step reports whether the register can give this answer, and returns the register afterwards. An unknown
// answer may have been any.
func step(r register, in input, out output) (bool, register) {
	want, next := output{outcome: done}, register{true, in.value}
	switch {
	case in.verb == remove:
		next = register{}
	case in.verb == get && !r.present, in.verb == swap && !r.present:
		want, next = output{outcome: absent}, r
	case in.verb == get:
		want, next = output{outcome: done, value: r.value}, r
	case in.verb == swap && r.value != in.old, in.verb == create && r.present:
		want, next = output{outcome: differs, value: r.value}, r
	}
	return out.unknown || out.outcome == want.outcome && out.value == want.value, next
}

// history holds the operations and answers of all clients in one run. Its methods may be called
// concurrently.
type history struct {
	began      time.Time
	acked      atomic.Int64
	mu         sync.Mutex
	operations []porcupine.Operation
}

func newHistory() *history { return &history{began: time.Now()} }

func (h *history) now() int64 { return time.Since(h.began).Nanoseconds() }

// add records an operation that ends now, or never if its outcome is unknown. A read without an answer
// proves nothing and is not recorded.
func (h *history) add(client int, call int64, in input, out output) {
	if out.unknown && in.verb == get {
		return
	}
	end := h.now()
	if out.unknown {
		end = math.MaxInt64
	} else {
		h.acked.Add(1)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.operations = append(h.operations, porcupine.Operation{ClientId: client, Input: in, Call: call, Output: out, Return: end})
}

// linearizable returns the first reason why a single, unreplicated kv could not have produced the history.
func (h *history) linearizable(limit time.Duration) error {
	if err := h.numbersFollowTime(); err != nil {
		return err
	}
	for _, part := range byKey(h.operations) {
		if result := porcupine.CheckOperationsTimeout(model, part, limit); result != porcupine.Ok {
			return fmt.Errorf("linearizability of key %q, %d operations: %s", part[0].Input.(input).key, len(part), result)
		}
	}
	return nil
}

// numbersFollowTime checks the numbers of operations: no two writes have the same number, and a write that
// began after another had ended has a higher number. It checks all keys together.
func (h *history) numbersFollowTime() error {
	var writes []porcupine.Operation
	for _, o := range h.operations {
		if o.Input.(input).verb != get && !o.Output.(output).unknown {
			writes = append(writes, o)
		}
	}
	number := func(o porcupine.Operation) uint64 { return o.Output.(output).op }
	slices.SortFunc(writes, func(a, b porcupine.Operation) int { return cmp.Compare(number(b), number(a)) })
	earliest := porcupine.Operation{Return: math.MaxInt64} // end among the writes with higher numbers
	for i, w := range writes {
		if i > 0 && number(w) == number(writes[i-1]) {
			return fmt.Errorf("%v and %v have the same number", w, writes[i-1])
		}
		if w.Call > earliest.Return {
			return fmt.Errorf("%v began after %v had ended, and has a lower number", w, earliest)
		}
		if w.Return < earliest.Return {
			earliest = w
		}
	}
	return nil
}

// at returns an operation from time call to end, for histories written by hand.
func at(call, end int64, in input, out output) porcupine.Operation {
	return porcupine.Operation{Input: in, Call: call, Output: out, Return: end}
}

// The checker accepts linearizable histories and rejects each kind of violation.
func TestTheCheckerCatches(t *testing.T) {
	put1, put2, read := input{verb: put, key: "k", value: "1"}, input{verb: put, key: "k", value: "2"}, input{verb: get, key: "k"}
	wrote := func(op uint64) output { return output{outcome: done, op: op} }
	saw := func(value string) output { return output{outcome: done, value: value} }
	none, never := output{outcome: absent}, output{unknown: true}
	for name, test := range map[string]struct {
		operations []porcupine.Operation
		fine       bool
	}{
		"one after the other":      {[]porcupine.Operation{at(0, 1, put1, wrote(1)), at(2, 3, read, saw("1"))}, true},
		"unknown and seen":         {[]porcupine.Operation{at(0, math.MaxInt64, put1, never), at(2, 3, read, saw("1"))}, true},
		"unknown and not seen":     {[]porcupine.Operation{at(0, math.MaxInt64, put1, never), at(2, 3, read, none)}, true},
		"a lost write":             {[]porcupine.Operation{at(0, 1, put1, wrote(1)), at(2, 3, read, none)}, false},
		"a stale read":             {[]porcupine.Operation{at(0, 1, put1, wrote(1)), at(2, 3, put2, wrote(2)), at(4, 5, read, saw("1"))}, false},
		"a read that goes back":    {[]porcupine.Operation{at(0, 1, put1, wrote(1)), at(2, 9, put2, wrote(2)), at(3, 4, read, saw("2")), at(5, 6, read, saw("1"))}, false},
		"a write applied twice":    {[]porcupine.Operation{at(0, 1, put1, wrote(1)), at(2, 3, put2, wrote(2)), at(4, 5, read, saw("2")), at(6, 7, read, saw("1"))}, false},
		"a value never written":    {[]porcupine.Operation{at(0, 1, read, saw("9"))}, false},
		"a number given twice":     {[]porcupine.Operation{at(0, 1, put1, wrote(1)), at(2, 3, put2, wrote(1))}, false},
		"numbers against time":     {[]porcupine.Operation{at(0, 1, put1, wrote(2)), at(2, 3, put2, wrote(1))}, false},
		"numbers of the same time": {[]porcupine.Operation{at(0, 2, put1, wrote(2)), at(1, 3, put2, wrote(1))}, true},
	} {
		err := (&history{operations: test.operations}).linearizable(time.Minute)
		assert.Equal(t, test.fine, err == nil, "%s: %v", name, err)
	}
}

// The model agrees with the store on every command in every state of a key.
func TestTheModelIsTheStore(t *testing.T) {
	verbs, values := []verb{put, remove, swap, create}, []string{"", "1", "2"}
	for _, before := range []register{{}, {true, ""}, {true, "1"}, {true, "2"}} {
		for i := range len(verbs) * len(values) * len(values) {
			in := input{verbs[i%4], "k", values[i/4%3], values[i/12%3]}
			s := newStore()
			if before.present {
				apply(t, s, 1, command{Verb: put, Key: "k", Value: []byte(before.value)})
			}
			a := apply(t, s, 2, command{Verb: in.verb, Key: in.key, Value: []byte(in.value), Old: []byte(in.old)})
			ok, after := step(before, in, output{outcome: a.Outcome, value: string(a.Value)})
			require.True(t, ok, "%+v on %+v: %+v", in, before, a)
			value, present := s.get("k")
			require.Equal(t, register{present, string(value)}, after, "%+v on %+v", in, before)
		}
	}
}
