package smrtest

import (
	"errors"
	"slices"
	"testing"

	"github.com/smr-go/smr/internal/contract"
)

// exactly returns the check of a rule that is checked operation by operation. The first such check runs them all.
func exactly(r contract.Rule) func(t *testing.T, m machines) error {
	return func(_ *testing.T, m machines) error {
		err := m.exact()
		if b, ok := errors.AsType[*contract.Broken](err); ok && b.Rule != r.Name {
			return nil
		}
		return err
	}
}

const (
	windows = 32 // in which operations are applied at first
	closer  = 5  // looks at the window in which something was found
)

// find returns the error of the first operation at which a broken rule shows. It applies a second round of all operations,
// because a difference that the last ones made may not have shown yet.
func (m machines) find(siblings int) error {
	every := 1 + len(m.ops)/windows
	at, err := m.apart(siblings, every, 2*len(m.ops), 2*len(m.ops))
	for range closer {
		if err == nil || every == 1 {
			break
		}
		if n, e := m.apart(siblings, every, at+1, at-2*every); e != nil && n <= at { // a mistake that depends on chance may show elsewhere, or not at all
			at, err = n, e
		}
	}
	return err
}

// apart applies the first n operations, in windows of that many, and one by one from ops[closely] on. It returns the
// operation at which a broken rule shows.
func (m machines) apart(siblings, every, n, closely int) (at int, err error) {
	w, err := contract.NewWitness(m.kit, every, siblings)
	if err != nil {
		return 0, err
	}
	ops := slices.Concat(m.ops, m.more)[:n]
	for i, op := range ops {
		if i >= closely || i == len(ops)-1 {
			w.Every = 1
		}
		if _, _, err := w.Execute(op); err != nil {
			return i, err
		}
	}
	return n - 1, w.Doubt()
}
