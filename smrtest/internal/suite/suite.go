// Package suite runs the checks of a contract, each in a subtest of its own.
package suite

import (
	"errors"
	"testing"
)

// Rule is a sentence of a contract, and a check that finds breaches. Checks return errors instead of failing a test, so
// that they can be tested themselves.
type Rule[S any] struct {
	Name  string
	Check func(t *testing.T, subject S) error
	First bool   // if it is broken, the rules after it are not checked
	After string // a rule; if that is broken, this one is not checked
}

// Enforce checks the rules on subject.
func Enforce[S any](t *testing.T, rules []Rule[S], subject S) {
	t.Helper()
	broken := map[string]bool{}
	for _, r := range rules {
		kept := t.Run(r.Name, func(t *testing.T) {
			t.Helper()
			if broken[r.After] {
				t.Skipf("not checked until this rule holds: %s", r.After)
			}
			err := r.Check(t, subject)
			if IsUnable(err) {
				t.Skip(err)
			}
			if err != nil {
				t.Error(err)
			}
		})
		broken[r.Name] = !kept
		if r.First && !kept {
			t.Log("the other rules are not checked until this one holds")
			return
		}
	}
}

// Unable is the error of a check that cannot be made here, and the reason.
type Unable string

func (u Unable) Error() string { return string(u) }

// IsUnable reports whether a check could not be made.
func IsUnable(err error) bool {
	_, is := errors.AsType[Unable](err)
	return is
}
