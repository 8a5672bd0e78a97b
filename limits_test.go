package smr

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr/internal/tcp"
	"github.com/smr-go/smr/internal/vsr"
	"github.com/smr-go/smr/internal/wire"
)

// N1. Proposals that exceed the window are refused at once and not applied. Later ones succeed.
func TestOverload(t *testing.T) {
	scenarioWith(t, 3, func(cfg *Config) { cfg.MaxOpSize, cfg.Window = 100, 2000 }, func(g *group) {
		g.wires.latency = 10 * time.Millisecond
		g.start()
		g.propose("a", "before")
		for _, at := range g.ids() {
			var busy sync.WaitGroup
			var mu sync.Mutex
			refused := 0
			for i := range 100 {
				busy.Go(func() {
					_, err := g.replica(at).Propose(g.in(time.Minute), []byte(string(at)+time.Duration(i).String()))
					if err != nil {
						assert.ErrorIs(t, err, ErrOverloaded)
						assert.ErrorIs(t, err, ErrNotApplied)
						mu.Lock()
						refused++
						mu.Unlock()
					}
				})
			}
			busy.Wait()
			require.NotZero(t, refused)
			require.Less(t, refused, 100)
			g.propose(at, "afterwards at "+string(at))
		}
	})
}

func TestTooLarge(t *testing.T) {
	scenarioWith(t, 1, func(cfg *Config) { cfg.MaxOpSize = 100 }, func(g *group) {
		g.start()
		g.propose("a", string(make([]byte, 100)))
		_, err := g.replica("a").Propose(g.t.Context(), make([]byte, 101))
		require.ErrorIs(t, err, ErrTooLarge)
		require.ErrorIs(t, err, ErrNotApplied)
		require.ErrorContains(t, err, "101 bytes, the limit is 100")
	})
}

// MaxOpSize limits Propose only. It is lowered and raised by restarting one member after the other; meanwhile, and for a
// member that was away, the operations of the others are carried.
func TestMaxOpSizeMayChange(t *testing.T) {
	scenario(t, 3, func(g *group) {
		sizes := map[ID]int{"a": 2 << 20, "b": 2 << 20, "c": 2 << 20}
		g.change = func(cfg *Config) { cfg.MaxOpSize = sizes[cfg.ID] }
		count := 0
		body := func(size int) string { // each differs
			count++
			return fmt.Sprintf("%d %s", count, strings.Repeat("x", size))[:size]
		}
		g.start()
		for _, size := range []int{1000, 4 << 20, 50} {
			for _, id := range g.all() {
				for _, at := range g.ids() {
					g.propose(at, body(sizes[at]))
					_, err := g.replica(at).Propose(g.t.Context(), []byte(body(sizes[at]+1)))
					require.ErrorIs(t, err, ErrTooLarge)
				}
				g.close(id)
				g.propose(g.primary(), body(sizes[g.primary()]))
				sizes[id] = size
				g.start(id)
				g.settle()
			}
		}
		require.Len(t, g.history("a"), 3*3*4)
	})
}

// If the context has already ended, Propose returns ErrNotApplied at once.
func TestContextEndedBefore(t *testing.T) {
	scenario(t, 3, func(g *group) {
		g.start()
		g.propose("a", "before")
		ctx, cancel := context.WithCancel(g.t.Context())
		cancel()
		_, err := g.replica("a").Propose(ctx, []byte("never"))
		require.ErrorIs(t, err, ErrNotApplied)
		require.ErrorIs(t, err, context.Canceled)
		require.ErrorIs(t, g.replica("a").Read(ctx, Linearizable, func() {}), context.Canceled)
		require.ErrorIs(t, g.replica("a").Read(g.in(time.Second), AtLeast(1000), func() {}), context.DeadlineExceeded)
	})
}

// Close leaves no caller waiting and no goroutine running; otherwise the bubble could not end.
func TestCloseAnswersEverybody(t *testing.T) {
	scenario(t, 3, func(g *group) {
		g.start()
		g.propose("a", "before")
		b := g.backup()
		g.wires.isolate(b)
		r := g.replica(b)
		var busy sync.WaitGroup
		for range 10 {
			busy.Go(func() {
				_, err := r.Propose(context.Background(), []byte(time.Now().String()))
				assert.ErrorIs(t, err, ErrClosed)
			})
			busy.Go(func() { assert.ErrorIs(t, r.Read(context.Background(), Linearizable, func() {}), ErrClosed) })
			busy.Go(func() { assert.ErrorIs(t, r.Read(context.Background(), AtLeast(1000), func() {}), ErrClosed) })
			time.Sleep(time.Millisecond)
		}
		require.NoError(t, g.close(b))
		busy.Wait()
		_, err := r.Propose(g.t.Context(), []byte("too late"))
		require.ErrorIs(t, err, ErrNotApplied)
		require.ErrorIs(t, err, ErrClosed)
		require.ErrorIs(t, r.Read(g.t.Context(), Local, func() {}), ErrClosed)
		require.ErrorIs(t, r.Handover(g.t.Context(), ""), ErrClosed)
		require.ErrorIs(t, r.Err(), ErrClosed)
		require.NoError(t, r.Close())
	})
}

// Watch yields the latest status until the replica has stopped.
func TestWatch(t *testing.T) {
	scenario(t, 3, func(g *group) {
		g.start("b") // cannot form a group alone
		var seen []Phase
		var busy sync.WaitGroup
		r, watching := g.replica("b"), make(chan struct{})
		busy.Go(func() {
			for s := range r.Watch(context.Background()) {
				if len(seen) == 0 {
					close(watching)
				}
				if len(seen) == 0 || seen[len(seen)-1] != s.Phase {
					seen = append(seen, s.Phase)
				}
			}
		})
		<-watching
		g.start("a", "c")
		g.propose("a", "before")
		g.settle()
		g.close("b")
		busy.Wait()
		require.Equal(t, []Phase{Forming, Normal, Stopped}, seen)
	})
}

// R4. With AtLeast a caller sees its own writes at any replica.
func TestReadYourWrites(t *testing.T) {
	scenario(t, 3, func(g *group) {
		g.start()
		g.propose("a", "before")
		for _, id := range g.ids() {
			op := g.replica("a").Status().Applied
			var seen []string
			require.NoError(t, g.replica(id).Read(g.in(time.Minute), AtLeast(op), func() { seen = g.states[id].bodies() }))
			require.Contains(t, seen, "before")
		}
	})
}

// Groups of every permitted size behave in the same way.
func TestGroupSizes(t *testing.T) {
	for n := 1; n <= 7; n++ {
		scenario(t, n, func(g *group) {
			g.start()
			for _, id := range g.ids() {
				g.propose(id, "at "+string(id))
				var seen []string
				require.NoError(t, g.replica(id).Read(g.in(time.Minute), Linearizable, func() { seen = g.states[id].bodies() }))
				require.Contains(t, seen, "at "+string(id))
			}
			g.crash(g.all()...)
			g.start()
			g.propose("a", "after all were down")
			g.settle()
			require.Len(t, g.history("a"), n+1)
		})
	}
}

// N3. Beside what a primary has in flight, the largest message fits into every queue of the default size.
func TestQueuesHoldTheLargestMessage(t *testing.T) {
	const need = vsr.MaxInFlight + wire.MaxMessage
	assert.LessOrEqual(t, need, memoryInboxBytes)
	assert.LessOrEqual(t, need, tcp.DefaultQueue)
}
