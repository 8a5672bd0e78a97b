package smrtest

import (
	"bytes"
	"time"

	"github.com/smr-go/smr/internal/contract"
)

// way is one of the ways to make a machine and have it apply all operations.
type way func(m machines) (*run, error)

const (
	looksKept = 64 << 20 // bytes of snapshots, at most, that a watched run holds for a comparison

	// What chance decides happens now here, now there. So runs are watched again and again, for a
	// while, until so many have been seen to part.
	partings   = 5
	reruns     = 50
	rerunsTime = time.Second
)

// lookout says when to look at the state of a machine. The zero lookout never looks.
type lookout struct {
	Every int // so many operations, and at the end
	Looks int // at the same state, by as many snapshots: to see whether they vary by themselves
}

// earlier is err, which says that two runs part, or, where it can be found, the earliest operation
// at which two runs of the same ways do: a state may go wrong long before a result shows it. So the
// runs are done again, and their states looked at after each operation.
func (m machines) earlier(err error, why string, first, second way) error {
	best, ok := err.(*parting)
	if !ok {
		return err
	}
	if m.watch = m.closely(); m.watch.Every == 0 {
		return err
	}
	seen := 0
	for i, began := 0, time.Now(); i < reruns && seen < partings && time.Since(began) < rerunsTime; i++ {
		a, err := first(m)
		if err != nil {
			break
		}
		b, err := second(m)
		if err != nil {
			break
		}
		p := a.parts(b, why)
		if p == nil {
			continue
		}
		if seen++; p.op < best.op {
			best = p
		}
	}
	return best
}

// closely is to look after every operation, or as often as can be held; never if there is no
// looking at the machines.
func (m machines) closely() lookout {
	_, written, err := m.last()
	if err != nil {
		return lookout{}
	}
	const twice = 2
	return lookout{Every: 1 + len(m.ops)*len(written)*twice/looksKept, Looks: twice}
}

// watched looks at the state if it is time.
func (r *run) watched() error {
	if r.watch.Every == 0 || r.next%r.watch.Every != 0 && r.next != len(r.ops) {
		return nil
	}
	looks, err := r.looks(r.watch.Looks)
	if err != nil {
		return err
	}
	if r.states == nil {
		r.states = map[int][][]byte{}
	}
	r.states[r.next] = looks
	return nil
}

// parts returns the first parting of two watched runs, of which other may have begun later; nil if
// there is none.
func (r *run) parts(other *run, why string) *parting {
	differ := differAnyhow
	if r.steady() && other.steady() {
		differ = func(a, b [][]byte) string { return contract.Difference(a[0], b[0]) }
	}
	for n := other.first; n <= other.next; n++ {
		a, seen := r.states[n]
		b, seenToo := other.states[n]
		if seen && seenToo {
			if d := differ(a, b); d != "" {
				return r.otherState(n, d, why)
			}
		}
		if n == other.next {
			break
		}
		if p := r.sameResult(n, r.results[n], other.results[n-other.first], why); p != nil {
			return p
		}
	}
	return nil
}

// steady reports whether no state was ever written in two ways.
func (r *run) steady() bool {
	for _, looks := range r.states {
		if !alike(looks, bytes.Equal) {
			return false
		}
	}
	return true
}
