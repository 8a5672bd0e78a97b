package smrtest

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/smr-go/smr/internal/contract"
	"github.com/smr-go/smr/smrtest/internal/stray"
)

// sharesNothing has one machine apply all, and looks at another that has done nothing, and at a new
// one. It is the first check of all: machines that share something have not shared it before.
func sharesNothing(_ *testing.T, m machines) error {
	idle, err := m.start()
	if err != nil {
		return err
	}
	before, err := idle.looks(manyLooks)
	if err != nil {
		return nil // another rule
	}
	fresh, err := m.start()
	if err != nil {
		return err
	}
	if err := fresh.isStill(before, "two machines that New returned, to which nothing was applied, are in different states"); err != nil {
		return contract.Fresh.Broken("%v", err)
	}
	if _, err := m.run(); err != nil {
		return nil // another rule
	}
	err = idle.isStill(before, "a machine to which nothing was applied has changed while operations were applied to another")
	if fresh, err2 := m.start(); err == nil && err2 == nil {
		err = fresh.isStill(before, "after operations were applied to one machine, New returns others that are not in the initial state")
	}
	if err != nil {
		return contract.Fresh.Broken("%v", err)
	}
	return nil
}

// isStill compares the state with one that was seen.
func (r *run) isStill(before [][]byte, otherwise string) error {
	now, err := r.looks(manyLooks)
	if err != nil {
		return nil // another rule
	}
	if difference := differ(before, now); difference != "" {
		return fmt.Errorf("%s: %s", otherwise, difference)
	}
	return nil
}

func doesNotPanic(_ *testing.T, m machines) error {
	_, err := m.run()
	return err
}

// doesNotFail takes snapshots, and restores each into a new machine.
func doesNotFail(_ *testing.T, m machines) error {
	points := m.points()
	_, err := m.runWith(func(r *run) error {
		if !slices.Contains(points, r.next) {
			return nil
		}
		f, err := r.freeze()
		if err != nil {
			return err
		}
		written, err := f.bytes()
		if err != nil {
			return err
		}
		fresh, err := m.start()
		if err != nil {
			return err
		}
		return fresh.restore(f, bytes.NewReader(written))
	})
	return err
}

// leavesNothing labels every call, and so all goroutines that it starts. What the package starts once
// for all has been started by earlier checks.
func leavesNothing(_ *testing.T, m machines) error {
	mine := stray.NewLabel()
	in := func(call string, f func() error) (err error) {
		mine.Do(func() { err = f() }, callLabel, call)
		return err
	}
	var r *run
	if err := in("new", func() (err error) { r, err = m.start(); return err }); err != nil {
		return err
	}
	for i := range m.ops {
		if err := in("Apply of "+m.name(i), func() error { return r.apply(i + 1) }); err != nil {
			return err
		}
	}
	var f frozen
	var written []byte
	for _, call := range []struct {
		name string
		do   func() error
	}{
		{"Snapshot", func() (err error) { f, err = r.freeze(); return err }},
		{"WriteTo", func() (err error) { written, err = f.bytes(); return err }},
		{"Restore", func() error { return r.restore(f, bytes.NewReader(written)) }},
	} {
		if err := in(call.name, call.do); err != nil {
			return err
		}
	}
	var left string
	for range 100 { // one may be just about to end
		if left = mine.Stacks(); left == "" {
			return nil
		}
		time.Sleep(10 * time.Millisecond)
	}
	call := "one of its methods"
	if _, rest, ok := strings.Cut(left, `"`+callLabel+`":`); ok {
		if quoted, err := strconv.QuotedPrefix(rest); err == nil {
			call, _ = strconv.Unquote(quoted)
		}
	}
	return leftBehind("in "+call, left)
}

const callLabel = "smrtest.call"
