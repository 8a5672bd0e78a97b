package smrtest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/smr-go/smr"
	"github.com/smr-go/smr/internal/sim"
)

// Config says what [Explore] and [Fuzz] try with state machines of type M. The zero value of a field
// that is not called required is a good choice.
type Config[M smr.StateMachine] struct {
	// New returns a state machine in its initial state, another one and the same state at every call.
	// Many runs call it at the same time. A String method of the machine shows its state where a
	// run has failed. Required.
	New func() M
	// Workload is what callers do. Each operation is as likely as the others; one that is listed
	// several times is so many times as likely. It must have a Command. Required.
	Workload []Operation
	// Model says which answers are right: what callers saw must be linearizable by it. It holds the
	// state machine against something simpler, while the other checks hold replicas against each
	// other. See Command and Query for what inputs and outputs are, and PartitionBy. Its Step must
	// change nothing, as many runs call it at the same time. It knows an operation by the type of its
	// input: give each Query an input type of its own (type getInput string), unless those of one
	// type answer alike. It sees neither Op.Time nor Op.Number: have Apply return what it made of
	// them, and Step take that from the output. A command whose caller was not told the outcome has
	// the output that Apply returned, and no end, if it was applied; if not, Step does not see it, as
	// little as those that were refused. Zero: answers are checked against the log alone.
	Model porcupine.Model
	// Invariant is called on every replica's state after every operation, and returns what is wrong
	// with it. It must not change the state. Nil: nothing is.
	Invariant func(m M) error
	// Digest returns a number that differs, most probably, for states that differ, and is the same
	// for the same state. It is compared after every operation, and must be quick. Nil: states are
	// compared by their snapshots, every 16 operations and in every eighth run after each. One whose
	// snapshots differ for one state, as those written in the order of a map do, needs it.
	Digest func(m M) uint64
	// Describe returns a command as people read it, in one line, for reports and pictures. Many runs
	// call it at the same time. Nil: they show the command's name and the first 60 bytes of its body.
	Describe func(body []byte) string
	// Faults is what goes wrong. Zero: all kinds of faults.
	Faults Faults
	// Replicas is the size of the group, 1 to 7. Zero: 3 in most runs, 5 in the others.
	Replicas int
	// Runs is how many runs are tried, each with a seed of its own; under -short a tenth of them.
	// Zero: 100, which take some 12 s of one core with a small machine, and more with a model or a
	// large state.
	Runs int
	// Virtual is how long faults last in each run, in virtual time. Some seconds without faults
	// follow, in which all must become well. Zero: 20 s.
	Virtual time.Duration
	// Callers is how many call each replica, one operation after the other. Zero: 1 to 3.
	Callers int
}

// trial is what is tried, whatever the state machine's type is.
type trial struct {
	name     string // the test's
	work     sim.Work
	workload []Operation
	describe func(body []byte) string // Config.Describe, guarded; nil if that is
	faults   Faults
	replicas int
	runs     int
	virtual  time.Duration
	callers  int
	dir      string // where the files of a failure are; "": it is not made yet
}

// The zero values of Config mean these.
const (
	usualRuns    = 100
	usualVirtual = 20 * time.Second
)

// trial checks what it can.
func (c *Config[M]) trial(name string) (*trial, error) {
	x := &trial{name: name, workload: c.Workload, describe: guarded(c.Describe), faults: c.Faults, replicas: c.Replicas, runs: c.Runs, virtual: c.Virtual, callers: c.Callers}
	switch {
	case c.New == nil:
		return nil, errors.New("Config.New is required")
	case c.Model.Step == nil && c.Model.StepContext == nil && !reflect.ValueOf(c.Model).IsZero():
		return nil, errors.New("Config.Model has no Step, and so says nothing about answers: give it one, or leave Model zero")
	case c.Model.Init == nil && !reflect.ValueOf(c.Model).IsZero():
		return nil, errors.New("Config.Model has no Init, which returns the state that its Step begins with")
	case x.faults.None && x.faults != Faults{None: true}:
		return nil, errors.New("Config.Faults has None and others: None is no faults at all")
	case x.replicas < 0 || x.replicas > 7:
		return nil, fmt.Errorf("Config.Replicas is %d; a group has 1 to 7", x.replicas)
	case x.runs < 0 || x.virtual < 0 || x.callers < 0:
		return nil, fmt.Errorf("Config.Runs, Virtual and Callers are %d, %v and %d; they must not be negative", x.runs, x.virtual, x.callers)
	}
	if x.runs == 0 {
		x.runs = usualRuns
	}
	if x.virtual == 0 {
		x.virtual = usualVirtual
	}
	x.work = sim.Work{New: func() smr.StateMachine { return c.New() }, Model: described(c.Model, x.describe)}
	if c.Invariant != nil {
		x.work.Invariant = func(m smr.StateMachine) error { return c.Invariant(m.(M)) }
	}
	if c.Digest != nil {
		x.work.Digest = func(m smr.StateMachine) uint64 { return c.Digest(m.(M)) }
	}
	return x, guard("Config.New", func() error { return checkWorkload(c.Workload, c.New()) })
}

// world draws what the seed's run is like.
func (x *trial) world(seed uint64) (*sim.Setup, *sim.Hazards) {
	p, hazards := sim.Draw(seed)
	p.Replicas, p.Qr, p.Qv, p.Volatile = x.replicas, 0, 0, false
	if r := rand.New(rand.NewPCG(seed, 0)); x.replicas == 0 {
		p.Replicas = []int{3, 3, 3, 5}[r.IntN(4)]
	}
	p.Trouble, p.CompareEvery = x.virtual, 16
	if x.callers > 0 {
		p.Callers.PerReplica = x.callers
	}
	sim.Restrict(p, hazards, x.faults.sorts())
	return p, hazards
}
