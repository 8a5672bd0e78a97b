package smrtest

import (
	"bytes"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/smr-go/smr/smrtest/internal/stray"
)

// leavesNothing labels every call, and so all goroutines that it starts. Goroutines that the package starts only once have
// been started by earlier checks.
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
