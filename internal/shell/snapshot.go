package shell

import (
	"errors"
	"fmt"
	"io"

	"github.com/hashicorp/go-hclog"

	"github.com/smr-go/smr/internal/snap"
	"github.com/smr-go/smr/internal/store"
	"github.com/smr-go/smr/internal/vfs"
	"github.com/smr-go/smr/internal/vsr"
)

// snapshotDue reports whether it is time for the next snapshot.
func (a *Applier) snapshotDue() bool {
	return !a.writing && (a.every > 0 && a.ops >= a.every || a.everyBytes > 0 && a.bytes >= a.everyBytes)
}

// Frozen is the state as it was between two operations, to be written out while later ones are applied (C4).
type Frozen struct {
	store.State
	User io.WriterTo
}

// freeze freezes the state and starts writing it. If the user's Snapshot returns an error, the next snapshot is taken
// when it is due.
func (a *Applier) freeze() (err error) {
	defer a.fail(&err)
	defer caught(&err, "StateMachine.Snapshot panicked after op %d", &a.state.Last.Op)
	err = errExited
	a.ops, a.bytes = 0, 0
	a.does(freezes, a.state.Last.Op)
	user, err := a.user.Snapshot()
	if err != nil {
		err = fmt.Errorf("StateMachine.Snapshot: %w", err)
		a.shell.note(a.shell.snapshotting.failed(a.state.Last.Op, err, hclog.Error),
			"no snapshot was taken; the log grows until one is", err, "op", a.state.Last.Op)
		return nil
	}
	a.writing = true
	f := &Frozen{a.state.Frozen(), user}
	a.driver.Background(WriteSnapshot, func() { a.shell.writeSnapshot(f) })
	return nil
}

// writeSnapshot writes a frozen state and reports it to the core. After an error the replica goes on: it keeps the
// log, and takes the next snapshot when it is due.
func (s *Shell) writeSnapshot(f *Frozen) {
	info, err := snap.Info{}, errExited
	defer func() { s.snapshotWritten(f, info, err) }() // also if the user's code ends the goroutine
	defer s.closeFrozen(f)
	info, err = s.saveFrozen(f)
}

// closeFrozen closes the user's frozen state. An error or a panic there is only noted.
func (s *Shell) closeFrozen(f *Frozen) {
	c, ok := f.User.(io.Closer)
	if !ok {
		return
	}
	err := errExited
	defer func() {
		if err != nil {
			s.note(hclog.Warn, "the state of a snapshot was not closed", err, "op", f.Last.Op)
		}
	}()
	defer caught(&err, "closing the state of the snapshot of op %d panicked", &f.Last.Op)
	err = c.Close()
}

func (s *Shell) saveFrozen(f *Frozen) (info snap.Info, err error) {
	defer caught(&err, "writing the snapshot of op %d panicked", &f.Last.Op)
	if err := s.reserve(); err != nil {
		return info, err
	}
	w, err := s.Snapshots.Create(store.SnapID(vsr.SnapshotID{Group: f.Members.Group, Last: f.Last}), f.Header())
	if err != nil {
		return info, err
	}
	defer w.Abort()
	if _, err := f.Sessions.WriteTo(w); err != nil {
		return info, err
	}
	if err := s.writeUser(f, w); err != nil {
		return info, err
	}
	return w.Commit()
}

// writeUser writes the user's part of a frozen state. An error of w counts also if WriteTo ignores it.
func (s *Shell) writeUser(f *Frozen, w io.Writer) error {
	out := s.snapshotting.begin(f.Last.Op, w, s.driver)
	defer s.snapshotting.end()
	if _, err := f.User.WriteTo(out); err != nil {
		return err
	}
	return out.err
}

func (s *Shell) snapshotWritten(f *Frozen, info snap.Info, err error) {
	if s.observer != nil {
		s.observer.SnapshotWritten(f, err)
	}
	s.driver.Apply(Job{Written: true})
	superseded := errors.Is(err, snap.ErrSuperseded)
	if err == nil || superseded {
		if s.snapshotting.succeeded() {
			s.note(hclog.Info, "a snapshot was written, after attempts that failed", nil, "op", f.Last.Op)
		}
	}
	switch {
	case err == nil:
		s.note(hclog.Debug, "snapshot written", nil, "op", f.Last.Op, "bytes", info.Size)
		s.tookSnapshot(f, info)
	case superseded:
		if latest, ok := s.Snapshots.Latest(); ok && latest.ID.Op == uint64(f.Last.Op) { // the core may take it for damaged
			s.tookSnapshot(f, latest)
		}
	case s.driver.Stopping(): // which may be why
	case vfs.IsFull(err):
		s.note(s.snapshotting.failed(f.Last.Op, err, hclog.Warn),
			"no space for a snapshot; the log grows until there is", err, "op", f.Last.Op)
	default:
		s.note(s.snapshotting.failed(f.Last.Op, err, hclog.Error),
			"a snapshot was not written; the log grows until one is", err, "op", f.Last.Op)
	}
}

func (s *Shell) tookSnapshot(f *Frozen, info snap.Info) {
	s.driver.Tell(Input{Event: &vsr.SnapshotTaken{Snapshot: store.Describe(info, f.Members)}})
}
