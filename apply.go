package smr

import (
	"sync/atomic"
	"time"

	"github.com/smr-go/smr/internal/shell"
	"github.com/smr-go/smr/internal/statelock"
	"github.com/smr-go/smr/internal/vsr"
)

// state guards the user's state machine. The applier holds the lock while it changes the state, readers share it.
type state struct {
	statelock.RWLock
	applied atomic.Uint64 // op of the last entry applied
}

// user adapts the user's state machine to the shell.
type user struct{ StateMachine }

// Apply applies a command.
func (u user) Apply(e *vsr.Entry) ([]byte, error) {
	return u.StateMachine.Apply(Op{Number: uint64(e.Op), Time: time.Unix(0, e.Time).UTC(), Body: e.Body}), nil
}

// applier runs the shell's applier, which applies committed operations, until the replica stops.
func (r *Replica) applier() {
	a := &r.shell.Applier
	r.callbacks.enter(&r.callbacks.applier)
	defer func() { // however it ends: a step may have failed, or the user's code ended this goroutine
		if err := a.Failure(); err != nil {
			r.fail(err)
		}
	}()
	for {
		select {
		case <-r.stop:
			return
		case <-r.jobs.Wake():
		}
		r.jobs.Each(a.Add)
		for !r.stopping() && !a.Idle() {
			r.pace("applier")
			done, err := r.applyStep()
			if err != nil {
				return
			}
			if done != nil {
				r.inbox.Add(shell.Input{Applied: done})
			}
		}
	}
}

// applyStep runs one step while no reader looks at the state. It runs none if the replica stops before the readers end.
func (r *Replica) applyStep() (*shell.Applied, error) {
	if !r.state.Lock(r.stop) {
		return nil, nil
	}
	defer r.state.Unlock()
	done, err := r.shell.Applier.Step()
	r.state.applied.Store(uint64(r.shell.Applier.Op()))
	return done, err
}
