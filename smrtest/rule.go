package smrtest

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/smr-go/smr/internal/contract"
	"github.com/smr-go/smr/smrtest/internal/stray"
)

// rule is one check of a suite: a sentence of the contract, and a function that finds breaches. Checks return errors instead
// of failing a test, so that they can be tested themselves.
type rule[S any] struct {
	name  string
	check func(t *testing.T, subject S) error
	first bool   // if it is broken, the rules after it are not checked
	after string // a rule; if that is broken, this one is not checked
}

// enforce checks the rules on subject, each in a subtest of its own.
func enforce[S any](t *testing.T, rules []rule[S], subject S) {
	t.Helper()
	broken := map[string]bool{}
	for _, r := range rules {
		kept := t.Run(r.name, func(t *testing.T) {
			t.Helper()
			if broken[r.after] {
				t.Skipf("not checked until this rule holds: %s", r.after)
			}
			err := r.check(t, subject)
			if _, skip := errors.AsType[unable](err); skip {
				t.Skip(err)
			}
			if err != nil {
				t.Error(err)
			}
		})
		broken[r.name] = !kept
		if r.first && !kept {
			t.Log("the other rules are not checked until this one holds")
			return
		}
	}
}

// unable is the error of a check that cannot be made here, and the reason.
type unable string

func (u unable) Error() string { return string(u) }

// bubble runs f in a bubble of its own, and returns an error if goroutines are left in it.
func bubble(t *testing.T, f func()) (left error) {
	if stacks := stray.Bubble(t, f); stacks != "" {
		return leftBehind("in one of its methods", stacks)
	}
	return nil
}

// leftBehind is the error of goroutines that a state machine has left.
func leftBehind(where, stacks string) error {
	first, _, _ := strings.Cut(stacks, "\n\n")
	return contract.NoGoroutine.Broken("the state machine left a goroutine behind %s\n%.2000s", where, first)
}

// guard is contract.Guard, and reports a call that takes too long.
func guard(what string, f func() error) error {
	defer timed(func() string { return what }, "")()
	return contract.Guard(what, f)
}

// tooLong is the real time after which a call of the user's code is reported.
var tooLong = 10 * time.Second

// say writes to stderr at once: a test that hangs shows nothing else before -timeout ends it.
var say = func(text string) { fmt.Fprintln(os.Stderr, text) }

// timed reports a call that begins now and has not ended after tooLong. The function that it returns marks the end.
func timed(what func() string, of string) (ended func() bool) {
	patience, say := tooLong, say
	return time.AfterFunc(patience, func() {
		say(fmt.Sprintf("smrtest: %s%s has not returned for %v", what(), of, patience))
	}).Stop
}

// timedAs is timed for the run of a seed.
func timedAs(test string, seed uint64) func(what func() string) (ended func() bool) {
	of := fmt.Sprintf(" (%s, seed %d)", test, seed)
	return func(what func() string) (ended func() bool) { return timed(what, of) }
}
