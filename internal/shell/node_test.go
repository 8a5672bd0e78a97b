package shell

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr/internal/vfs"
	"github.com/smr-go/smr/internal/vsr"
)

// node is one member, and the driver of its shell.
type node struct {
	g     *group
	i     vsr.Index
	disk  *vfs.Mem
	shell *Shell
	user  list
	state vsr.State
	cut   bool // from the others
	held  work // does not happen

	inputs  []Input
	tasks   []task
	notes   []Note
	failed  error
	retryAt time.Time // of the writer, on a full disk; zero if it does not wait
	turns   int
	starts  int
}

// work names what a test can hold back.
type work struct {
	loop, writer, applier, fetcher bool
	tasks                          [TryAgain + 1]bool
}

type task struct {
	Task
	do func()
}

var _ Driver = (*node)(nil)

func (n *node) Write(w Write)                { n.shell.Writer.Add(w) }
func (n *node) Fetch(s vsr.FetchStep)        { n.shell.Fetcher.Add(s) }
func (n *node) Turned(s *vsr.State)          { n.state = *s }
func (n *node) Apply(j Job)                  { n.shell.Applier.Add(j) }
func (n *node) Tell(in Input)                { n.inputs = append(n.inputs, in) }
func (n *node) Note(x Note)                  { n.notes = append(n.notes, x) }
func (n *node) Stopping() bool               { return n.failed != nil }
func (n *node) Background(t Task, do func()) { n.tasks = append(n.tasks, task{t, do}) }

func (n *node) Send(p Packet) {
	for _, to := range p.To {
		n.g.mail = append(n.g.mail, letter{n.i, to, p.Bytes})
	}
}

// Fail stops the replica: the loop answers those that wait.
func (n *node) Fail(err error) {
	if n.failed == nil {
		n.failed = err
	}
}

// do has the loop run f in its next turn.
func (n *node) do(f func(l *Loop)) { n.Tell(Input{Do: f}) }

// work does what waits and is not held back. It reports whether there was anything.
func (n *node) work() (worked bool) {
	if n.failed != nil {
		n.shell.Loop.Stop(n.failed, n.inputs)
		n.inputs = nil
		return false
	}
	if !n.held.loop && (len(n.inputs) > 0 || !n.g.now.Before(n.shell.Loop.Deadline())) {
		n.turn()
		worked = true
	}
	if !n.held.writer {
		worked = n.write() || worked
	}
	for !n.held.applier && n.failed == nil && !n.shell.Applier.Idle() {
		n.applyStep()
		worked = true
	}
	for !n.held.fetcher && n.shell.Fetcher.Step() {
		worked = true
	}
	return n.background() || worked
}

// turn runs one turn of the loop with all inputs that wait.
func (n *node) turn() {
	inputs := n.inputs
	n.inputs = nil
	n.turns++
	n.shell.Loop.Begin(n.g.now)
	for i := range inputs {
		n.shell.Loop.Handle(&inputs[i])
	}
	n.shell.Loop.End()
}

// write writes all that waits. It tries again on a full disk when time has passed.
func (n *node) write() (worked bool) {
	w := &n.shell.Writer
	for n.failed == nil {
		switch {
		case !n.retryAt.IsZero() && n.g.now.Before(n.retryAt):
			return worked
		case n.retryAt.IsZero() && !w.Begin():
			return worked
		}
		again, err := w.Perform(n.g.now)
		n.retryAt = time.Time{}
		if err != nil {
			n.Fail(err)
		} else if again > 0 {
			n.retryAt = n.g.now.Add(again)
		}
		worked = true
	}
	return worked
}

// applyStep runs one step of the applier.
func (n *node) applyStep() {
	done, err := n.shell.Applier.Step()
	if err != nil {
		n.Fail(err)
	} else if done != nil {
		n.Tell(Input{Applied: done})
	}
}

// background does the tasks that are not held back.
func (n *node) background() (worked bool) {
	tasks := n.tasks
	n.tasks = nil
	for i, x := range tasks {
		if n.held.tasks[x.Task] {
			n.tasks = append(n.tasks, tasks[i])
			continue
		}
		x.do()
		worked = true
	}
	return worked
}

// noted reports whether the operator was told text.
func (n *node) noted(text string) bool {
	return slices.ContainsFunc(n.notes, func(x Note) bool { return x.Text == text })
}

// caller is a caller of this test.
type caller struct {
	Call
	ended  int
	result string
	err    error
}

// Done implements Caller.
func (c *caller) Done(result []byte, err error) {
	c.ended, c.result, c.err = c.ended+1, string(result), err
}

// propose begins a call.
func (n *node) propose(body string) *caller {
	c := &caller{}
	c.Call = Call{Body: []byte(body), Caller: c}
	in, err := n.shell.Propose(&c.Call)
	if err != nil {
		c.Done(nil, err)
		return c
	}
	n.Tell(in)
	return c
}

var errGaveUp = errors.New("gave up")

// cancel gives a call up.
func (n *node) cancel(c *caller) { n.do(func(l *Loop) { l.Cancel(&c.Call, errGaveUp) }) }

// must proposes and waits for the result.
func (n *node) must(body string) string {
	n.g.t.Helper()
	c := n.propose(body)
	n.g.until(fmt.Sprintf("%q is applied", body), func() bool { return c.ended > 0 })
	require.NoError(n.g.t, c.err)
	return c.result
}

// fill proposes n operations one after the other.
func (n *node) fill(count int, prefix string) {
	n.g.t.Helper()
	for i := range count {
		n.must(fmt.Sprint(prefix, i))
	}
}
