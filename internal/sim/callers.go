package sim

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/smr-go/smr"
	"github.com/smr-go/smr/internal/contract"
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
	Err     error         // as Replica.Propose or Read returns it, of a command that was not applied or a read refused
	Value   any           // of a read
	At      uint64        // the op of a command, or of the state that a read saw
	Began   time.Duration // virtual time
	Ended   time.Duration
	Caller  int // the number of the caller

	then   func()        // called when it has ended; may be nil
	cancel time.Duration // after which its caller gives up; 0: never
	plan   *planned      // in a schedule; may be nil
	final  bool          // it is a finalCaller's
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
		if errors.Is(err, shell.ErrNoResult) {
			p.served(c) // it has been applied
		}
		p.s.unknown(p, c)
	default:
		p.s.fail("X4", "%s: %s ends with an error of no kind: %v", p.h.id, c, err)
	}
}

// Ready runs a read, or ends one that is refused.
func (w waiting) Ready(err error) {
	c, p := w.Call, w.Call.at
	if c.Outcome != Pending {
		return
	}
	p.reads = without(p.reads, c)
	if c.Err = err; err != nil {
		p.s.unknown(p, c)
		return
	}
	p.s.read(p, c)
}

// take passes a call to the process.
func (p *process) take(c *Call) {
	c.at = p
	if c.Body != nil {
		c.call = shell.Call{Body: c.Body, Caller: waiting{c}}
		p.proposals = append(p.proposals, c)
		in, err := p.shell.Propose(&c.call)
		if err != nil {
			c.call.Caller.Done(nil, err)
			return
		}
		p.queue(in)
		return
	}
	c.read = shell.Read{AtLeast: vsr.OpNumber(c.Least), Linearizable: !c.Stale, Reader: waiting{c}}
	if c.read.Runs(p.shell.Applier.Op()) {
		p.s.read(p, c)
		return
	}
	p.reads = append(p.reads, c)
	p.queue(shell.Input{Read: &c.read})
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

// dropCalls ends all waiting calls without an outcome, because the process has ended.
func (p *process) dropCalls() {
	all := slices.Concat(p.proposals, p.reads)
	p.proposals, p.reads = nil, nil
	for _, c := range all {
		p.s.unknown(p, c)
	}
}

// query describes a read by its name and its input.
func (o *Operation) query() string {
	switch in := o.Input.(type) {
	case nil, struct{}:
		return o.Name
	case string:
		return o.Name + " " + excerpt.Of([]byte(in))
	case []byte:
		return o.Name + " " + excerpt.Of(in)
	default:
		return fmt.Sprintf("%s %.60s", o.Name, fmt.Sprintf("%+v", in))
	}
}

func (c *Call) String() string {
	what := c.query()
	switch {
	case c.Body != nil && c.Describe != nil:
		what = c.Describe(c.Body)
	case c.Body != nil:
		what = c.Operation.Name + " " + excerpt.Of(c.Body)
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

// Work is the state machine of a group, and the operations of its callers.
type Work struct {
	contract.Kit // makes and tests the machines; Careful has the witness compare states after each operation
	// Next returns a caller's next operation. If it is nil, the test makes all calls.
	Next func(r *rand.Rand) Operation
	// Named returns the operation of a schedule: a command with that body or, if body is nil, what Next made of the
	// seed.
	Named func(name string, seed uint64, body []byte) (Operation, error)
	// Model checks answers, by Operation.Input and the value of Operation.Output. If it is nil, they are compared with
	// the log only.
	Model *porcupine.Model
	// Suspect is an op whose answer the model probably rejects: from it on each answer is checked at once. 0: none.
	Suspect uint64
	// Limit ends a run that costs more. 0: none.
	Limit int64
	// Distinct asserts that no two commands have the same body. Then a command applied under two numbers is noticed.
	Distinct bool
}

// Operation is a command or a read.
type Operation struct {
	Name   string
	Seed   uint64                          // from which it can be made again; 0: none
	Body   []byte                          // of a command; not nil
	Read   func(m smr.StateMachine) any    // of a read; then Body is nil
	Stale  bool                            // of a read: it need not be linearizable
	Least  uint64                          // of a stale read: the op that the state must have at least
	Input  any                             // for the model
	Output func(result []byte) (value any) // of a command, for the model; nil: the result itself

	// Describe shows a command to people. Nil: they see its name and the beginning of its body.
	Describe func(body []byte) string
}
