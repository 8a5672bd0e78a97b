package smrtest

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/smr-go/smr/internal/contract"
	"github.com/smr-go/smr/smrtest/internal/leak"
)

// bubble runs f in a bubble of its own, and returns an error if goroutines are left in it.
func bubble(t *testing.T, f func()) (left error) {
	if stacks := leak.Bubble(t, f); stacks != "" {
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
	defer timed("")(func() string { return what })()
	return contract.Guard(what, f)
}

// tooLong is the real time after which a call of the user's code is reported.
var tooLong = 10 * time.Second

// say writes a line to stderr at once: the log of a test is lost if its process runs out of time.
var say = func(text string) { fmt.Fprintln(os.Stderr, text) }

// timed returns a function that reports a call which begins when it is called and has not ended after tooLong. The function
// that this one returns marks the end. of is added to the name of the call.
func timed(of string) func(what func() string) (ended func() bool) {
	return func(what func() string) (ended func() bool) {
		patience, say := tooLong, say
		return time.AfterFunc(patience, func() {
			say(fmt.Sprintf("smrtest: %s%s has not returned for %v", what(), of, patience))
		}).Stop
	}
}

// ofSeed names the run of a seed for timed.
func ofSeed(test string, seed uint64) string { return fmt.Sprintf(" (%s, seed %d)", test, seed) }
