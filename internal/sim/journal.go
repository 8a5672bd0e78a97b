package sim

import (
	"errors"
	"fmt"
	"time"

	"github.com/smr-go/smr/internal/contract"
	"github.com/smr-go/smr/internal/sim/judge"
	"github.com/smr-go/smr/internal/sim/world"
)

// journal records what happens in a run: in its hash, for its watcher, and the first violation.
type journal struct {
	clock   *world.Events
	watcher Watcher // may be nil
	sum     tally
	err     *Violation // nil: nothing is wrong
}

// mark adds an action of a host and its number to the hash.
func (j *journal) mark(host int, what uint64, number uint64) {
	j.sum.mix(uint64(j.clock.Now()))
	j.sum.mix(uint64(host)<<32 ^ what)
	j.sum.mix(number)
}

// Actions that are marked without a note.
const (
	marksSend = 1<<16 + iota
	marksReceive
	marksSave
	marksSaved
)

// note passes an event to the watcher and adds it to the hash, with number in place of args.
func (j *journal) note(host int, what string, number uint64, args ...any) {
	j.sum.mixBytes([]byte(what))
	j.mark(host, uint64(len(what)), number)
	if j.watcher != nil {
		j.watcher.Note(j.clock.Now(), host, what, args)
	}
}

// Violation is the first error of a run.
type Violation struct {
	Rule string // of docs/PROTOCOL.md, or of the state machine's contract
	Text string
	At   time.Duration
	Op   uint64 // at which a rule of the state machine is broken; 0: unknown
}

func (v *Violation) Error() string {
	return fmt.Sprintf("at %.6f s: %s: %s", v.At.Seconds(), v.Rule, v.Text)
}

// OfMachine reports whether the user's state machine breaks its contract.
func (v *Violation) OfMachine() bool { return contract.Has(v.Rule) }

// Violation returns the violation of the run, or nil.
func (j *journal) Violation() *Violation { return j.err }

// fail ends the run with a violation, unless it has one.
func (j *journal) fail(rule, format string, args ...any) {
	if j.err == nil {
		j.err = &Violation{Rule: rule, Text: fmt.Sprintf(format, args...), At: j.clock.Now()}
		j.note(-1, "violated:", 0, rule, j.err.Text)
	}
}

// broke is fail for an error, whose text may begin with its rule. what describes the place, and may be empty.
func (j *journal) broke(what string, err error) {
	v := *judge.Of(err)
	if b, ok := errors.AsType[*contract.Broken](err); ok {
		v = judge.Violation{Rule: b.Rule, Text: err.Error(), Op: b.Op}
	}
	if what != "" {
		what += ": "
	}
	if j.err == nil {
		j.fail(v.Rule, "%s%s", what, v.Text)
		j.err.Op = v.Op
	}
}
