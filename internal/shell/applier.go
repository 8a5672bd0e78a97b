package shell

import (
	"errors"
	"fmt"
	"io"
	"runtime/debug"

	"github.com/smr-go/smr/internal/snap"
	"github.com/smr-go/smr/internal/store"
	"github.com/smr-go/smr/internal/vsr"
)

// User is the user's state machine. The applier calls one method at a time. A panic, or the end of the goroutine, stops
// the replica with an error that names the op.
type User interface {
	// Apply applies a command and returns its result. An error stops the replica.
	Apply(e *vsr.Entry) (result []byte, err error)
	// Snapshot freezes the state. If the result is an io.Closer, it is closed once written.
	Snapshot() (io.WriterTo, error)
	// Restore replaces the state.
	Restore(r io.Reader) error
}

// Applier applies committed entries, in order (N7), restores snapshots and freezes the state for those it takes. It owns the
// user's state machine and all that changes along with it.
type Applier struct {
	driver   Driver
	observer Observer
	shell    *Shell
	user     User

	jobs    []Job
	first   int         // of the jobs that wait; those before are done
	state   store.State // op, sessions and members that belong to the user's state
	session uint64      // this process's session, once it is open; 0 before
	self    vsr.Member
	start   uint64
	failure error // the state may be anything: Apply panicked, or Restore failed

	every      int // see Config
	everyBytes int64
	ops        int // operations since the latest snapshot was begun
	bytes      int64
	writing    bool // a snapshot is being written
}

// Job is one thing for the applier. Exactly one of Entries, Restore, Snapshot and Written is set.
type Job struct {
	Entries  []vsr.Entry
	Restore  *vsr.Snapshot // replaces the state
	Wanted   []uint64      // with Restore: requests whose callers wait (X3)
	Snapshot bool          // take a snapshot, due or not (F9)
	Written  bool          // the snapshot that was being written is written, or failed
}

// Applied is what a step of the applier reports to the loop: how far the state is, and what callers wait for.
type Applied struct {
	Op      vsr.OpNumber
	Session uint64 // this process's session, if the step opened it
	Results []Result
}

// Result is the result of a request of this process's session.
type Result struct {
	Request uint64
	Result  []byte
}

// applyBatch is how many operations one step applies at most: between steps, readers may look at the state.
const applyBatch = 32

// Add adds a job.
func (a *Applier) Add(j Job) { a.jobs = append(a.jobs, j) }

// Idle reports whether no job waits.
func (a *Applier) Idle() bool { return a.first == len(a.jobs) }

// Op returns the op of the last entry applied.
func (a *Applier) Op() vsr.OpNumber { return a.state.Last.Op }

// State returns the part of the state that is not the user's. The caller must not change it.
func (a *Applier) State() *store.State { return &a.state }

// Session returns this process's session, 0 before it is open.
func (a *Applier) Session() uint64 { return a.session }

// Failure returns why the state must not be read any more, nil if it may be.
func (a *Applier) Failure() error { return a.failure }

// Step performs the first job, or a part of it, and returns the report that the driver passes to the loop in an Input,
// or nil if there is none. An error stops the replica.
func (a *Applier) Step() (*Applied, error) {
	if a.Idle() {
		return nil, nil
	}
	j := &a.jobs[a.first]
	if n := min(len(j.Entries), applyBatch); n > 0 {
		entries := j.Entries[:n]
		if j.Entries = j.Entries[n:]; len(j.Entries) == 0 {
			a.next()
		}
		return a.apply(entries)
	}
	job := *j
	a.next()
	switch {
	case job.Restore != nil:
		return a.replace(&job)
	case job.Snapshot && !a.writing: // one that is being written will do as well
		return nil, a.freeze()
	case job.Written:
		a.writing = false
	}
	return nil, nil
}

// next removes the first job. It moves the others up only when half are done, because many may wait behind a slow state
// machine.
func (a *Applier) next() {
	a.jobs[a.first] = Job{}
	if a.first++; 2*a.first >= len(a.jobs) {
		n := copy(a.jobs, a.jobs[a.first:])
		clear(a.jobs[n:])
		a.jobs, a.first = a.jobs[:n], 0
	}
}

