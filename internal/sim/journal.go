package sim

import (
	"errors"
	"fmt"
	"time"

	"github.com/smr-go/smr"
	"github.com/smr-go/smr/internal/contract"
	"github.com/smr-go/smr/internal/shell"
	"github.com/smr-go/smr/internal/sim/fault"
	"github.com/smr-go/smr/internal/sim/judge"
	"github.com/smr-go/smr/internal/sim/world"
	"github.com/smr-go/smr/internal/vsr"
	"github.com/smr-go/smr/internal/words"
)

// journal records what happens in a run: in its hash, for its watcher, and the first violation.
type journal struct {
	clock   *world.Events
	watcher Watcher // may be nil
	sum     runHash
	err     *Violation // nil: nothing is wrong
	excused bool       // err ends the run and breaks no rule: an op was lost, and no member could know (S6)
}

// hash adds an action of a host and its number to the hash.
func (j *journal) hash(host int, what uint64, number uint64) {
	j.sum.mix(uint64(j.clock.Now()))
	j.sum.mix(uint64(host)<<32 ^ what)
	j.sum.mix(number)
}

// Actions that are hashed without a note.
const (
	actionSend = 1<<16 + iota
	actionReceive
	actionSave
	actionSaved
)

// Notes that watchers tell apart from others.
const (
	noteGoesDown = "goes down in the middle of: %v %s"
	noteHealed   = "all faults end"
	noteLost     = "has lost its memory: %v"
	notePresent  = "is within reach again"
	noteRefused  = "the fault does not apply: %v"
	noteRestored = "has restored the snapshot after op %d"
	noteSaved    = "has saved %s"
	noteSaves    = "saves %s"
	noteSnapshot = "has a snapshot after op %d"
	noteStops    = "stops: %v"
	noteTurned   = "is %v in view %d"
	noteViolated = "violation: %s: %s"
)

// noteSave passes a note about a save to the watcher.
func (j *journal) noteSave(host int, what string, s *vsr.Save) {
	if j.watcher != nil {
		j.watcher.Note(j.clock.Now(), host, what, []any{words.Save(s)})
	}
}

// note passes an event to the watcher, in words as of fmt.Sprintf, and adds it to the hash, with number in place of
// args.
func (j *journal) note(host int, what string, number uint64, args ...any) {
	j.sum.mixBytes([]byte(what))
	j.hash(host, uint64(len(what)), number)
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
func (j *journal) Violation() *Violation {
	if j.excused {
		return nil
	}
	return j.err
}

// fail ends the run with a violation, unless it has one.
func (j *journal) fail(rule, format string, args ...any) {
	if j.err == nil {
		j.err = &Violation{Rule: rule, Text: fmt.Sprintf(format, args...), At: j.clock.Now()}
		j.note(-1, noteViolated, 0, rule, j.err.Text)
	}
}

// failOn is fail for an error, whose text may begin with its rule, and reports whether there is one. what describes the
// place, and may be empty.
func (j *journal) failOn(what string, err error) bool {
	if err == nil {
		return false
	}
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
	return true
}

// judged ends the run if the judge returns an error.
func (s *Sim) judged(err error) {
	if u, ok := errors.AsType[*judge.Unremembered](err); ok {
		s.excused = s.err == nil
		s.fail("S6", "%v", u)
		return
	}
	s.failOn("", err)
}

// ofMachine returns a breach of a rule of the state machine's contract if err reports that a result or a state is not
// that of the log (11.8), and otherwise err.
func ofMachine(rule contract.Rule, err error) error {
	if v, ok := err.(*judge.Violation); ok && v.Rule == "11.8" {
		return &contract.Broken{Rule: rule.Name, Text: v.Text + "\n" + rule.Remedy, Op: v.Op}
	}
	return err
}

// reference executes the committed log for the judge, on the witness.
type reference struct{ *Sim }

func (r reference) Commit(e *vsr.Entry, executed bool) (result []byte, digest uint64, err error) {
	if !executed {
		return nil, 0, nil
	}
	result, digest, err = r.witness.Execute(opOf(e))
	if r.watcher != nil {
		r.watcher.Executed(r.Now(), r.kit.Name(opOf(e)), opOf(e), result, r.witness.User())
	}
	return result, digest, err
}

// opOf returns the operation of a command.
func opOf(e *vsr.Entry) smr.Op {
	return smr.Op{Number: uint64(e.Op), Time: time.Unix(0, e.Time).UTC(), Body: e.Body}
}

// Watcher receives the events of a run in order, for traces and pictures. It changes nothing. Runs
// without a Watcher are faster, and otherwise the same.
type Watcher interface {
	// Note describes an event at host in words, as the arguments of fmt.Sprintf; host -1 is the whole group.
	Note(at time.Duration, host int, what string, args []any)
	// Sent reports a message that a replica sends, with a number of its own. The network may lose it at once.
	Sent(at time.Duration, id uint64, from, to int, m vsr.Message)
	// Watcher has the fates of messages and the states of links. A message that is doubled ends twice.
	world.Watcher
	// Turned reports the state of a replica after a turn of its loop.
	Turned(at time.Duration, host int, now *vsr.State)
	// Called and Returned report the beginning and the end of a call.
	Called(at time.Duration, c *Call)
	Returned(at time.Duration, c *Call)
	// Executed reports an operation of the log, in words too, and the state machine after it, which is only read.
	Executed(at time.Duration, what string, op smr.Op, result []byte, m smr.StateMachine)
	// Faulted reports a fault that strikes.
	Faulted(at time.Duration, f *fault.Fault)
	// Lived reports that a host's process started or ended.
	Lived(at time.Duration, host int, up bool)
}

// CoreWatcher is a Watcher that also records the inputs of the replicas' cores.
type CoreWatcher interface {
	Watcher
	// Recorder returns a recorder for a process that is about to start. If the process fails to start, the recorder is
	// not called. A process that stops in order closes it; the CoreWatcher closes the others.
	Recorder() shell.Recorder
}
