package shell

import (
	"errors"
	"io"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/stretchr/testify/require"
)

// The second failure in a row is a problem, whether the state was not frozen or not written. It ends with the first
// snapshot that is written.
func TestRepeatedFailuresOfSnapshotsAreAProblem(t *testing.T) {
	bug := func() error { return errors.New("a bug") }
	for says, spoil := range map[string]func(u *list){
		"StateMachine.Snapshot: a bug; the log grows until one does": func(u *list) { u.snapshot = bug },
		"op 22: a bug; the log grows until one does":                 func(u *list) { u.write = bug },
	} {
		g := newGroup(t, 1, func(c *Config) { c.SnapshotEvery = 10 })
		n := g.nodes[0]
		spoil(&n.user)
		n.fill(10, "op ")
		g.pass(heartbeat)
		require.Empty(t, n.state.Snapshots)
		n.fill(10, "more ")
		g.pass(heartbeat)
		require.Contains(t, n.state.Snapshots, "no snapshot succeeds, the last attempt was at op ")
		require.Contains(t, n.state.Snapshots, says)
		n.user.snapshot, n.user.write = nil, nil
		n.fill(10, "again ")
		g.pass(heartbeat)
		require.Empty(t, n.state.Snapshots)
	}
}

// After a snapshot that was written, a failure is the first again. No snapshot is taken again while one is being written.
func TestASuccessEndsTheFailuresOfSnapshots(t *testing.T) {
	var s snapshotting
	now, bug := time.Unix(0, 0), errors.New("a bug")
	retries := func() bool {
		first := s.retry(now)
		now = now.Add(retryAfter)
		return first || s.retry(now)
	}
	for range 2 {
		require.Equal(t, hclog.Error, s.failed(1, bug, hclog.Error))
		require.False(t, retries())
		require.Equal(t, hclog.Debug, s.failed(2, bug, hclog.Error))
		s.begin(3, io.Discard, nil)
		require.False(t, retries())
		s.end()
		require.True(t, retries())
		require.True(t, s.succeeded())
		require.False(t, retries())
	}
}

// A snapshot that makes no progress for 30 seconds is a problem until it makes some. The text says whether the state
// machine or the disk is slow, and stays the same.
func TestASnapshotThatHangsIsAProblem(t *testing.T) {
	var s snapshotting
	now := time.Unix(100, 0)
	pass := func(d time.Duration) string { now = now.Add(d); return s.problem(now, 0) }
	slow := &slowWriter{}
	w := s.begin(7, slow, &node{})
	require.Empty(t, pass(time.Hour), "it has just begun")
	require.Empty(t, pass(quietLimit-1))
	hangs := pass(1)
	require.Contains(t, hangs, "the snapshot of op 7 has made no progress since 1970-01-01T01:01:40Z: WriteTo")
	require.Equal(t, hangs, pass(time.Hour))

	slow.during = func() {
		require.Empty(t, pass(0))
		require.Contains(t, pass(quietLimit), "the disk does not accept the data of WriteTo")
	}
	_, err := w.Write([]byte("some"))
	require.NoError(t, err)
	require.Empty(t, pass(0))
	require.Contains(t, pass(quietLimit), "neither writes nor returns")
	s.end()
	require.Empty(t, pass(0))
}

// slowWriter calls during in each Write.
type slowWriter struct{ during func() }

func (w *slowWriter) Write(b []byte) (int, error) {
	w.during()
	return len(b), nil
}

// Once the replica stops, writes of WriteTo and reads of Restore fail, within a large write too. A state machine that
// ignores that leaves no snapshot and no state that lacks something, and nothing is noted.
func TestStoppingEndsSnapshots(t *testing.T) {
	b := frozenAt(t, 10)
	b.user.write = func() error { b.Fail(errors.New("closed")); return nil }
	b.background()
	require.Empty(t, b.notes)
	require.Empty(t, b.told())
	_, ok := b.shell.Snapshots.Latest()
	require.False(t, ok)

	large, written := &output{driver: b}, 0
	large.w = &slowWriter{during: func() {
		if written++; written == 3 {
			b.failed = errors.New("closed")
		}
	}}
	b.failed = nil
	n, err := large.Write(make([]byte, 10*maxWrite))
	require.Equal(t, 3*maxWrite, n)
	require.ErrorIs(t, err, errStopping)
	_, err = large.Write(nil)
	require.ErrorIs(t, err, errStopping, "the error stays")

	b.failed = nil
	b.user.write = nil
	b.a.Add(Job{Snapshot: true})
	b.steps(t)
	b.background()
	info, ok := b.shell.Snapshots.Latest()
	require.True(t, ok)
	b.user.restore = func(r io.Reader) error {
		b.Fail(errors.New("closed"))
		_, err := io.ReadAll(r)
		require.ErrorIs(t, err, errStopping)
		b.user.restore = nil
		return nil
	}
	require.ErrorIs(t, b.a.restore(info.ID), errStopping)
}

// A WriteTo that ignores an error of a write makes no snapshot.
func TestWriteToThatIgnoresAnErrorMakesNoSnapshot(t *testing.T) {
	b := newApplier(t)
	full := errors.New("no space")
	require.ErrorIs(t, b.shell.writeUser(&Frozen{User: ignorant{}}, failingWriter{full}), full)
}

type failingWriter struct{ err error }

func (w failingWriter) Write([]byte) (int, error) { return 0, w.err }

// ignorant is a frozen state whose WriteTo ignores errors.
type ignorant struct{}

func (ignorant) WriteTo(w io.Writer) (int64, error) {
	w.Write([]byte("text"))
	return 0, nil
}

// After two failures another snapshot is taken once in a while although none is due: a group that is idle would report
// for good what is over.
func TestFailedSnapshotIsRetried(t *testing.T) {
	var s snapshotting
	now := time.Unix(0, 0)
	s.failed(7, io.ErrShortWrite, hclog.Error)
	require.False(t, s.retry(now.Add(time.Hour)), "the next one may succeed")
	s.failed(8, io.ErrShortWrite, hclog.Error)
	require.False(t, s.retry(now))
	require.False(t, s.retry(now.Add(retryAfter-1)))
	require.True(t, s.retry(now.Add(retryAfter)))
	require.False(t, s.retry(now.Add(retryAfter)), "once")
	s.succeeded()
	require.False(t, s.retry(now.Add(time.Hour)))
}