// apply applies entries, and leaves the rest if the replica stops: they are in the log.
func (a *Applier) apply(entries []vsr.Entry) (done *Applied, err error) {
	at := vsr.OpNumber(0)
	defer a.fail(&err)
	defer caught(&err, "StateMachine.Apply panicked at op %d; every replica that reaches it will do the same: fix the program, then start it again on the same directory", &at)
	err = errExited
	done = &Applied{}
	for i := range entries {
		if a.driver.Stopping() {
			return done, nil
		}
		at = entries[i].Op
		if err := a.applyOne(&entries[i], done); err != nil {
			return done, err
		}
	}
	if a.snapshotDue() {
		return done, a.freeze()
	}
	return done, nil
}

func (a *Applier) applyOne(e *vsr.Entry, done *Applied) (err error) {
	if e.Op != a.state.Last.Op+1 {
		return fmt.Errorf("op %d is to be applied after op %d: the entries between are missing", e.Op, a.state.Last.Op)
	}
	var result []byte
	executed := a.state.Sessions.Begin(e)
	if executed {
		if result, err = a.user.Apply(e); err != nil {
			return err
		}
		a.state.Sessions.Finish(e, result)
		if e.Session == a.session {
			done.Results = append(done.Results, Result{e.Request, result})
		}
		a.ops++
	}
	a.bytes += int64(len(e.Body))
	if err := a.state.Advance(e); err != nil {
		return err
	}
	if e.Kind == vsr.OpenSession {
		a.findSession(done)
	}
	done.Op = e.Op
	if a.observer != nil {
		a.observer.Applied(e, executed, result, &a.state)
	}
	return nil
}

// findSession notices that this process's session is open (X1).
func (a *Applier) findSession(done *Applied) {
	if a.session == 0 {
		a.session = a.state.Sessions.Opened(a.self.ID, a.self.Incarnation, a.start)
		done.Session = a.session
	}
}

// replace replaces the state by a snapshot, and finds in it the results that callers wait for (X3).
func (a *Applier) replace(j *Job) (*Applied, error) {
	if err := a.restore(store.SnapID(j.Restore.SnapshotID)); err != nil {
		return nil, a.noteFailure(err)
	}
	done := &Applied{Op: a.state.Last.Op}
	a.findSession(done)
	for _, number := range j.Wanted {
		if result, ok := a.state.Sessions.Result(a.session, number); ok {
			done.Results = append(done.Results, Result{number, result})
		}
	}
	if a.observer != nil {
		a.observer.Restored(&a.state)
	}
	return done, nil
}

// restore reads a snapshot into the user's state machine.
func (a *Applier) restore(id snap.ID) error {
	state, info, err := a.shell.Snapshots.Read(id)
	if err != nil {
		return err
	}
	defer state.Close()
	belongs, err := store.ParseHeader(info)
	if err != nil {
		return err
	}
	failed := a.restoreUser(belongs.Last.Op, state)
	if _, err := io.Copy(io.Discard, state); err != nil { // damage, also of bytes that Restore did not read; the user's error may not wrap it
		return err
	}
	if failed != nil {
		return failed
	}
	a.state, a.ops, a.bytes = belongs, 0, 0
	return nil
}

func (a *Applier) restoreUser(op vsr.OpNumber, state io.Reader) (err error) {
	defer a.fail(&err)
	defer caught(&err, "StateMachine.Restore panicked on the snapshot of op %d", &op)
	err = errExited
	if err := a.user.Restore(state); err != nil {
		return fmt.Errorf("StateMachine.Restore of the snapshot of op %d: %w", op, err)
	}
	return nil
}

// errExited is the error of a function as long as the user's code has not returned to it: it stays if that ends the
// goroutine.
var errExited = errors.New("it called runtime.Goexit")

// caught turns a panic of the user's code, or its end of the goroutine, into an error that names the op. Stack returns the
// stack of such an error.
func caught(err *error, format string, op *vsr.OpNumber) {
	p := recover()
	if p == nil && *err == errExited {
		p = errExited
	}
	if p != nil {
		*err = &panicError{fmt.Sprintf("%s: %v", fmt.Sprintf(format, *op), p), debug.Stack()}
	}
}

// fail keeps the first failure of a step, because a step does not return if the user's code ends the goroutine.
func (a *Applier) fail(err *error) { a.noteFailure(*err) }

func (a *Applier) noteFailure(err error) error {
	if a.failure == nil {
		a.failure = err
	}
	return err
}
