package smrtest

import (
	"bytes"
	"fmt"

	"github.com/smr-go/smr/internal/contract"
	"github.com/smr-go/smr/internal/excerpt"
)

// same checks that other, which applied all operations or the last ones, has the results and the final state of r, which
// applied all. why describes the two runs. It uses up other's machine, and leaves r's as it is.
func (r *run) same(other *run, why string) error {
	for i := other.first; i < other.next; i++ {
		if p := r.sameResult(i, r.results[i], other.results[i-other.first], why); p != nil {
			return p
		}
	}
	if err := r.sameState(other, why); err != nil {
		return err
	}
	return r.sameEncore(other, why+", with all operations applied once more,")
}

// parting is the error of two runs that differ, with the first operation at which that shows.
type parting struct {
	op   int // of ops; -1: before any; from len(ops) on: in the second round
	text string
}

func (p *parting) Error() string { return p.text }

func (r *run) sameResult(i int, a, b []byte, why string) *parting {
	if bytes.Equal(a, b) {
		return nil
	}
	first, second := excerpt.Apart(a, b)
	return &parting{i, fmt.Sprintf("%s differ from %s on: its result is %s in the first and %s in the second", why, r.name(i), first, second)}
}

// sameEncore applies a second round of all operations, because a difference that the last ones made may not have shown yet.
func (r *run) sameEncore(other *run, why string) error {
	if r.encored == nil {
		twin, err := r.run()
		if err != nil {
			return err
		}
		if r.encored, err = twin.encore(); err != nil {
			return err
		}
	}
	if other.encored == nil {
		var err error
		if other.encored, err = other.encore(); err != nil {
			return err
		}
	}
	again := &run{machines: machines{kit: r.kit, ops: r.more}}
	for i := range r.encored {
		if p := again.sameResult(i, r.encored[i], other.encored[i], why); p != nil {
			p.op += len(r.ops)
			return p
		}
	}
	return nil
}

// encore applies a second round of the same bodies to a machine that has reached the end.
func (r *run) encore() ([][]byte, error) {
	again := &run{machines: machines{kit: r.kit, ops: r.more}, machine: r.machine}
	err := again.apply(len(again.ops))
	return again.results, err
}

// sameState compares the two states by their snapshots, and leaves both as they are.
func (r *run) sameState(other *run, why string) error {
	a, err := r.looks(1)
	if err != nil {
		return err
	}
	b, err := other.looks(1)
	if err != nil || bytes.Equal(a[0], b[0]) {
		return err
	}
	if a, err = r.looks(manyLooks); err != nil {
		return err
	}
	if b, err = other.looks(manyLooks); err != nil {
		return err
	}
	if difference := differ(a, b); difference != "" {
		return r.otherState(r.next, difference, why)
	}
	return nil
}

// otherState is the parting of two runs that are in different states after n operations.
func (r *run) otherState(n int, difference, why string) *parting {
	return &parting{n - 1, fmt.Sprintf("%s are in different states after %s: %s", why, r.after(n), difference)}
}

// after names the last of n operations.
func (m machines) after(n int) string {
	if n == 0 {
		return "no operation"
	}
	return m.name(n - 1)
}

// manyLooks is the number of snapshots of one state that show whether they vary, as those written in the order of a map do.
// Two orders are mistaken for two states in less than one of 4^manyLooks comparisons.
const manyLooks = 24

// looks returns n snapshots of the same state.
func (r *run) looks(n int) (all [][]byte, err error) {
	for range n {
		snapshot, err := r.snapshot()
		if err != nil {
			return nil, err
		}
		all = append(all, snapshot)
	}
	return all, nil
}

// differ describes how two states differ, given several snapshots of each; "" if they may be equal. If the snapshots of one
// state differ, only the number of each byte is compared, because the order of a map does not change that.
func differ(a, b [][]byte) string {
	if alike(a, bytes.Equal) && alike(b, bytes.Equal) {
		return contract.Difference(a[0], b[0])
	}
	return differAnyhow(a, b)
}

// differAnyhow describes how two states differ whose snapshots vary.
func differAnyhow(a, b [][]byte) string {
	if alike(a, contract.Shuffled) && alike(b, contract.Shuffled) && !contract.Shuffled(a[0], b[0]) {
		return fmt.Sprintf("snapshots of %d and %d bytes, which differ in any order of their bytes", len(a[0]), len(b[0]))
	}
	return ""
}

// alike reports whether all are equal to the first.
func alike(all [][]byte, equal func(a, b []byte) bool) bool {
	for _, one := range all[1:] {
		if !equal(all[0], one) {
			return false
		}
	}
	return true
}
