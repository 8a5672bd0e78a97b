package shell

import (
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"sync"
	"sync/atomic"

	"github.com/smr-go/smr/internal/snap"
	"github.com/smr-go/smr/internal/store"
	"github.com/smr-go/smr/internal/vfs"
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

// Applier applies committed entries, in order (N7), restores snapshots and freezes the state for those it takes. It owns
// the user's state machine and all that changes along with it.
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

	// reached is the last op applied. It shows the loop, during a step that takes long, that the state
	// machine makes progress (D3).
	reached atomic.Uint64

	doing atomic.Uint64 // see does

	every      int // see Config
	everyBytes int64
	ops        int   // operations since the latest snapshot was begun
	bytes      int64 // of the log since then
	writing    bool  // a snapshot is being written
	waits      bool  // the first job cannot be done yet, because the system is short of something
}

// Job is one thing for the applier. Exactly one of Entries, Restore, Snapshot, Written and Again is set.
type Job struct {
	Entries  []vsr.Entry
	Restore  *vsr.Snapshot // replaces the state
	Wanted   []uint64      // with Restore: requests whose callers wait (X3)
	Snapshot bool          // take a snapshot, due or not (F9)
	Written  bool          // the snapshot that was being written is written, or failed
	Again    bool          // the job that could not be done is tried again
}

// Applied is what a step of the applier reports to the loop: how far the state is, and what callers wait for.
type Applied struct {
	Op      vsr.OpNumber
	Session uint64 // this process's session, if the step opened it
	Floor   uint64 // of this process's session, if an entry without an operation raised it
	Results []Result
}

// reports are reports that the loop has handled, for later steps.
var reports = sync.Pool{New: func() any { return new(Applied) }}

// release makes a report available for later steps, unless it holds more than one usually does.
func (d *Applied) release() {
	if cap(d.Results) <= applyBatch {
		clear(d.Results)
		*d = Applied{Results: d.Results[:0]}
		reports.Put(d)
	}
}

// Result is the result of a request of this process's session.
type Result struct {
	Request uint64
	Result  []byte
	Known   vsr.Known // Kept if Result is the result; otherwise the reason why it is missing
}

// applyBatch is how many operations one step applies at most: between steps, readers may look at the state.
const applyBatch = 32

// Add adds a job.
func (a *Applier) Add(j Job) {
	if j.Again {
		a.waits = false
		return
	}
	a.jobs = append(a.jobs, j)
}

// Idle reports whether there is no job that can be done now.
func (a *Applier) Idle() bool { return a.waits || a.first == len(a.jobs) }

// Op returns the op of the last entry applied.
func (a *Applier) Op() vsr.OpNumber { return a.state.Last.Op }

// State returns the state apart from the user's. The caller must not change it.
func (a *Applier) State() *store.State { return &a.state }

// Session returns this process's session, 0 before it is open.
func (a *Applier) Session() uint64 { return a.session }

// The calls of the user's state machine, for does.
const (
	applies = iota + 1
	restores
	freezes
	userCalls
)

// does records the call of the user's state machine that begins, and its op; 0 and 0: none is under way.
func (a *Applier) does(call uint64, op vsr.OpNumber) { a.doing.Store(uint64(op)*userCalls + call) }

// Doing names the call of the user's state machine that is under way. Any goroutine may call it.
func (a *Applier) Doing() string {
	doing := a.doing.Load()
	switch op := doing / userCalls; doing % userCalls {
	case applies:
		return fmt.Sprintf("StateMachine.Apply of op %d", op)
	case restores:
		return fmt.Sprintf("StateMachine.Restore of the snapshot of op %d", op)
	case freezes:
		return fmt.Sprintf("StateMachine.Snapshot after op %d", op)
	}
	return "the applier"
}

// Failure returns why the state must not be read any more, nil if it may be.
func (a *Applier) Failure() error { return a.failure }

// Step performs the first job, or a part of it. The driver passes the report that it returns to the loop in an Input,
// unless that is nil. Handling it ends its use. An error stops the replica.
func (a *Applier) Step() (*Applied, error) {
	defer a.does(0, 0)
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
	if job.Restore != nil {
		return a.replace(&job)
	}
	a.next()
	switch {
	case job.Snapshot && !a.writing: // one that is being written serves the same purpose
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
	defer caught(&err, "StateMachine.Apply panicked at op %d; every replica that reaches it will do the same: "+
		"fix the program, then start it again on the same directory", &at)
	err = errExited
	done = reports.Get().(*Applied)
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
		a.does(applies, e.Op)
		if result, err = a.user.Apply(e); err != nil {
			return err
		}
		known := a.state.Sessions.Finish(e, result)
		if e.Session == a.session {
			done.Results = append(done.Results, own(e.Request, result, known))
		}
		a.ops++
	}
	a.bytes += store.LogBytes(e)
	if err := a.state.Advance(e); err != nil {
		return err
	}
	if e.Kind == vsr.OpenSession {
		if err := a.checkStart(&a.state.Sessions, "the log at", e.Op); err != nil {
			return err
		}
		a.findSession(done)
	}
	if e.Kind == vsr.Command && e.Session == a.session && e.Request == 0 {
		done.Floor = e.Floor
	}
	done.Op = e.Op
	a.reached.Store(uint64(e.Op))
	if a.observer != nil {
		a.observer.Applied(e, executed, result, &a.state)
	}
	return nil
}

