package sim

import (
	"fmt"
	"math/rand/v2"

	"github.com/anishathalye/porcupine"
	"github.com/smr-go/smr"
	"github.com/smr-go/smr/internal/contract"
)

// Work is the state machine of a group, and the operations of its callers.
type Work struct {
	// New returns a machine in the initial state.
	New func() smr.StateMachine
	// Next returns a caller's next operation. If it is nil, the test makes all calls.
	Next func(r *rand.Rand) Operation
	// Digest returns a number that differs for different states. It is compared after every operation. If it is nil,
	// states are compared by their snapshots only.
	Digest func(smr.StateMachine) uint64
	// Invariant is checked after every operation on every machine. Nil: none.
	Invariant func(smr.StateMachine) error
	// Model checks answers with porcupine, by Operation.Input and the value of Operation.Output. If it is nil, they are
	// compared with the log only.
	Model *porcupine.Model
	// Distinct asserts that no two commands have the same body. Then a command applied under two numbers is noticed.
	Distinct bool
	// Describe shows a command to people. Nil: they see the beginning of its body.
	Describe func(body []byte) string
	// Elsewhere calls do where time.Now shows another time, which goes on from call to call. Copies of the machine live
	// there. If it is nil, all machines live here.
	Elsewhere func(do func())
	// Watch is called when a call of the user's code begins; what describes it. The function that it returns is called
	// when the call has ended. It may be nil.
	Watch func(what func() string) (ended func() bool)
	// Careful finds the first operation that breaks a rule, and the rule, at the cost of several snapshots for each
	// operation.
	Careful bool
}

// kit returns the kit that makes and tests the machines.
func (w *Work) kit() *contract.Kit {
	k := &contract.Kit{New: w.New, Digest: w.Digest, Invariant: w.Invariant, Elsewhere: w.Elsewhere, Watch: w.Watch, Careful: w.Careful}
	if w.Describe != nil {
		k.Describe = func(op smr.Op) string { return fmt.Sprintf("op %d, %s", op.Number, w.Describe(op.Body)) }
	}
	return k
}

// Operation is a command or a read.
type Operation struct {
	Name   string
	Body   []byte                          // of a command; not nil
	Read   func(m smr.StateMachine) any    // of a read; then Body is nil
	Level  Level                           // of a read
	Op     uint64                          // of AtLeast
	Input  any                             // for the model
	Output func(result []byte) (value any) // of a command, for the model; nil: the result itself

	// Describe shows a command to people. Nil: they see its name and the beginning of its body.
	Describe func(body []byte) string
}

// Level is the freshness that a read demands.
type Level uint8

// The levels, as smr has them.
const (
	Linearizable Level = iota
	AtLeast
	Local
)
