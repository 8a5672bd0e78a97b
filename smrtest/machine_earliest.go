package smrtest

import (
	"bytes"
	"time"

	"github.com/smr-go/smr/internal/contract"
)

// way makes a machine and applies all operations to it.
type way func(m machines) (*run, error)

const (
	looksKept = 64 << 20 // bytes of snapshots, at most, that a watched run holds for a comparison

	// A mistake that depends on chance shows at different operations. So runs are repeated for a while, until that many
	// have differed.
	partings   = 5
	reruns     = 50
	rerunsTime = time.Second
)

// lookout decides when to look at the state of a machine. The zero lookout never looks.
type lookout struct {
	Every int // that many operations, and at the end
	Looks int // snapshots of the same state, to see whether they vary
}

// earlier returns the earliest parting that it finds of two runs of these ways, or else err, which is a parting: a state may
// go wrong long before a result shows it. So it repeats the runs and looks at their states after each operation.
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
