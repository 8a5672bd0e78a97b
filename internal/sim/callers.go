package sim

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/smr-go/smr/internal/excerpt"
	"github.com/smr-go/smr/internal/shell"
	"github.com/smr-go/smr/internal/sim/judge"
	"github.com/smr-go/smr/internal/vsr"
)

// Outcome is how a call ended.
type Outcome uint8

// The outcomes (X4).
const (
	Pending Outcome = iota
	Answered
	NotApplied // not applied, and never will be
	Unknown
)

// Call is an operation under way, or ended, at a replica.
type Call struct {
	Operation
	Host    int
	Outcome Outcome
	Result  []byte        // of a command
	Err     error         // of a command that was not applied: as Replica.Propose returns it
	Value   any           // of a read
	At      uint64        // the op of a command, or of the state that a read saw
	Began   time.Duration // virtual time
	Ended   time.Duration
	Caller  int // the number of the caller

	then   func() // called when it has ended; may be nil
	judged judge.Call
	at     *process
	call   shell.Call // of a command
	read   shell.Read // of a read
}

// waiting is a call that the shell has.
type waiting struct{ *Call }

// Done ends a command.
func (w waiting) Done(result []byte, err error) {
	c, p := w.Call, w.Call.at
	if c.Outcome != Pending {
		return // its process has ended
	}
	p.proposals = without(p.proposals, c)
	switch {
	case err == nil:
		p.s.answer(p, c, result)
	case errors.Is(err, shell.ErrNotApplied):
		c.Err = err
		p.s.refuse(p, c)
	case errors.Is(err, shell.ErrUnknown):
		p.s.unknown(p, c)
	default:
		p.s.fail("X4", "%s: %s ends with an error of no kind: %v", p.h.id, c, err)
	}
}

// Ready runs a read.
func (w waiting) Ready() {
	c, p := w.Call, w.Call.at
	if c.Outcome == Pending {
		p.reads = without(p.reads, c)
		p.s.read(p, c)
	}
}

// take passes a call to the process.
func (p *process) take(c *Call) {
	c.at = p
	if c.Body != nil {
		c.call = shell.Call{Body: c.Body, Caller: waiting{c}}
		p.proposals = append(p.proposals, c)
		p.queue(shell.Input{Call: &c.call})
		return
	}
	c.read = shell.Read{AtLeast: vsr.OpNumber(c.Op), Linearizable: c.Level == Linearizable, Reader: waiting{c}}
	if c.read.Runs(p.shell.Applier.Op()) {
		p.s.read(p, c)
		return
	}
	p.reads = append(p.reads, c)
	p.queue(shell.Input{Do: func(l *shell.Loop) { l.Read(&c.read) }})
}

// errCancelled is the reason of a cancelled call.
var errCancelled = errors.New("the caller gives up")

// cancel cancels a call.
func (p *process) cancel(c *Call) {
	p.queue(shell.Input{Do: func(l *shell.Loop) {
		switch {
		case c.Outcome != Pending:
		case c.Body != nil:
			l.Cancel(&c.call, errCancelled)
		default:
			l.CancelRead(&c.read)
			p.reads = without(p.reads, c)
			p.s.unknown(p, c)
		}
	}})
}

func without(calls []*Call, c *Call) []*Call {
	if i := slices.Index(calls, c); i >= 0 {
		return slices.Delete(calls, i, i+1)
	}
	return calls
}

// gone ends all waiting calls without an outcome, because the process has ended.
func (p *process) gone() {
	all := slices.Concat(p.proposals, p.reads)
	p.proposals, p.reads = nil, nil
	for _, c := range all {
		p.s.unknown(p, c)
	}
}

// asked describes a read by its name and its input.
func (c *Call) asked() string {
	switch in := c.Input.(type) {
	case nil:
		return c.Operation.Name
	case string, []byte:
		return fmt.Sprintf("%s %.60q", c.Operation.Name, in)
	default:
		return fmt.Sprintf("%s %.60v", c.Operation.Name, in)
	}
}

func (c *Call) String() string {
	what := c.Operation.Name
	switch {
	case c.Body != nil && c.Describe != nil:
		what = c.Describe(c.Body)
	case c.Body != nil:
		what += " " + excerpt.Of(c.Body)
	}
	switch c.Outcome {
	case Answered:
		if c.Body != nil {
			return fmt.Sprintf("%s: %s at op %d", what, excerpt.Of(c.Result), c.At)
		}
		return fmt.Sprintf("%s: %v at op %d", what, c.Value, c.At)
	case NotApplied:
		return what + ": not applied"
	case Unknown:
		return what + ": unknown"
	}
	return what
}
