// Package contract tests state machines against the contract of smr.StateMachine. It states each rule, treats machines
// as badly as the contract allows, and notices when they break a rule. smrtest.TestStateMachine drives it with a list
// of operations, and the simulation with the committed log.
package contract

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/smr-go/smr/internal/excerpt"
)

// Rule is a sentence of the contract, with advice for machines that break it.
type Rule struct{ Name, Remedy string }

// The rules of the contract.
var (
	Fresh = Rule{"New returns machines that share nothing, in one and the same state",
		"every new machine must have the same state, and its own maps, slices and pointers; a package variable is " +
			"shared by all"}
	NoPanic = Rule{"a state machine does not panic",
		"a panic stops every replica that reaches the operation: let a failure be part of the result"}
	NoFailure = Rule{"Snapshot, WriteTo and Restore do not fail",
		"a replica that cannot write or read its state is out of service"}
	NoGoroutine = Rule{"methods leave no goroutine behind when they return",
		"all that a method starts must have ended when it returns, for smr alone decides when the state changes"}
	Deterministic = Rule{"Apply is deterministic",
		"Apply must depend on nothing but the state before and op: no clock, no random source, no order of a map, no " +
			"variable that machines share, no sum of floats in changing order"}
	LeavesBody = Rule{"Apply neither keeps nor changes op.Body",
		"op.Body is smr's, and shared, and overwritten once Apply has returned: copy what is to be kept"}
	LeavesResult = Rule{"a result is not changed once returned",
		"a result is smr's, and a buffer that is used again must be copied"}
	Frozen = Rule{"WriteTo writes the state as Snapshot found it",
		"Snapshot must copy what later operations change in place, inside maps and slices too"}
	Restores = Rule{"Restore brings the whole state back",
		"WriteTo must write, and Restore bring back, whatever state or result depends on; every other field must " +
			"stay as in a new machine"}
	Replaces = Rule{"Restore replaces what was there",
		"Restore must replace the whole state, and keep nothing of the old one"}
	PureQuery = Rule{"a query changes nothing",
		"replicas answer queries by themselves, and those that do not answer this one are now in another state"}
	SameQueries = Rule{"machines in one state answer a query alike",
		"a query must read what Apply changes and Restore brings back: a cache must be kept up to date, or dropped, " +
			"by both"}
	Invariant = Rule{"the invariant holds", ""}
)

var rules = []Rule{Fresh, NoPanic, NoFailure, NoGoroutine, Deterministic, LeavesBody, LeavesResult, Frozen, Restores,
	Replaces, PureQuery, SameQueries, Invariant}

// Has reports whether the contract has a rule of that name.
func Has(name string) bool {
	for _, r := range rules {
		if r.Name == name {
			return true
		}
	}
	return false
}

// Broken is the error of a machine that breaks a rule.
type Broken struct {
	Rule string
	Text string
	Op   uint64 // the number of the operation that breaks it; 0: unknown
}

func (b *Broken) Error() string { return b.Text }

// Broken returns an error that describes how the rule is broken, and adds the remedy.
func (r Rule) Broken(format string, args ...any) error {
	text := fmt.Sprintf(format, args...)
	if r.Remedy != "" {
		text += "\n" + r.Remedy
	}
	return &Broken{Rule: r.Name, Text: text}
}

// Breaks reports whether err is a breach of the rule.
func (r Rule) Breaks(err error) bool {
	b, ok := errors.AsType[*Broken](err)
	return ok && b.Rule == r.Name
}

// SameResult returns an error if the bytes that an operation returned have changed since: was is a copy made then.
func SameResult(op string, was, returned []byte, later string) error {
	if bytes.Equal(was, returned) {
		return nil
	}
	before, after := excerpt.Apart(was, returned)
	return LeavesResult.Broken("%s returned %s, and %s that result is %s", op, before, later, after)
}
