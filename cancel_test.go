package smr

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr/internal/shell"
)

// A handover whose context has ended does not take place: the member that it names comes back and does not become
// primary.
func TestEndedHandoverIsForgotten(t *testing.T) {
	scenario(t, 3, func(g *group) {
		g.start()
		require.Equal(t, ID("a"), g.primary())
		g.propose("a", "before")
		g.crash("c")
		time.Sleep(2 * time.Second) // long enough for a to notice the absence
		require.ErrorIs(t, g.replica("a").Handover(g.in(time.Second), "c"), context.DeadlineExceeded)
		var goesOn bool
		g.turn("a", func(l *shell.Loop) { goesOn = !l.Core().State().HandingOver })
		require.True(t, goesOn)
		view := g.replica("a").Status().View
		g.start("c")
		g.propose("b", "c follows")
		g.settle()
		time.Sleep(2 * time.Second)
		require.Equal(t, ID("a"), g.primary())
		require.Equal(t, view, g.replica("a").Status().View)
	})
}

// A read whose context has ended no longer waits in the loop.
func TestEndedReadIsForgotten(t *testing.T) {
	scenario(t, 3, func(g *group) {
		g.start()
		g.propose("a", "before")
		g.settle()
		op := g.replica("c").Status().Applied
		g.wires.isolate("c")
		waiting := func() (reads int) {
			g.turn("c", func(l *shell.Loop) { _, reads = l.Waiting() })
			return reads
		}
		for _, level := range []ReadLevel{Linearizable, AtLeast(op + 1)} {
			ended := make(chan error, 1)
			go func() { ended <- g.replica("c").Read(g.in(time.Second), level, func() {}) }()
			time.Sleep(time.Millisecond)
			require.Equal(t, 1, waiting())
			require.ErrorIs(t, <-ended, context.DeadlineExceeded)
			require.Zero(t, waiting())
		}
		g.wires.heal()
	})
}

// A read that waits for a long reader, and for the applier that waits for that one, returns when its context ends.
func TestReadBehindALongReaderEndsWithItsContext(t *testing.T) {
	scenario(t, 1, func(g *group) {
		r, over := g.longRead()
		for _, level := range []ReadLevel{Local, AtLeast(1), Linearizable} {
			at := time.Now()
			g.ends(func() {
				assert.ErrorIs(t, r.Read(g.in(time.Second), level, func() {}), context.DeadlineExceeded)
			})
			require.Equal(t, time.Second, time.Since(at))
		}
		close(over)
		require.NoError(t, r.Read(g.t.Context(), Local, func() {}))
	})
}

// Close waits neither for the function of a Read nor for reads behind it, which return when the replica stops.
func TestCloseDoesNotWaitForReaders(t *testing.T) {
	scenario(t, 1, func(g *group) {
		r, over := g.longRead()
		defer close(over)
		go func() {
			time.Sleep(time.Second)
			g.close("a")
		}()
		at := time.Now()
		g.ends(func() { assert.ErrorIs(t, r.Read(g.t.Context(), Local, func() {}), ErrClosed) })
		g.ends(func() { <-r.Done() })
		require.Equal(t, time.Second, time.Since(at))
	})
}

// longRead starts member a, with a Read that lasts until over is closed and an applier that waits for it.
func (g *group) longRead() (r *Replica, over chan struct{}) {
	g.start()
	g.propose("a", "before")
	r, over = g.replica("a"), make(chan struct{})
	go r.Read(g.t.Context(), Local, func() { <-over })
	synctest.Wait()
	go r.Propose(g.t.Context(), []byte("waits for the reader"))
	synctest.Wait()
	return r, over
}

// turn calls f in a turn of a member's loop and returns when that has ended.
func (g *group) turn(id ID, f func(l *shell.Loop)) {
	done := make(chan struct{})
	g.replica(id).do(func(l *shell.Loop) { defer close(done); f(l) })
	<-done
}
