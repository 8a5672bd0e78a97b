package shell

import (
	"errors"
	"runtime"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr/internal/snap"
	"github.com/smr-go/smr/internal/vsr"
)

// frozenAt returns an applier that has begun a snapshot after n commands.
func frozenAt(t *testing.T, n int) *bench {
	b := newApplier(t)
	b.a.every = n
	b.a.Add(Job{Entries: b.commands(n)})
	b.steps(t)
	b.inputs = nil
	return b
}

// A snapshot holds the state between two operations, also if later ones are applied before it is written (C4).
func TestSnapshotIsFrozen(t *testing.T) {
	b := frozenAt(t, 10)
	b.a.Add(Job{Entries: b.commands(5)})
	b.steps(t)
	b.background()
	info, ok := b.shell.Snapshots.Latest()
	require.True(t, ok)
	require.Equal(t, uint64(12), info.ID.Op)
	taken := b.told()[0].(*vsr.SnapshotTaken)
	require.Equal(t, vsr.OpNumber(12), taken.Snapshot.Last.Op)
	require.Equal(t, "a(0) Qr=1 Qv=1", taken.Snapshot.Members.List())

	other := newApplier(t)
	other.shell.Snapshots = b.shell.Snapshots
	require.NoError(t, other.a.restore(info.ID))
	require.Equal(t, vsr.OpNumber(12), other.a.Op())
	require.Equal(t, b.user.items[:10], other.user.items)
	result, known := other.a.State().Sessions.Result(session, 10)
	require.Equal(t, vsr.Kept, known)
	require.Equal(t, "10", string(result))
	_, known = other.a.State().Sessions.Result(session, 11)
	require.Equal(t, vsr.Nothing, known)
}

// However many bytes of results the session table holds, it can be written and restored: no limit of a header concerns it.
func TestResultsOfAnySizeAreWritten(t *testing.T) {
	b := newApplier(t)
	for _, e := range b.commands(5) {
		require.True(t, b.a.State().Sessions.Begin(&e))
		b.a.State().Sessions.Finish(&e, make([]byte, snap.MaxHeader/4))
	}
	b.a.Add(Job{Snapshot: true})
	b.steps(t)
	b.background()
	info, ok := b.shell.Snapshots.Latest()
	require.True(t, ok, "%v", b.notes)

	other := newApplier(t)
	other.shell.Snapshots = b.shell.Snapshots
	require.NoError(t, other.a.restore(info.ID))
	require.Equal(t, b.a.State().Sessions, other.a.State().Sessions)
}

// A snapshot that is not taken or not written stops nothing: the operator is told why, the state is closed, and the next
// one is taken when it is due.
func TestSnapshotIsNotWritten(t *testing.T) {
	const failed = "a snapshot was not written; the log grows until one is"
	const full = "no space for a snapshot; the log grows until there is"
	for name, c := range map[string]struct {
		write func() error
		note  string
		says  string
	}{
		"fails":              {func() error { return errors.New("a bug") }, failed, "a bug"},
		"panics":             {func() error { panic("a bug") }, failed, "panicked: a bug"},
		"ends its goroutine": {func() error { runtime.Goexit(); return nil }, failed, "runtime.Goexit"},
		"disk full":          {func() error { return syscall.ENOSPC }, full, "no space"},
	} {
		t.Run(name, func(t *testing.T) {
			b := frozenAt(t, 10)
			closed := 0
			b.user.write, b.user.closed = c.write, func() { closed++ }
			exits(func() { b.background() })
			require.Empty(t, b.told())
			require.Equal(t, 1, closed)
			require.Len(t, b.notes, 1)
			require.Equal(t, c.note, b.notes[0].Text)
			require.ErrorContains(t, b.notes[0].Err, c.says)
			b.user.write = nil
			b.a.Add(Job{Entries: b.commands(10)})
			b.steps(t)
			b.background()
			require.Len(t, b.told(), 1)
			require.Equal(t, 2, closed)
		})
	}
}

// Snapshot returns an error: the applier notes it, and another is tried when it is due.
func TestSnapshotIsRefused(t *testing.T) {
	b := newApplier(t)
	b.a.every = 10
	b.user.snapshot = func() error { return errors.New("not now") }
	b.a.Add(Job{Entries: b.commands(19)})
	b.steps(t)
	require.Empty(t, b.tasks)
	require.True(t, b.noted("no snapshot was taken; the log grows until one is"))
	require.EqualError(t, b.notes[0].Err, "StateMachine.Snapshot: not now")
	b.user.snapshot = nil
	b.a.Add(Job{Entries: b.commands(1)})
	b.steps(t)
	require.Empty(t, b.tasks)
	b.a.Add(Job{Entries: b.commands(12)})
	b.steps(t)
	require.Len(t, b.tasks, 1)
	require.NoError(t, b.a.Failure())
}

// Snapshot panics or ends the goroutine: the replica stops with an error that names the op.
func TestSnapshotPanics(t *testing.T) {
	for _, snapshot := range []func() error{func() error { panic("a bug") }, func() error { runtime.Goexit(); return nil }} {
		b := newApplier(t)
		b.a.every, b.user.snapshot = 10, snapshot
		b.a.Add(Job{Entries: b.commands(10)})
		exits(func() { b.a.Step() })
		require.ErrorContains(t, b.a.Failure(), "StateMachine.Snapshot panicked after op 12: ")
	}
}

// Close of a frozen state panics or ends the goroutine: that is noted, and the snapshot counts.
func TestCloseOfAFrozenStatePanics(t *testing.T) {
	for says, closed := range map[string]func(){"a bug": func() { panic("a bug") }, "runtime.Goexit": runtime.Goexit} {
		b := frozenAt(t, 10)
		b.user.closed = closed
		exits(func() { b.background() })
		require.Len(t, b.told(), 1)
		require.True(t, b.noted("the state of a snapshot was not closed"))
		require.ErrorContains(t, b.notes[0].Err, says)
		b.user.closed = nil
		b.a.Add(Job{Entries: b.commands(10)})
		b.steps(t)
		require.Len(t, b.tasks, 1, "the next one is taken")
	}
}

// A snapshot that a received one has overtaken is dropped silently; one of the same op counts, since the core may ask for
// it in place of a damaged one.
func TestSnapshotIsSuperseded(t *testing.T) {
	b := frozenAt(t, 10)
	b.background()
	b.steps(t)
	b.told()
	b.a.Add(Job{Snapshot: true})
	b.steps(t)
	b.background()
	require.Equal(t, vsr.OpNumber(12), b.told()[0].(*vsr.SnapshotTaken).Snapshot.Last.Op)
	b.steps(t)

	b.a.Add(Job{Entries: b.commands(10)})
	b.steps(t)
	older := b.tasks
	b.tasks = nil
	b.a.Add(Job{Written: true})
	b.a.Add(Job{Entries: b.commands(10)})
	b.steps(t)
	b.background()
	require.Len(t, b.told(), 1)
	b.tasks = older
	b.background()
	assert.Empty(t, b.told())
	for _, n := range b.notes {
		assert.NoError(t, n.Err)
	}
}
