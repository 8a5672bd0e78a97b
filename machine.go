package smr

import (
	"errors"
	"fmt"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/smr-go/smr/internal/store"
	"github.com/smr-go/smr/internal/vsr"
)

// machine is the user's state machine with all that changes along with it. The applier goroutine
// owns it; readers hold the lock shared.
type machine struct {
	stateLock           // held to change the state
	failure       error // the state may be anything: Apply panicked, or Restore failed
	user          StateMachine
	applied       atomic.Uint64
	state         store.State // what belongs to it
	snapshotting  atomic.Bool // a snapshot is being written
	opsSince      int         // since the latest snapshot was begun
	bytesSince    int64
	session       uint64 // this process's session, once open
	self          vsr.Member
	start         uint64
	snapshotEvery int
	snapshotBytes int64
}

// applied is what the applier reports of a batch: how far it is, and the results that callers
// here wait for.
type applied struct {
	op      vsr.OpNumber
	session uint64 // this process's session, if it was opened
	results []numbered
	due     *frozen // a snapshot that is to be written
	refused error   // what StateMachine.Snapshot said instead
}

type numbered struct {
	request uint64
	result  []byte
}

// applyBatch is how many operations are applied between two moments at which readers get in.
const applyBatch = 32

// apply applies committed entries, in order (N7), until over says that the replica stops.
func (m *machine) apply(entries []vsr.Entry, over func() bool) (a applied, err error) {
	m.Lock()
	defer m.Unlock()
	at := vsr.OpNumber(0)
	defer m.note(&err)
	defer caught(&err, "StateMachine.Apply panicked at op %d; every replica that reaches it will do the same: mend the program, then start it again on the same directory", &at)
	err = errExited
	for i := range entries {
		if over() {
			return a, nil // the replica stops; what is left is in the log
		}
		at = entries[i].Op
		if err := m.applyOne(&entries[i], &a); err != nil {
			return a, err
		}
	}
	m.applied.Store(uint64(m.state.Last.Op))
	a.op = m.state.Last.Op
	if m.snapshotDue() {
		return a, m.freeze(&a)
	}
	return a, nil
}

func (m *machine) applyOne(e *vsr.Entry, a *applied) error {
	if m.state.Sessions.Begin(e) {
		result := m.user.Apply(Op{Number: uint64(e.Op), Time: time.Unix(0, e.Time).UTC(), Body: e.Body})
		m.state.Sessions.Finish(e, result)
		if e.Session == m.session {
			a.results = append(a.results, numbered{e.Request, result})
		}
		m.opsSince++
	}
	if e.Kind == vsr.OpenSession {
		m.findSession(a)
	}
	m.bytesSince += int64(len(e.Body))
	return storageError(m.state.Advance(e))
}

// findSession notices that this process's session is open (X1).
func (m *machine) findSession(a *applied) {
	if m.session == 0 {
		m.session = m.state.Sessions.Opened(m.self.ID, m.self.Incarnation, m.start)
		a.session = m.session
	}
}

// errExited is the error of a function as long as the user's code has not returned to it: it stays
// if that ends the goroutine.
var errExited = errors.New("it called runtime.Goexit")

// caught turns a panic of the user's code, or its end of the goroutine, into an error that names the op.
func caught(err *error, format string, op *vsr.OpNumber) {
	p := recover()
	if p == nil && *err == errExited {
		p = errExited
	}
	if p != nil {
		*err = fmt.Errorf("smr: %s: %v\n%s", fmt.Sprintf(format, *op), p, debug.Stack())
	}
}

// note keeps the first failure: after the end of a goroutine nobody gets it as a result.
func (m *machine) note(err *error) {
	if m.failure == nil {
		m.failure = *err
	}
}

// snapshotDue reports whether it is time for the next snapshot.
func (m *machine) snapshotDue() bool {
	return !m.snapshotting.Load() &&
		(m.snapshotEvery > 0 && m.opsSince >= m.snapshotEvery || m.snapshotBytes > 0 && m.bytesSince >= m.snapshotBytes)
}

// job is one thing for the applier to do.
type job struct {
	entries  []vsr.Entry
	restore  func() (*store.State, error) // a snapshot takes the state's place
	wanted   []uint64                     // requests whose callers wait while it is restored (X3)
	snapshot bool                         // one is to be taken, due or not
}

// applier applies what is committed until the replica stops. It reports through the inbox.
func (r *Replica) applier() {
	defer func() { // also if the user's code has ended this goroutine
		if err := r.machine.failure; err != nil {
			r.fail(err)
		}
	}()
	for {
		select {
		case <-r.stop:
			return
		case <-r.jobs.wake:
		}
		for _, j := range r.jobs.take() {
			if err := r.applyJob(j); err != nil {
				r.fail(err)
				return
			}
		}
	}
}

func (r *Replica) applyJob(j job) error {
	if j.restore != nil {
		a, err := r.machine.restoreFrom(j)
		if err != nil {
			return err
		}
		r.report(a)
		return nil
	}
	if j.snapshot {
		a, err := r.machine.snapshotNow()
		r.report(a)
		return err
	}
	for len(j.entries) > 0 && !r.stopping() {
		n := min(len(j.entries), applyBatch)
		a, err := r.machine.apply(j.entries[:n], r.stopping)
		if err != nil {
			return err
		}
		r.report(a)
		j.entries = j.entries[n:]
	}
	return nil
}

// report tells the loop what was applied, and has a snapshot written that is due.
func (r *Replica) report(a applied) {
	if a.due != nil {
		r.background(func() { r.writeSnapshot(a.due) })
	}
	if a.refused != nil {
		r.log.Error("no snapshot was taken; the log grows until one is", "op", a.op, "error", a.refused)
	}
	r.inbox.do(func() { r.onApplied(a) })
}

// restoreFrom replaces the state by a snapshot, and finds in it the results that callers wait for
// (X3).
func (m *machine) restoreFrom(j job) (a applied, err error) {
	m.Lock()
	defer m.Unlock()
	s, err := j.restore()
	if err != nil {
		return a, err
	}
	m.take(s)
	m.findSession(&a)
	a.op = m.state.Last.Op
	for _, number := range j.wanted {
		if result, ok := m.state.Sessions.Result(m.session, number); ok {
			a.results = append(a.results, numbered{number, result})
		}
	}
	return a, nil
}

// take makes what a snapshot held the present state. The user's part is restored already.
func (m *machine) take(s *store.State) {
	m.state = *s
	m.opsSince, m.bytesSince = 0, 0
	m.applied.Store(uint64(m.state.Last.Op))
}
