package smr

import (
	"context"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr/internal/shell"

	"github.com/smr-go/smr/internal/vfs"
)

// gate blocks those that pass it from shut to open.
type gate struct{ opens atomic.Pointer[chan struct{}] }

func (g *gate) shut() {
	opens := make(chan struct{})
	g.opens.Store(&opens)
}

func (g *gate) open() {
	if opens := g.opens.Swap(nil); opens != nil {
		close(*opens)
	}
}

func (g *gate) pass() {
	if opens := g.opens.Load(); opens != nil {
		<-*opens
	}
}

// gatedTransport is a Transport whose Send passes a gate.
type gatedTransport struct {
	Transport
	gate *gate
}

func (t gatedTransport) Send(to ID, msg []byte) {
	t.gate.pass()
	t.Transport.Send(to, msg)
}

// Write implements io.Writer for a logger.
func (g *gate) Write(b []byte) (int, error) {
	g.pass()
	return len(b), nil
}

// hangs are the things that a replica calls and that may hang. Each hangs at member a once it is told to, until the gate
// opens; left is what an error of Close names, "" if Close does not wait for it.
var hangs = map[string]struct {
	left string
	hang func(g *group, gate *gate)
}{
	"the logger": {"", func(g *group, _ *gate) { g.replica("a").log.Info("a line") }},
	"Apply": {"StateMachine.Apply of op ", func(g *group, gate *gate) {
		g.spoil("a", func(s *recorder) { s.before = func(Op) { gate.pass() } })
		g.propose("b", "hangs at a")
	}},
	"Snapshot": {"StateMachine.Snapshot after op ", func(g *group, gate *gate) {
		g.spoil("a", func(s *recorder) { s.refuse = func() error { gate.pass(); return nil } })
		g.proposeMany("b", 20, "op ")
	}},
	"WriteTo": {"WriteTo of the snapshot of op ", func(g *group, gate *gate) {
		g.spoil("a", func(s *recorder) { s.fail = func(w io.Writer) (io.Writer, error) { gate.pass(); return w, nil } })
		g.proposeMany("b", 20, "op ")
	}},
	"a function given to Read": {"", func(g *group, gate *gate) {
		go g.replica("a").Read(g.t.Context(), Local, gate.pass)
	}},
	"Send": {"Config.Transport.Send", func(*group, *gate) {}},
	"the disk": {"a read or write of Config.Dir", func(g *group, gate *gate) {
		g.disks["a"].SetHook(func(vfs.Op) error { gate.pass(); return nil })
		g.propose("b", "hangs at a")
	}},
}

// Whatever hangs: a call with a context returns when that ends, the others return at once, and Close names what hangs
// and returns. When that goes on, the replica ends.
func TestWhateverHangsCallsReturn(t *testing.T) {
	for name, c := range hangs {
		t.Run(name, func(t *testing.T) {
			var gate gate
			with := func(cfg *Config) {
				snapshots(cfg)
				if cfg.ID != "a" {
					return
				}
				switch name {
				case "the logger":
					cfg.Logger = hclog.New(&hclog.LoggerOptions{Level: hclog.Info, Output: &gate})
				case "Send":
					cfg.Transport = gatedTransport{cfg.Transport, &gate}
				}
			}
			scenarioWith(t, 3, with, func(g *group) {
				g.start()
				g.propose("a", "before")
				g.settle()
				gate.shut()
				g.t.Cleanup(gate.open)
				c.hang(g, &gate)
				synctest.Wait()
				r := g.replica("a")
				for _, m := range methods {
					for range 2 { // the second call finds what the first has left
						g.returns(r, m)
					}
				}
				g.closes(r, c.left)
				gate.open()
				g.ends(func() { <-r.Done() })
				require.ErrorIs(t, r.Err(), ErrClosed)
				require.NoError(t, g.close("a"))
				g.settle()
			})
		})
	}
}

// closes closes a replica, which takes 10 seconds and returns an error if what is left hangs.
func (g *group) closes(r *Replica, left string) {
	g.t.Helper()
	read := make(chan error, 1)
	go func() { read <- r.Read(g.t.Context(), Local, func() {}) }() // without a deadline
	synctest.Wait()
	began := time.Now()
	var err error
	g.ends(func() { err = r.Close() })
	if left == "" {
		require.NoError(g.t, err)
		require.LessOrEqual(g.t, time.Since(began), leaveLimit)
	} else {
		require.ErrorContains(g.t, err, left)
		require.LessOrEqual(g.t, time.Since(began), leaveLimit+closeLimit)
		require.NoError(g.t, r.Err(), "it has not ended")
	}
	select {
	case err := <-read:
		nilOrClosed(g.t, err)
	default:
		require.Fail(g.t, "a read outlives Close")
	}
}

// method is a method of Replica.
type method struct {
	name string
	call func(r *Replica, ctx context.Context) error // nil: it need not return
	late time.Duration                               // how long after its context it may return
}

var proposals atomic.Int32

