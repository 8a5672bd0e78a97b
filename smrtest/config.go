package smrtest

import (
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/smr-go/smr"
	"github.com/smr-go/smr/internal/sim"
)

// Config describes the runs of [Explore] and [Fuzz] for state machines of type M. The zero value of each field is a
// good default, except where the field is required.
type Config[M smr.StateMachine] struct {
	// New returns a new state machine in its initial state, which must be the same at every call. Concurrent runs call
	// it. A failure shows states by the machine's String method, if it has one. Required.
	New func() M
	// Workload lists the operations of the callers, at least one of them a Command. Each entry is equally likely; list
	// an operation several times to make it more likely. Required.
	Workload []Operation
	// Model defines the right answers: the answers that callers get must be linearizable by it, in the order of the
	// log. It compares the state machine with something simpler, while the other checks compare replicas with each
	// other. Command and Query document the inputs and outputs; see also PartitionBy.
	//
	// Concurrent runs call Step, which must not modify anything. Step recognizes an operation by the type of its input:
	// give each Query an input type of its own (type getInput string), unless those with one type answer alike. Step
	// sees neither Op.Time nor Op.Number; a result that depends on them must contain them. A command whose outcome the
	// caller never learnt has the output that Apply returned and never ends; if it was not applied Step does not see
	// it.
	//
	// Zero: answers are compared with the log only.
	Model porcupine.Model
	// Invariant is called with every replica's state after every operation. An error fails the run. It must not change
	// the state. Nil: no invariant.
	Invariant func(m M) error
	// Digest returns a hash of the state: equal states have equal digests, and different states almost certainly
	// different ones. It is called after every operation, and before and after every query, so it must be fast. Nil:
	// states are compared by their snapshots, around every query, after every 16 operations, and after every operation
	// in every eighth run. A machine whose snapshots of one state vary, for example with the order of a map, or take
	// long to write, needs a Digest.
	Digest func(m M) uint64
	// Describe returns a command as one line of text, for reports and pictures. Concurrent runs call it. Nil: they show
	// the command's name and the first 60 bytes of its body.
	Describe func(body []byte) string
	// Faults are the kinds of faults that can happen. Zero: all.
	Faults Faults
	// Replicas is the number of replicas, 1 to 7. Zero: 3 in most runs, 5 in the others.
	Replicas int
	// Runs is the number of runs, each with a seed of its own; a tenth of it under -short. Zero: 100, which take about
	// 12 seconds of one core with a small machine, and several times that with a Model, or with snapshots that grow or
	// are slow to write.
	Runs int
	// Virtual is the virtual time in which faults happen in each run. A few seconds without faults follow, in which the
	// group must recover. Zero: 20 s.
	Virtual time.Duration
	// Callers is the number of callers at each replica; each performs one operation at a time. Zero: 1 to 3.
	Callers int
}

// trial is a Config without its state machine's type: New, Model, Invariant and Digest are in work.
type trial struct {
	Config[smr.StateMachine]
	name string // the test's
	work sim.Work
	dir  string // the directory for the files of a failure; "" until it is needed
}

// trial returns the trial of a Config. An error names the field that is wrong.
func (c *Config[M]) trial(name string) (*trial, error) {
	x := &trial{name: name, Config: Config[smr.StateMachine]{Workload: c.Workload, Describe: guarded(c.Describe), Faults: c.Faults, Replicas: c.Replicas,
		Runs: cmp.Or(c.Runs, 100), Virtual: cmp.Or(c.Virtual, 20*time.Second), Callers: c.Callers}}
	switch {
	case c.New == nil:
		return nil, errors.New("Config.New is required")
	case c.Model.Step == nil && c.Model.StepContext == nil && !reflect.ValueOf(c.Model).IsZero():
		return nil, errors.New("Config.Model has no Step, so it cannot judge answers: give it one, or leave Model zero")
	case c.Model.Init == nil && !reflect.ValueOf(c.Model).IsZero():
		return nil, errors.New("Config.Model has no Init, which returns the state that its Step begins with")
	case x.Faults.None && x.Faults != Faults{None: true}:
		return nil, errors.New("Config.Faults has None and others: None excludes all faults")
	case x.Replicas < 0 || x.Replicas > 7:
		return nil, fmt.Errorf("Config.Replicas is %d; a group has 1 to 7", x.Replicas)
	case x.Runs < 0 || x.Virtual < 0 || x.Callers < 0:
		return nil, fmt.Errorf("Config.Runs, Virtual and Callers are %d, %v and %d; they must not be negative", x.Runs, x.Virtual, x.Callers)
	}
	x.work.New = func() smr.StateMachine { return c.New() }
	x.work.Model = described(c.Model, x.Describe)
	if c.Invariant != nil {
		x.work.Invariant = func(m smr.StateMachine) error { return c.Invariant(m.(M)) }
	}
	if c.Digest != nil {
		x.work.Digest = func(m smr.StateMachine) uint64 { return c.Digest(m.(M)) }
	}
	return x, guard("Config.New", func() error { return checkWorkload(c.Workload, c.New()) })
}
