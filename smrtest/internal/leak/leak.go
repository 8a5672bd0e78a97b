// Package leak finds goroutines that outlive the code that started them.
package leak

import (
	"bytes"
	"context"
	"fmt"
	"runtime/pprof"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
)

// Label marks goroutines. Each label is another one.
type Label string

// key is the key of every label in a profile.
const key = "smrtest"

var labels atomic.Int64

// NewLabel returns a label that no goroutine has.
func NewLabel() Label { return Label(strconv.FormatInt(labels.Add(1), 10)) }

// Mark gives the caller's goroutine the label until unmark is called, in the same goroutine. Goroutines that it starts in
// that time, and those that they start, keep it. pairs are further keys and values, which Stacks shows.
func (l Label) Mark(pairs ...string) (unmark func()) {
	none := context.Background()
	pprof.SetGoroutineLabels(pprof.WithLabels(none, pprof.Labels(append(pairs, key, string(l))...)))
	return func() { pprof.SetGoroutineLabels(none) }
}

// Do calls f with the label.
func (l Label) Do(f func()) {
	defer l.Mark()()
	f()
}

// Stacks returns the stacks of the goroutines that have the label now, each ended by an empty line;
// "" if there are none.
func (l Label) Stacks() string {
	var all bytes.Buffer
	pprof.Lookup("goroutine").WriteTo(&all, 1)
	var found strings.Builder
	_, stacks, _ := strings.Cut(all.String(), "\n") // the first line is a title
	for stack := range strings.SplitSeq(stacks, "\n\n") {
		if strings.Contains(stack, `"`+key+`":"`+string(l)+`"`) {
			count, _ := strconv.Atoi(stack[:max(0, strings.Index(stack, " @"))])
			found.WriteString(strings.Repeat(stack+"\n\n", count))
		}
	}
	return found.String()
}

// Bubble runs f in a testing/synctest bubble, where time.Now begins in the year 2000 and passes only
// while all goroutines wait. It returns the stacks of the goroutines that f left blocked there.
func Bubble(t *testing.T, f func()) (left string) {
	label := NewLabel()
	defer func() {
		p := recover()
		if p != nil && !strings.Contains(fmt.Sprint(p), "blocked goroutines remain") {
			panic(p)
		}
		if p != nil {
			left = label.Stacks()
		}
	}()
	synctest.Test(t, func(*testing.T) { label.Do(f) })
	return ""
}
