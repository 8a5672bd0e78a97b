package smr

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr/internal/shell"
	"github.com/smr-go/smr/internal/vfs"
	"github.com/smr-go/smr/internal/vsr"
	"github.com/smr-go/smr/internal/wire"
)

// Whichever goroutine of a replica fails, every caller gets one outcome: those that the loop has not come to, those that
// wait, and those that come too late.
func TestFailureAnswersEverybody(t *testing.T) {
	broken := errors.New("broken")
	for name, fail := range map[string]func(g *group, p ID){
		"the loop":    func(g *group, p ID) { g.replica(p).do(func(*shell.Loop) { g.replica(p).fail(broken) }) },
		"the applier": func(g *group, p ID) { g.spoil(p, func(s *recorder) { s.before = func(Op) { panic(broken) } }) },
		"the writer": func(g *group, p ID) {
			g.disks[p].SetHook(func(op vfs.Op) error {
				if op.Kind == vfs.OpSync {
					return broken
				}
				return nil
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			scenario(t, 3, func(g *group) {
				g.start()
				p := g.primary()
				g.propose(p, "before")
				r := g.replica(p)
				var busy sync.WaitGroup
				propose := func(body string) {
					busy.Go(func() {
						_, err := r.Propose(context.Background(), []byte(body))
						if nilOrClosed(t, err); err != nil {
							assert.True(t, errors.Is(err, ErrNotApplied) != errors.Is(err, ErrUnknown), err)
							assert.ErrorContains(t, err, "broken")
						}
					})
				}
				g.wires.isolate(p)
				propose("waits")
				time.Sleep(10 * time.Millisecond)
				fail(g, p)
				g.pause(p, 100*time.Millisecond)
				for i := range 20 {
					propose(fmt.Sprint("in the inbox ", i))
					busy.Go(func() { nilOrClosed(t, r.Read(context.Background(), Linearizable, func() {})) })
					busy.Go(func() { nilOrClosed(t, r.Handover(context.Background(), "")) })
				}
				g.wires.heal(p)
				<-r.Done()
				g.ends(busy.Wait)
				g.ends(func() {
					_, err := r.Propose(context.Background(), []byte("too late"))
					assert.ErrorIs(t, err, ErrNotApplied)
				})
				require.Error(t, g.close(p))
			})
		})
	}
}

// ends runs f, which must return within a minute.
func (g *group) ends(f func()) {
	g.t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	select {
	case <-done:
	case <-time.After(time.Minute):
		require.Fail(g.t, "it does not end")
	}
}

// nilOrClosed accepts what was done before the replica failed.
func nilOrClosed(t *testing.T, err error) {
	if err != nil {
		assert.ErrorIs(t, err, ErrClosed)
	}
}

// Calls that wait in the inbox when the replica is closed were not applied.
func TestCloseAnswersTheInbox(t *testing.T) {
	scenario(t, 1, func(g *group) {
		g.start()
		g.propose("a", "before")
		r := g.replica("a")
		r.do(func(*shell.Loop) { time.Sleep(time.Second); r.fail(ErrClosed); time.Sleep(time.Second) })
		time.Sleep(1500 * time.Millisecond)
		_, err := r.Propose(context.Background(), []byte("not seen"))
		require.ErrorIs(t, err, ErrNotApplied)
		require.ErrorIs(t, err, ErrClosed)
		<-r.Done()
	})
}

// No read sees an operation half applied.
func TestReadsWaitForApply(t *testing.T) {
	scenario(t, 1, func(g *group) {
		g.start()
		r := g.replica("a")
		g.propose("a", "before")
		applying := false
		g.spoil("a", func(s *recorder) {
			s.before = func(Op) { applying = true; time.Sleep(time.Second); applying = false }
		})
		go r.Propose(g.t.Context(), []byte("slow"))
		time.Sleep(500 * time.Millisecond)
		at := time.Now()
		require.NoError(t, r.Read(g.t.Context(), Local, func() { assert.False(t, applying) }))
		require.Equal(t, 500*time.Millisecond, time.Since(at))
	})
}

// Propose copies the body: its caller may overwrite it as soon as Propose has returned, whatever the outcome.
func TestBodyIsTheCallers(t *testing.T) {
	scenario(t, 3, func(g *group) {
		g.start()
		p := g.primary()
		g.propose(p, "before")
		g.wires.isolate(p)
		body, began := []byte("as it was"), time.Now()
		g.ends(func() {
			_, err := g.replica(p).Propose(g.in(100*time.Millisecond), body)
			assert.ErrorIs(t, err, ErrUnknown)
			assert.ErrorIs(t, err, context.DeadlineExceeded)
		})
		require.Equal(t, 100*time.Millisecond, time.Since(began), "the loop answers at once")
		copy(body, "overwritten")
		g.wires.heal(p)
		g.settle()
		for _, id := range g.all() {
			require.NotContains(t, strings.Join(g.history(id), " "), "overwr")
		}
	})
}

// F13. The compaction that gives the space for a save comes when the writer waits for space already: the snapshot was
// late.
func TestFullDiskIsCompactedLater(t *testing.T) {
	scenarioWith(t, 3, snapshots, func(g *group) {
		g.start()
		g.propose("a", "before")
		b := g.backup()
		var due atomic.Bool
		goOn := make(chan struct{})
		g.spoil(b, func(s *recorder) {
			s.refuse = func() error {
				if due.Load() {
					return nil
				}
				return errors.New("not now")
			}
			s.fail = func(io.Writer) (io.Writer, error) { return io.Discard, nil } // so that there is space for it
		})
		large := strings.Repeat("x", 8<<10)
		for i := range 100 { // segments that are to be given back
			g.propose("a", fmt.Sprint(large, i))
		}
		g.settle()
		g.spoil(b, func(s *recorder) { s.before = func(Op) { <-goOn } })
		for i := range 20 { // to be applied when it goes on, so that a snapshot is due
			g.propose(g.others(b)[0], fmt.Sprint("before ", large, i))
		}
		g.durable(b)
		g.disks[b].SetCapacity(g.disks[b].Used() + 32<<10)
		for i := range 30 {
			g.propose(g.others(b)[0], fmt.Sprint("meanwhile ", large, i))
		}
		r := g.replica(b)
		g.wait("its disk is full", func() bool { return strings.Contains(r.Status().Problem, "full") })
		due.Store(true)
		close(goOn)
		// a snapshot that it lacks may still not fit
		g.wait("its log has space", func() bool { return !strings.Contains(r.Status().Problem, "full") })
		g.disks[b].SetCapacity(0)
		g.settle()
		require.Len(t, g.history(b), 151)
	})
}

// S5. A log to which nothing is written for a while is marked, once.
func TestIdleLogIsMarked(t *testing.T) {
	scenario(t, 1, func(g *group) {
		g.start()
		g.propose("a", "op")
		var writes atomic.Int32
		g.disks["a"].SetHook(func(op vfs.Op) error {
			if op.Kind == vfs.OpWrite {
				writes.Add(1)
			}
			return nil
		})
		time.Sleep(shell.IdleMark - 10*time.Millisecond)
		require.Zero(t, writes.Load())
		time.Sleep(20 * time.Millisecond)
		require.Positive(t, writes.Load())
		time.Sleep(time.Minute) // the floor travels once (X2)
		marked := writes.Load()
		time.Sleep(time.Minute)
		require.Equal(t, marked, writes.Load())
	})
}

// F12. A failed write stops the replica at once, not at the next thing that is written.
func TestFailedWriteStopsAtOnce(t *testing.T) {
	for name, kind := range map[string]vfs.OpKind{"write": vfs.OpWrite, "sync": vfs.OpSync} {
		t.Run(name, func(t *testing.T) {
			scenario(t, 1, func(g *group) {
				g.start()
				g.propose("a", "before")
				time.Sleep(2 * shell.IdleMark)
				broken, fails := errors.New("broken"), true
				g.disks["a"].SetHook(func(op vfs.Op) error {
					if op.Kind == kind && fails {
						fails = false
						return broken
					}
					return nil
				})
				at, r := time.Now(), g.replica("a")
				_, err := r.Propose(g.in(time.Minute), []byte("perhaps"))
				require.ErrorIs(t, err, ErrUnknown)
				<-r.Done()
				require.Less(t, time.Since(at), shell.IdleMark/10)
				require.ErrorIs(t, r.Err(), broken)
			})
		})
	}
}

// The largest operation is accepted while messages wait for the loop, even if it alone is as large as the window.
func TestLargestProposalIsAccepted(t *testing.T) {
	scenarioWith(t, 3, func(c *Config) { c.MaxOpSize, c.Window = 64<<10, 64<<10 }, func(g *group) {
		g.start()
		g.propose("a", "before")
		g.pause("a", time.Second)
		time.Sleep(500 * time.Millisecond) // heartbeats of others wait for the loop
		require.Equal(t, "2", g.propose("a", strings.Repeat("x", 64<<10)))
	})
}

// Messages that wait for the loop are limited in bytes: those above are dropped, as if they were lost.
func TestInboxIsLimited(t *testing.T) {
	scenario(t, 3, func(g *group) {
		g.start()
		g.propose("a", "before")
		r := g.replica(g.backup())
		g.pause(r.cfg.ID, time.Second)
		time.Sleep(10 * time.Millisecond)
		chunk := &vsr.SnapshotChunk{Snapshot: vsr.SnapshotID{Group: vsr.GroupID{1}, Last: vsr.Viewstamp{Epoch: 1, Op: 1}}, Data: make([]byte, 1<<20)}
		header := vsr.Header{Group: vsr.GroupID{1}, Epoch: 1, Incarnation: vsr.Incarnation{1}, Start: 1}
		message := wire.AppendMessage(nil, wire.TagOf(r.cfg.Group), header, chunk)
		for range 64 {
			r.receive("a", message)
		}
		_, err := r.shell.Receive("a", message)
		require.ErrorIs(t, err, ErrOverloaded)
		time.Sleep(2 * time.Second)
		_, err = r.shell.Receive("a", message)
		require.NoError(t, err, "the loop has handled them")
	})
}

// What waits to be tried again, because the system was short of something, does not hold up the end of a replica.
func TestWhatIsToBeTriedAgainEndsWithTheReplica(t *testing.T) {
	scenario(t, 1, func(g *group) {
		g.start()
		g.propose("a", "before")
		driver{g.replica("a")}.Background(shell.TryAgain, func() { t.Error("it is tried again") })
		began := time.Now()
		require.NoError(t, g.close("a"))
		require.Less(t, time.Since(began), shell.FullRetry)
	})
}

// 11.10: while the loop hangs, its inbox holds one input for each proposal that waits, and two for each read that is given up.
func TestInboxOfALoopThatHangs(t *testing.T) {
	scenario(t, 1, func(g *group) {
		g.start()
		g.propose("a", "before")
		g.settle()
		r, held, release := g.replica("a"), make(chan struct{}), make(chan struct{})
		r.do(func(*shell.Loop) { close(held); <-release })
		<-held
		const calls = 50
		for range calls {
			go r.Propose(g.t.Context(), []byte("waits"))
			go r.Read(g.in(time.Second), Linearizable, func() {})
		}
		time.Sleep(2 * time.Second)
		inputs, _ := r.inbox.Take()
		require.GreaterOrEqual(t, len(inputs), 3*calls)
		require.LessOrEqual(t, len(inputs), 3*calls+2, "and what its own work reports")
		for _, in := range inputs {
			r.inbox.Add(in)
		}
		close(release)
	})
}
