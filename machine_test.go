package smr

import (
	"errors"
	"io"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/stretchr/testify/require"
)

// spoil changes the state machine of a running member.
func (g *group) spoil(id ID, change func(s *recorder)) {
	r := g.replica(id)
	r.state.Lock()
	defer r.state.Unlock()
	change(g.states[id])
}

// stopped waits until a member has stopped by itself, and returns the cause.
func (g *group) stopped(id ID) error {
	g.t.Helper()
	r := g.replica(id)
	select {
	case <-r.Done():
	case <-time.After(time.Minute):
		require.Fail(g.t, "it has not stopped")
	}
	require.Equal(g.t, Stopped, r.Status().Phase)
	return r.Err()
}

// A panic in Apply, or the end of its goroutine, stops that replica. The error names the op, which stays in
// the log. The others go on, and so does the replica once the program is corrected.
func TestPanicInApply(t *testing.T) {
	for says, bug := range map[string]func(Op){
		"a bug":          func(Op) { panic("a bug") },
		"runtime.Goexit": func(Op) { runtime.Goexit() }, // like t.FailNow
	} {
		scenario(t, 3, func(g *group) {
			g.start()
			g.propose("a", "before")
			g.settle()
			b := g.backup()
			g.spoil(b, func(s *recorder) { s.before = bug })
			g.propose(g.primary(), "the op")
			err := g.stopped(b)
			require.ErrorContains(t, err, "StateMachine.Apply panicked at op 4")
			require.ErrorContains(t, err, says)
			require.ErrorIs(t, g.replica(b).Read(g.t.Context(), Local, func() {}), ErrClosed)
			require.Error(t, g.close(b))
			g.propose(g.primary(), "without it")
			g.start(b)
			g.settle()
			require.Len(t, g.history(b), 3)
		})
	}
}

// Callers, Err and Status report a panic in one line. The log gets the stack, once.
func TestStackOfAPanic(t *testing.T) {
	var text strings.Builder
	with := func(c *Config) { c.Logger = hclog.New(&hclog.LoggerOptions{Level: hclog.Info, Output: &text}) }
	scenarioWith(t, 1, with, func(g *group) {
		g.start()
		g.propose("a", "before")
		g.spoil("a", func(s *recorder) { s.before = func(Op) { panic("a bug") } })
		_, err := g.replica("a").Propose(g.t.Context(), []byte("the op"))
		const says = "StateMachine.Apply panicked at op 4; every replica that reaches it will do the same: " +
			"fix the program, then start it again on the same directory: a bug"
		require.EqualError(t, err, "smr: outcome unknown: replica closed: "+says)
		require.ErrorIs(t, err, ErrUnknown)
		require.ErrorIs(t, err, ErrClosed)
		require.EqualError(t, g.stopped("a"), "smr: "+says)
		require.Equal(t, "smr: "+says, g.replica("a").Status().Problem)
		require.Equal(t, 1, strings.Count(text.String(), "TestStackOfAPanic"), text.String())
	})
}

// A panic in Snapshot, or the end of its goroutine, stops that replica like one in Apply.
func TestPanicInSnapshot(t *testing.T) {
	for says, bug := range map[string]func() error{
		"a bug":          func() error { panic("a bug") },
		"runtime.Goexit": func() error { runtime.Goexit(); return nil },
	} {
		scenarioWith(t, 3, snapshots, func(g *group) {
			g.start()
			g.propose("a", "before")
			b := g.backup()
			g.spoil(b, func(s *recorder) { s.refuse = bug })
			g.proposeMany(g.primary(), 40, "op ")
			err := g.stopped(b)
			require.ErrorContains(t, err, "StateMachine.Snapshot panicked after op")
			require.ErrorContains(t, err, says)
			require.Error(t, g.close(b))
			g.start(b)
			g.settle()
			require.Len(t, g.history(b), 41)
		})
	}
}

