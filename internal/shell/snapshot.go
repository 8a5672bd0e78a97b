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
	user, err := a.user.Snapshot()
	if err != nil {
		a.refused(err)
		return nil
	}
	a.writing = true
	f := &Frozen{a.state.Frozen(), user}
	a.driver.Background(WriteSnapshot, func() { a.shell.writeSnapshot(f) })
	return nil
}

// refused has the loop note that Snapshot returned err: a logger is the user's code, and must not run while the state is
// locked.
func (a *Applier) refused(err error) {
	n := Note{Level: hclog.Error, Text: "no snapshot was taken; the log grows until one is", Args: []any{"op", a.state.Last.Op},
		Err: fmt.Errorf("StateMachine.Snapshot: %w", err)}
	a.driver.Tell(Input{Do: func(l *Loop) { l.driver.Note(n) }})
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
			s.driver.Note(Note{Level: hclog.Warn, Text: "the state of a snapshot was not closed", Args: []any{"op", f.Last.Op}, Err: err})
		}
	}()
	defer caught(&err, "closing the state of the snapshot of op %d panicked", &f.Last.Op)
	err = c.Close()
}

func (s *Shell) saveFrozen(f *Frozen) (info snap.Info, err error) {
	defer caught(&err, "writing the snapshot of op %d panicked", &f.Last.Op)
	w, err := s.Snapshots.Create(uint64(f.Last.Epoch), uint64(f.Last.View), uint64(f.Last.Op), f.Header())
	if err != nil {
		return info, err
	}
	defer w.Abort()
	if _, err := f.User.WriteTo(w); err != nil {
		return info, err
	}
	return w.Commit()
}

func (s *Shell) snapshotWritten(f *Frozen, info snap.Info, err error) {
	if s.observer != nil {
		s.observer.SnapshotWritten(f, err)
	}
	s.driver.Apply(Job{Written: true})
	switch {
	case err == nil:
		s.driver.Note(Note{Level: hclog.Debug, Text: "snapshot written", Args: []any{"op", f.Last.Op, "bytes", info.Size}})
		s.tookSnapshot(f, info)
	case errors.Is(err, snap.ErrSuperseded):
		if latest, ok := s.Snapshots.Latest(); ok && latest.ID.Op == uint64(f.Last.Op) { // the core may take it for damaged
			s.tookSnapshot(f, latest)
		}
	case vfs.IsFull(err):
		s.driver.Note(Note{Level: hclog.Warn, Text: "no space for a snapshot; the log grows until there is", Args: []any{"op", f.Last.Op}, Err: err})
	default:
		s.driver.Note(Note{Level: hclog.Error, Text: "a snapshot was not written; the log grows until one is", Args: []any{"op", f.Last.Op}, Err: err})
	}
}

func (s *Shell) tookSnapshot(f *Frozen, info snap.Info) {
	s.driver.Tell(Input{Event: &vsr.SnapshotTaken{Snapshot: store.Describe(info, f.Members)}})
}
