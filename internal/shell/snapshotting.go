package shell

import (
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/smr-go/smr/internal/vsr"
)

// quietLimit is how long a snapshot may be written without any progress before that is a problem.
const quietLimit = 30 * time.Second

// errStopping is the error of reads and writes of snapshots once the replica stops: Close does not wait for the user's
// WriteTo and Restore to finish.
var errStopping = errors.New("the replica stops")

// snapshotting records the success and failure of this replica's own snapshots. The applier and the task that writes a
// snapshot record them, and the loop reports the problem.
type snapshotting struct {
	mu       sync.Mutex
	failures int     // since the last snapshot that was written
	failure  string  // the problem, from the second failure on
	writing  *output // that WriteTo is writing; nil if none

	lacks     vsr.OpNumber // the op of another member's snapshot that could not be received
	lacksText string       // why
	waits     string       // why the state is not restored yet; "" if nothing prevents that

	// The loop's: when another snapshot is taken although none is due, zero if that is not planned; and the progress of
	// writing when it last saw one.
	retryAt  time.Time
	seen     *output
	progress int64
	at       time.Time
}

// failed records that the snapshot of an op was not taken or not written, and returns the level at which an operator
// learns it: the level given for the first in a row, and Debug for the others, which Status reports as a problem.
func (s *snapshotting) failed(op vsr.OpNumber, err error, first hclog.Level) hclog.Level {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failures++; s.failures == 1 {
		return first
	}
	s.failure = fmt.Sprintf("no snapshot succeeds, the last attempt was at op %d: %v; the log grows until one does: "+
		"remove the cause before the disk is full", op, err)
	return hclog.Debug
}

// succeeded records that a snapshot was written, or that there is a newer one. It reports whether others had failed.
func (s *snapshotting) succeeded() (failed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	failed = s.failures > 0
	s.failures, s.failure = 0, ""
	return failed
}

// notReceived records that the snapshot of an op cannot be received from another member.
func (s *snapshotting) notReceived(op vsr.OpNumber, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lacks = op
	s.lacksText = fmt.Sprintf("the snapshot of op %d cannot be received; this replica lacks operations until one is: %v",
		op, err)
}

// restores records why a snapshot cannot be restored yet, nil if it was.
func (s *snapshotting) restores(op vsr.OpNumber, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.waits = ""; err != nil {
		s.waits = fmt.Sprintf("the snapshot of op %d cannot be read yet: %v", op, err)
	}
}

// retryAfter is the time from a failed snapshot to the next, if none is due earlier. An idle group may have no snapshot
// due for long, although the cause of the failure has passed.
const retryAfter = 30 * time.Second

// retry reports whether to take a snapshot although none is due, because the last one failed. The loop calls it every
// turn.
func (s *snapshotting) retry(now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.failure == "" || s.writing != nil:
		s.retryAt = time.Time{}
	case s.retryAt.IsZero():
		s.retryAt = now.Add(retryAfter)
	case !now.Before(s.retryAt):
		s.retryAt = time.Time{}
		return true
	}
	return false
}

// begin returns the writer for WriteTo to write to w. end must be called when WriteTo has returned.
func (s *snapshotting) begin(op vsr.OpNumber, w io.Writer, d Driver) *output {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writing = &output{op: op, w: w, driver: d}
	return s.writing
}

func (s *snapshotting) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writing = nil
}

// WritingSnapshot names the writing of the snapshot that is under way. Any goroutine may call it.
func (s *Shell) WritingSnapshot() string {
	s.snapshotting.mu.Lock()
	defer s.snapshotting.mu.Unlock()
	if w := s.snapshotting.writing; w != nil {
		return fmt.Sprintf("WriteTo of the snapshot of op %d", w.op)
	}
	return "the writing of a snapshot"
}

// problem returns the problem at the time now, or "", of a replica that has committed everything up to commit. Its text
// does not change while the problem lasts. The loop calls it every turn; the core's deadlines cause several turns a
// second.
func (s *snapshotting) problem(now time.Time, commit vsr.OpNumber) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.waits != "" {
		return s.waits
	}
	if s.lacks > commit {
		return s.lacksText
	}
	w := s.writing
	if w == nil {
		s.seen = nil
		return s.failure
	}
	if progress := w.progress.Load(); w != s.seen || progress != s.progress {
		s.seen, s.progress, s.at = w, progress, now
	}
	if now.Sub(s.at) < quietLimit {
		return s.failure
	}
	stuck := "WriteTo of the value that StateMachine.Snapshot returned neither writes nor returns"
	if s.progress%2 == 1 {
		stuck = "the disk does not accept the data of WriteTo"
	}
	return fmt.Sprintf("the snapshot of op %d has made no progress since %s: %s; until that ends no other snapshot is "+
		"taken, and the log grows", w.op, s.at.UTC().Format(time.RFC3339), stuck)
}

// output is the writer that is passed to WriteTo.
type output struct {
	op     vsr.OpNumber
	w      io.Writer
	driver Driver
	err    error // of the first write that failed; WriteTo may have ignored it

	progress atomic.Int64 // how many writes have begun and ended: odd while one is under way
}

// maxWrite is the largest write in bytes that is passed on in one piece. In between the replica may stop.
const maxWrite = 1 << 20

// Write implements io.Writer. It fails once the replica stops.
func (o *output) Write(b []byte) (n int, err error) {
	for err = o.err; err == nil && n < len(b); {
		if o.driver.Stopping() {
			err = errStopping
			break
		}
		o.progress.Add(1)
		var k int
		k, err = o.w.Write(b[n:min(len(b), n+maxWrite)])
		n += k
		o.progress.Add(1)
	}
	o.err = err
	return n, err
}

// input is the reader that is passed to Restore. It fails once the replica stops.
type input struct {
	io.Reader
	driver Driver
}

// Read implements io.Reader.
func (i input) Read(b []byte) (int, error) {
	if i.driver.Stopping() {
		return 0, errStopping
	}
	return i.Reader.Read(b)
}