// If Restore fails, on the snapshot on disk or on a received one, the replica stops with the error.
func TestRestoreFails(t *testing.T) {
	scenarioWith(t, 3, snapshots, func(g *group) {
		g.start()
		g.proposeMany("a", 40, "op ")
		g.settle()
		g.wait("c has a snapshot", func() bool { return g.replica("c").Status().Snapshot > 0 })
		g.close("c")
		state := newRecorder()
		state.restore = func() error { return errors.New("cannot read it") }
		_, err := start(g.config("c", state), g.disks["c"], nil)
		require.ErrorContains(t, err, "StateMachine.Restore")
		require.ErrorContains(t, err, "cannot read it")
		state.restore = func() error { panic("a bug") }
		_, err = start(g.config("c", state), g.disks["c"], nil)
		require.ErrorContains(t, err, "StateMachine.Restore panicked")
		g.start("c")
		g.settle()
	})
}

// A snapshot that cannot be taken or written has no other consequence.
func TestSnapshotFails(t *testing.T) {
	for name, spoil := range map[string]func(s *recorder){
		"Snapshot fails": func(s *recorder) { s.refuse = func() error { return errors.New("not now") } },
		"WriteTo fails":  func(s *recorder) { s.fail = func(io.Writer) (io.Writer, error) { return nil, errors.New("not now") } },
		"WriteTo panics": func(s *recorder) { s.fail = func(io.Writer) (io.Writer, error) { panic("a bug") } },
		"WriteTo ends its goroutine": func(s *recorder) {
			s.fail = func(w io.Writer) (io.Writer, error) { runtime.Goexit(); return w, nil }
		},
	} {
		t.Run(name, func(t *testing.T) {
			scenarioWith(t, 3, snapshots, func(g *group) {
				g.start()
				g.propose("a", "before")
				g.spoil("a", spoil)
				g.proposeMany("a", 60, "op ")
				g.settle()
				require.Zero(t, g.replica("a").Status().Snapshot)
				require.NoError(t, g.replica("a").Err())
			})
		})
	}
}

// N7. A slow Apply delays results but not heartbeats, so the primary keeps its role. Close does not wait for
// the operations that are left.
func TestSlowApply(t *testing.T) {
	scenario(t, 3, func(g *group) {
		g.start()
		g.propose("a", "before")
		p := g.primary()
		view := g.replica(p).Status().View
		g.settle()
		var slow atomic.Bool
		slow.Store(true)
		for _, id := range g.ids() {
			g.spoil(id, func(s *recorder) {
				s.before = func(Op) {
					if slow.Load() {
						time.Sleep(time.Second)
					}
				}
			})
		}
		r := g.replica(p)
		for range 200 {
			go r.Propose(g.t.Context(), []byte(time.Now().String()))
			time.Sleep(time.Millisecond)
		}
		time.Sleep(20 * time.Second)
		require.Equal(t, view, r.Status().View)
		began := time.Now()
		g.close(p)
		require.Less(t, time.Since(began), 3*time.Second)
		slow.Store(false)
		g.settle()
	})
}

// A logger may read the replica that it logs for: nothing is logged while the state is locked.
func TestLoggerReads(t *testing.T) {
	read := make(chan error, 100)
	var r atomic.Pointer[Replica]
	logger := hclog.NewInterceptLogger(&hclog.LoggerOptions{Output: io.Discard})
	logger.RegisterSink(&sink{func(text string) {
		if strings.HasPrefix(text, "no snapshot was taken") {
			read <- r.Load().Read(t.Context(), Local, func() {})
		}
	}})
	with := func(c *Config) { c.Logger, c.SnapshotEvery = logger, 10 }
	scenarioWith(t, 1, with, func(g *group) {
		g.start()
		r.Store(g.replica("a"))
		g.spoil("a", func(s *recorder) { s.refuse = func() error { return errors.New("not now") } })
		g.proposeMany("a", 11, "op ")
		require.NoError(t, <-read)
	})
}

// sink is called with the text of each line that is logged.
type sink struct{ logged func(text string) }

func (s *sink) Accept(_ string, _ hclog.Level, text string, _ ...any) { s.logged(text) }
