package smrtest

import (
	"errors"
	"fmt"
	"runtime/debug"
	"testing"
	"testing/synctest"
)

// rule is one check of a suite: a sentence of the contract, and what finds that it is broken.
// Checks return errors rather than fail a test, so that they can be tested themselves.
type rule[S any] struct {
	name  string
	check func(t *testing.T, subject S) error
	first bool   // if it is broken the rules after it tell nothing
	after string // a rule; if that is broken this one tells nothing
}

// enforce checks the rules on subject, each in a subtest of its own.
func enforce[S any](t *testing.T, rules []rule[S], subject S) {
	t.Helper()
	broken := map[string]bool{}
	for _, r := range rules {
		kept := t.Run(r.name, func(t *testing.T) {
			t.Helper()
			if broken[r.after] {
				t.Skipf("it tells nothing before this one is kept: %s", r.after)
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
			t.Log("the other rules cannot be checked before this one is kept")
			return
		}
	}
}

// unable is the error of a check that cannot be made here; it says why.
type unable string

func (u unable) Error() string { return string(u) }

// elsewhen runs f where time.Now is another: in a bubble of virtual time, which begins in the year
// 2000 and passes only by time.Sleep.
func elsewhen(t *testing.T, f func() error) (err error) {
	synctest.Test(t, func(*testing.T) { err = f() })
	return err
}

// guard calls f and returns its panic as an error that says what f was about, as fmt prints it.
func guard(what any, f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &panicError{fmt.Sprintf("%v panicked: %v\n%s", what, p, debug.Stack())}
		}
	}()
	return f()
}

// panicError is a panic that guard caught.
type panicError struct{ text string }

func (e *panicError) Error() string { return e.text }

// panicked reports whether err is a panic's.
func panicked(err error) bool {
	_, ok := errors.AsType[*panicError](err)
	return ok
}
