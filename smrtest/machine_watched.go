package smrtest

import (
	"bytes"

	"github.com/smr-go/smr/internal/contract"
)

// way makes a machine and applies all operations to it.
type way func(m machines) (*run, error)

// looksKept is the limit of the bytes of snapshots that a watched run holds for a comparison.
const looksKept = 64 << 20

// lookout decides when to look at the state of a machine. The zero lookout never looks.
type lookout struct {
	Every int // that many operations, and at the end
	Looks int // snapshots of the same state, to see whether they vary
}

// earlier returns an earlier parting of two runs of these ways, or else err, which is a parting: a state may go wrong long
// before a result shows it. So it repeats the runs and looks at their states after each operation.
func (m machines) earlier(err error, why string, first, second way) error {
	best, ok := err.(*parting)
	if m.watch = m.closely(); !ok || m.watch.Every == 0 {
		return err
	}
	a, err1 := first(m)
	b, err2 := second(m)
	if err1 != nil || err2 != nil {
		return err
	}
	if p := a.parts(b, why); p != nil && p.op < best.op {
		return p
	}
	return err
}

// closely is the lookout after every operation, or as often as memory allows; never if snapshots fail.
func (m machines) closely() lookout {
	_, written, err := m.last()
	if err != nil {
		return lookout{}
	}
	const twice = 2
	return lookout{Every: 1 + len(m.ops)*len(written)*twice/looksKept, Looks: twice}
}

// watched looks at the state if the lookout demands it.
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

// parts returns the first parting of two watched runs, or nil. other may have begun later.
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