var methods = []method{
	{"Propose", func(r *Replica, ctx context.Context) error {
		_, err := r.Propose(ctx, fmt.Append(nil, "proposal ", proposals.Add(1)))
		if err != nil && errors.Is(err, ErrNotApplied) == errors.Is(err, ErrUnknown) {
			return errors.New("the outcome is not stated: " + err.Error())
		}
		return nil
	}, answerLimit},
	{"Read", func(r *Replica, ctx context.Context) error { r.Read(ctx, Local, func() {}); return nil }, 0},
	{"Read", func(r *Replica, ctx context.Context) error { r.Read(ctx, Linearizable, func() {}); return nil }, 0},
	{"Read", func(r *Replica, ctx context.Context) error {
		r.Read(ctx, AtLeast(r.Status().Op), func() {})
		return nil
	}, 0},
	{"Handover", func(r *Replica, ctx context.Context) error { r.Handover(ctx, "c"); return nil }, 0},
	{"Watch", func(r *Replica, ctx context.Context) error {
		for range r.Watch(ctx) {
		}
		return nil
	}, 0},
	{"Status", func(r *Replica, _ context.Context) error { r.Status(); return nil }, -time.Second},
	{"Health", func(r *Replica, _ context.Context) error { r.Health(); return nil }, -time.Second},
	{"Err", func(r *Replica, _ context.Context) error { return r.Err() }, -time.Second},
	{"Done", func(r *Replica, _ context.Context) error { r.Done(); return nil }, -time.Second},
	{"Close", nil, 0}, // see closes
}

// returns calls a method with a context that ends in a second.
func (g *group) returns(r *Replica, m method) {
	g.t.Helper()
	if m.call == nil {
		return
	}
	began := time.Now()
	g.ends(func() { assert.NoError(g.t, m.call(r, g.in(time.Second)), m.name) })
	require.LessOrEqual(g.t, time.Since(began), time.Second+m.late, m.name)
}

// The test above calls every method that a user can call.
func TestAllMethodsAreCalled(t *testing.T) {
	var exported, called []string
	for i := range reflect.TypeFor[*Replica]().NumMethod() {
		exported = append(exported, reflect.TypeFor[*Replica]().Method(i).Name)
	}
	for _, m := range methods {
		called = append(called, m.name)
	}
	slices.Sort(called)
	require.Equal(t, exported, slices.Compact(called))
}

// Calls inside Apply that would wait for Apply's own return end with an error that says so, whatever their contexts. Calls
// that need not wait succeed.
func TestCallsInsideApply(t *testing.T) {
	forever := context.Background()
	const says = "called inside Apply"
	scenario(t, 3, func(g *group) {
		cancelled, cancel := context.WithCancel(forever) // when the calls have returned
		defer cancel()
		g.start()
		g.propose("a", "before")
		g.settle()
		for name, call := range map[string]func(r *Replica) error{
			"Close":             func(r *Replica) error { return r.Close() },
			"Local":             func(r *Replica) error { return r.Read(forever, Local, func() {}) },
			"AtLeast":           func(r *Replica) error { return r.Read(forever, AtLeast(r.Status().Op+1), func() {}) },
			"Linearizable":      func(r *Replica) error { return r.Read(forever, Linearizable, func() {}) },
			"Propose":           func(r *Replica) error { _, err := r.Propose(forever, []byte("inside")); return err },
			"Propose, cancel":   func(r *Replica) error { _, err := r.Propose(cancelled, []byte("inside too")); return err },
			"AtLeast, cancel":   func(r *Replica) error { return r.Read(cancelled, AtLeast(r.Status().Op+1), func() {}) },
			"Propose, deadline": func(r *Replica) error { _, err := r.Propose(g.in(time.Second), []byte("late")); return err },
		} {
			r, result := g.replica("a"), make(chan error, 1)
			var once atomic.Bool
			g.spoil("a", func(s *recorder) {
				s.before = func(Op) {
					if once.CompareAndSwap(false, true) {
						r.Status()
						r.Health()
						result <- call(r)
					}
				}
			})
			go g.replica("b").Propose(g.t.Context(), []byte(name))
			var err error
			g.ends(func() { err = <-result })
			require.Error(t, err, name)
			if !strings.Contains(name, "deadline") {
				require.ErrorContains(t, err, says, name)
			}
			if strings.HasPrefix(name, "Propose") {
				require.ErrorIs(t, err, ErrUnknown)
			}
			g.turn("a", func(l *shell.Loop) { // the loop has forgotten the call
				_, reads := l.Waiting()
				require.Zero(t, reads, name)
			})
			require.NoError(t, r.Err())
		}
		g.settle()
	})
}

// Close inside WriteTo returns an error. Calls that do not wait for the snapshot succeed there.
func TestCallsInsideWriteTo(t *testing.T) {
	scenarioWith(t, 1, snapshots, func(g *group) {
		g.start()
		g.propose("a", "before")
		r, done := g.replica("a"), make(chan struct{})
		g.spoil("a", func(s *recorder) {
			s.fail = func(w io.Writer) (io.Writer, error) {
				defer close(done)
				s.fail = func(w io.Writer) (io.Writer, error) { return w, nil }
				assert.ErrorContains(t, r.Close(), "called inside")
				assert.NoError(t, r.Read(context.Background(), Linearizable, func() {}))
				_, err := r.Propose(context.Background(), []byte("inside"))
				assert.NoError(t, err)
				return w, nil
			}
		})
		g.proposeMany("a", 20, "op ")
		g.ends(func() { <-done })
	})
}