// own returns what this replica's caller receives: the result, unless it is larger than any replica returns. It is at
// hand even if the table had no room for it.
func own(request uint64, result []byte, known vsr.Known) Result {
	if known == vsr.TooLarge {
		return Result{Request: request, Known: known}
	}
	return Result{request, result, vsr.Kept}
}

// findSession notices that this process's session is open (X1).
func (a *Applier) findSession(done *Applied) {
	if a.session == 0 {
		a.session = a.state.Sessions.Opened(a.self.ID, a.self.Incarnation, a.start)
		done.Session = a.session
	}
}

// checkStart returns an error if a session table has a session of a later process of this memory. Its start number was
// durable before the session was requested (X1), so the log's head is an older copy (S6).
func (a *Applier) checkStart(t *vsr.Sessions, where string, op vsr.OpNumber) error {
	started := t.Started(a.self.ID, a.self.Incarnation)
	if started <= a.start {
		return nil
	}
	return fmt.Errorf("%w: %s op %d has a session of start number %s of this replica, but its log's head has start number %s: "+
		"the log is an older copy; put the latest one back", store.ErrCorrupt, where, op, vsr.StartText(started), vsr.StartText(a.start))
}

// replace performs the first job, j: it replaces the state by a snapshot, and finds in it the results that callers wait
// for (X3).
func (a *Applier) replace(j *Job) (*Applied, error) {
	file, info, err := a.shell.Snapshots.Read(store.SnapID(j.Restore.SnapshotID))
	if a.await(j.Restore.Last.Op, err) {
		return nil, nil
	}
	if a.next(); err == nil {
		err = a.restoreFrom(file, info)
	}
	if err != nil {
		return nil, a.noteFailure(err)
	}
	done := &Applied{Op: a.state.Last.Op}
	a.findSession(done)
	for _, number := range j.Wanted {
		if result, known := a.state.Sessions.Result(a.session, number); known != vsr.Nothing {
			done.Results = append(done.Results, Result{number, result, known})
		}
	}
	if a.observer != nil {
		a.observer.Restored(&a.state)
	}
	return done, nil
}

// await reports whether a snapshot could not be opened because the system is short of something. Its job then waits,
// and so do those behind it.
func (a *Applier) await(op vsr.OpNumber, err error) bool {
	if a.waits = vfs.IsShort(err); !a.waits {
		err = nil
	}
	if a.shell.snapshotting.restores(op, err); a.waits {
		a.driver.Background(TryAgain, func() { a.driver.Apply(Job{Again: true}) })
	}
	return a.waits
}

// restore reads a snapshot into the user's state machine.
func (a *Applier) restore(id snap.ID) error {
	file, info, err := a.shell.Snapshots.Read(id)
	if err != nil {
		return err
	}
	return a.restoreFrom(file, info)
}

func (a *Applier) restoreFrom(file io.ReadCloser, info snap.Info) error {
	defer file.Close()
	contents := input{file, a.driver}
	belongs, user, err := store.ReadState(info, contents)
	if err != nil {
		return err
	}
	if err := a.checkStart(&belongs.Sessions, "the snapshot of", belongs.Last.Op); err != nil {
		return err
	}
	failed := a.restoreUser(belongs.Last.Op, user)
	// Damage is reported even if Restore did not read it, or returned an error that does not wrap it.
	if _, err := io.Copy(io.Discard, contents); err != nil {
		return err
	}
	if failed != nil {
		return failed
	}
	belongs.Sessions.Window = a.state.Sessions.Window
	a.state, a.ops, a.bytes = belongs, 0, 0
	return nil
}

func (a *Applier) restoreUser(op vsr.OpNumber, state io.Reader) (err error) {
	defer a.fail(&err)
	defer caught(&err, "StateMachine.Restore panicked on the snapshot of op %d", &op)
	err = errExited
	a.does(restores, op)
	if err := a.user.Restore(state); err != nil {
		return fmt.Errorf("StateMachine.Restore of the snapshot of op %d: %w", op, err)
	}
	return nil
}

// errExited is the error of a function until the user's code that it calls has returned. It remains the error if that
// code ends the goroutine.
var errExited = errors.New("it called runtime.Goexit")

// caught turns a panic of the user's code, or its end of the goroutine, into an error that names the op. Stack returns
// the stack of such an error.
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
