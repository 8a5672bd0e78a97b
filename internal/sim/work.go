package sim

import (
	"fmt"
	"math/rand/v2"

	"github.com/anishathalye/porcupine"
	"github.com/smr-go/smr"
	"github.com/smr-go/smr/internal/contract"
)

// Work is what a group is for: its state machine, and what its callers do.
type Work struct {
	// New returns a machine in the initial state.
	New func() smr.StateMachine
	// Next returns a caller's next operation. Nil: the callers do nothing by themselves.
	Next func(r *rand.Rand) Operation
	// Digest tells states apart quickly; it is compared after every operation. Nil: states are
	// compared by their snapshots only.
	Digest func(smr.StateMachine) uint64
	// Invariant is checked after every operation on every machine. Nil: none.
	Invariant func(smr.StateMachine) error
	// Model is what answers are checked against by porcupine, with Operation.Input and what
	// Operation.Output made of the answer. Nil: they are checked against the log alone.
	Model *porcupine.Model
	// Distinct says that no two commands have the same body, so that one applied under two
	// numbers is noticed.
	Distinct bool
	// Describe shows a command to people. Nil: they see the beginning of its body.
	Describe func(body []byte) string
	// Elsewhere calls do where time.Now shows another time, which goes on from call to call: a copy
	// of the machine lives there. Nil: there is no such place.
	Elsewhere func(do func())
	// Watch is told when a call of the user's code begins, and the function that it returns when that
	// has ended; what says which call it is. Nil: nobody watches.
	Watch func(what func() string) (ended func() bool)
	// Careful has the first operation found that breaks a rule, and the rule, at the cost of several
	// snapshots for each operation.
	Careful bool
}

// kit returns what handles the machines.
func (w *Work) kit() *contract.Kit {
	k := &contract.Kit{New: w.New, Digest: w.Digest, Invariant: w.Invariant, Elsewhere: w.Elsewhere, Watch: w.Watch, Careful: w.Careful}
	if w.Describe != nil {
		k.Describe = func(op smr.Op) string { return fmt.Sprintf("op %d, %s", op.Number, w.Describe(op.Body)) }
	}
	return k
}

// Operation is what a caller wants: a command to be proposed, or a read.
type Operation struct {
	Name   string
	Body   []byte                          // of a command; not nil
	Read   func(m smr.StateMachine) any    // of a read, which Body nil says
	Level  Level                           // of a read
	Op     uint64                          // of AtLeast
	Input  any                             // for the model
	Output func(result []byte) (value any) // of a command, for the model; nil: the result itself

	// Describe shows a command to people. Nil: they see its name and the beginning of its body.
	Describe func(body []byte) string
}

// Level is how fresh a read must be.
type Level uint8

// The levels, as smr has them.
const (
	Linearizable Level = iota
	AtLeast
	Local
)
