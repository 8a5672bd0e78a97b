package smr

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr/internal/shell"
	"github.com/smr-go/smr/internal/vsr"
)

// spoil changes the state machine of a running member.
func (g *group) spoil(id ID, change func(s *recorder)) {
	r := g.replica(id)
	require.True(g.t, r.state.Lock(nil))
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

// A read that gets the lock after a step that failed, before the replica has stopped for it, does not look at the state.
func TestReadAfterAFailedStep(t *testing.T) {
	scenario(t, 1, func(g *group) {
		g.start()
		g.propose("a", "before")
		synctest.Wait() // the applier has nothing to do
		r := g.replica("a")
		require.NoError(t, r.Read(g.t.Context(), Local, func() {}))
		r.shell.Applier.Add(shell.Job{Entries: []vsr.Entry{{Op: 99}}})
		_, err := r.applyStep()
		require.ErrorContains(t, err, "op 99 is to be applied after op 3")
		require.ErrorIs(t, r.Read(g.t.Context(), Local, func() { t.Error("it looks at the state") }), ErrClosed)
	})
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

// If Restore fails on a received snapshot, the replica stops with the error.
func TestRestoreOfAReceivedSnapshotFails(t *testing.T) {
	scenarioWith(t, 3, snapshots, func(g *group) {
		g.start()
		g.propose("a", "before")
		g.settle()
		g.crash("c")
		g.fill("a", "while it was away ")
		require.NoError(t, g.tryStart("c", func(cfg *Config) {
			g.change(cfg)
			cfg.StateMachine.(*recorder).restore = func() error { return errors.New("cannot read it") }
		}))
		err := g.stopped("c")
		require.ErrorContains(t, err, "StateMachine.Restore")
		require.ErrorContains(t, err, "cannot read it")
		require.Error(t, g.close("c"))
		g.start("c")
		g.settle()
		require.Len(t, g.history("c"), 281)
	})
}

// If Restore fails on the snapshot on disk, the replica does not start.
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

// A WriteTo that hangs is reported, although nothing else happens, until it goes on.
func TestAHungWriteToIsReported(t *testing.T) {
	scenarioWith(t, 1, snapshots, func(g *group) {
		g.start()
		g.propose("a", "before")
		goOn := make(chan struct{})
		g.spoil("a", func(s *recorder) { s.fail = func(w io.Writer) (io.Writer, error) { <-goOn; return w, nil } })
		g.proposeMany("a", 20, "op ")
		r := g.replica("a")
		time.Sleep(29 * time.Second)
		require.Empty(t, r.Status().Problem)
		time.Sleep(2 * time.Second)
		require.Contains(t, r.Status().Problem, "has made no progress since 2000-01-01T00:00:00Z: WriteTo")
		close(goOn)
		g.propose("a", "after")
		g.wait("there is a snapshot", func() bool { return r.Status().Snapshot > 0 })
		require.Empty(t, r.Status().Problem)
	})
}

// Close does not wait until a WriteTo has written the whole state: its next write fails. Nothing is logged about it.
func TestCloseEndsWriteTo(t *testing.T) {
	var text strings.Builder
	with := func(c *Config) {
		snapshots(c)
		c.Logger = hclog.New(&hclog.LoggerOptions{Level: hclog.Info, Output: &text})
	}
	scenarioWith(t, 1, with, func(g *group) {
		g.start()
		g.propose("a", "before")
		writing := make(chan struct{}, 100)
		g.spoil("a", func(s *recorder) {
			s.fail = func(w io.Writer) (io.Writer, error) { return &slowly{w, writing}, nil }
		})
		g.proposeMany("a", 20, "op ")
		<-writing
		r := g.replica("a")
		at := time.Now()
		require.NoError(t, g.close("a"))
		require.LessOrEqual(t, time.Since(at), time.Second)
		require.Zero(t, r.Status().Snapshot)
		require.NotContains(t, text.String(), "snapshot")
	})
}

// slowly is a writer that takes a second for each write.
type slowly struct {
	io.Writer
	writing chan struct{}
}

func (s *slowly) Write(b []byte) (int, error) {
	s.writing <- struct{}{}
	time.Sleep(time.Second)
	return s.Writer.Write(b)
}

// N7. A slow Apply delays results but not heartbeats, so the primary keeps its role, also if only its own Apply is slow.
// Close does not wait for the operations that are left.
func TestSlowApply(t *testing.T) {
	for _, everywhere := range []bool{true, false} {
		slowApply(t, everywhere)
	}
}

func slowApply(t *testing.T, everywhere bool) {
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
					if slow.Load() && (everywhere || id == p) {
						time.Sleep(time.Second)
					}
				}
			})
		}
		r := g.replica(p)
		for i := range 200 { // all in one turn, so that one step applies many
			go r.Propose(g.t.Context(), fmt.Append(nil, "slow ", i))
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

// A logger may read the replica that it logs for: its goroutine holds no lock, and nothing waits for it.
func TestLoggerReads(t *testing.T) {
	read := make(chan error, 100)
	var r atomic.Pointer[Replica]
	logger := hclog.NewInterceptLogger(&hclog.LoggerOptions{Output: io.Discard})
	logger.RegisterSink(&sink{func(text string) {
		if strings.HasPrefix(text, "no snapshot was taken") {
			read <- r.Load().Read(context.Background(), Local, func() {})
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

// While the logger is blocked the group serves, changes its primary and closes.
func TestABlockedLoggerHoldsUpNothing(t *testing.T) {
	var output stuckWriter
	with := func(c *Config) { c.Logger = hclog.New(&hclog.LoggerOptions{Level: hclog.Info, Output: &output}) }
	scenarioWith(t, 3, with, func(g *group) {
		g.start()
		p := g.primary()
		g.settle()
		goOn := make(chan struct{})
		defer close(goOn)
		output.goOn.Store(&goOn)
		require.NoError(t, g.replica(p).Handover(g.in(time.Second), "")) // which each replica logs
		began := time.Now()
		for _, id := range g.ids() {
			g.propose(id, "at "+string(id))
		}
		require.Less(t, time.Since(began), 100*time.Millisecond)
		synctest.Wait() // the lines reach the output
		require.EqualValues(t, 3, output.stuck.Load())
		for _, id := range g.ids() {
			began := time.Now()
			require.NoError(t, g.close(id))
			require.Less(t, time.Since(began), 1100*time.Millisecond)
		}
	})
}

// stuckWriter is an output that blocks until goOn is closed, once goOn is set.
type stuckWriter struct {
	goOn  atomic.Pointer[chan struct{}]
	stuck atomic.Int32
}

func (w *stuckWriter) Write(b []byte) (int, error) {
	if goOn := w.goOn.Load(); goOn != nil {
		w.stuck.Add(1)
		<-*goOn
	}
	return len(b), nil
}

// sink is called with the text of each line that is logged.
type sink struct{ logged func(text string) }

func (s *sink) Accept(_ string, _ hclog.Level, text string, _ ...any) { s.logged(text) }

// nothing is a state machine without state.
type nothing struct{}

func (nothing) Apply(Op) []byte                { return nil }
func (nothing) Snapshot() (io.WriterTo, error) { return strings.NewReader(""), nil }
func (nothing) Restore(io.Reader) error        { return nil }
