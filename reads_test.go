package smr

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/stretchr/testify/require"
)

// register is the history of one value that clients read and write. A write is an operation, and a read
// returns the last operation applied.
type register struct {
	mu  sync.Mutex
	ops []porcupine.Operation
}

// access is a call in the model of porcupine: a write of a value, or a read.
type access struct {
	write bool
	value string
}

var registerModel = porcupine.Model{
	Init: func() any { return "" },
	Step: func(state, input, output any) (bool, any) {
		if in := input.(access); in.write {
			return true, in.value
		}
		return output == "?" || output == state, state
	},
}

// note adds a call to the history. If unknown is set, its outcome is not known.
func (h *register) note(client int, in access, out string, from time.Time, unknown bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	end := time.Now().UnixNano()
	if unknown {
		end = time.Now().Add(24 * time.Hour).UnixNano()
	}
	h.ops = append(h.ops, porcupine.Operation{ClientId: client, Input: in, Output: out, Call: from.UnixNano(), Return: end})
}

// R1. Linearizable reads on all replicas are never stale, while primaries crash and links fail.
func TestLinearizableReadsAreNeverStale(t *testing.T) {
	var h register
	scenario(t, 3, func(g *group) {
		g.wires.latency = time.Millisecond
		g.start()
		stop := g.readersAndWriters(&h)
		for _, trouble := range []func(p ID){
			func(p ID) { g.crash(p); time.Sleep(2 * time.Second); g.start(p) },
			func(p ID) { g.wires.isolate(p); time.Sleep(3 * time.Second); g.wires.heal() },
			func(p ID) { g.pause(p, 3*time.Second); time.Sleep(4 * time.Second) },
			func(p ID) { g.wires.cutLinks(link{g.others(p)[0], p}); time.Sleep(3 * time.Second); g.wires.heal() },
			func(p ID) {
				g.wires.disturb(0.1, 0.1, 20*time.Millisecond)
				time.Sleep(2 * time.Second)
				g.wires.disturb(0, 0, 0)
			},
		} {
			trouble(g.primary())
			time.Sleep(time.Second)
		}
		stop()
		g.settle()
	})
	require.Greater(t, len(h.ops), 500)
	result := porcupine.CheckOperationsTimeout(registerModel, h.ops, 20*time.Second)
	require.Equal(t, porcupine.Ok, result)
}

// readersAndWriters runs a reader and a writer at every member until stop is called.
func (g *group) readersAndWriters(h *register) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var busy sync.WaitGroup
	for i, id := range g.all() {
		for _, write := range []bool{true, false} {
			busy.Go(func() {
				for n := 0; ctx.Err() == nil; n++ {
					g.access(ctx, h, i, id, write, n)
					time.Sleep(50 * time.Millisecond)
				}
			})
		}
	}
	stop = sync.OnceFunc(func() { cancel(); busy.Wait() })
	g.t.Cleanup(stop)
	return stop
}

func (g *group) access(ctx context.Context, h *register, i int, id ID, write bool, n int) {
	g.mu.Lock() // other goroutines start members
	r, state := g.running[id], g.states[id]
	g.mu.Unlock()
	if r == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	from, value := time.Now(), fmt.Sprint(id, n)
	if write {
		_, err := r.Propose(ctx, []byte(value))
		if !isNotApplied(err) {
			h.note(i, access{true, value}, "", from, err != nil)
		}
		return
	}
	last := ""
	if r.Read(ctx, Linearizable, func() { last = state.last() }) == nil {
		h.note(100+i, access{}, last, from, false)
	}
}

// R1. A primary that is cut off serves Local reads but no linearizable ones. Those are served when it is
// back.
func TestReadsOfAPrimaryCutOff(t *testing.T) {
	scenario(t, 3, func(g *group) {
		g.start()
		g.propose("a", "old")
		g.settle()
		g.wires.isolate("a")
		waiting := make(chan []string, 1)
		go func() {
			var seen []string
			if g.replica("a").Read(g.in(time.Minute), Linearizable, func() { seen = g.states["a"].bodies() }) == nil {
				waiting <- seen
			}
		}()
		g.propose("b", "new")
		require.Equal(t, []string{"old"}, g.history("a"), "a local read")
		require.ErrorIs(t, g.replica("a").Read(g.in(5*time.Second), Linearizable, func() {}), context.DeadlineExceeded)
		require.Empty(t, waiting)
		g.wires.heal()
		require.Equal(t, []string{"old", "new"}, <-waiting)
	})
}

// R5. A Local read needs no other replica: also on a member that is cut off. Before the group has formed it waits. It sees the
// operations that this replica has applied.
func TestLocalReadNeedsNoOther(t *testing.T) {
	scenario(t, 3, func(g *group) {
		read := func() (seen []string) {
			begun := time.Now()
			require.NoError(t, g.replica("c").Read(g.in(time.Minute), Local, func() { seen = g.states["c"].bodies() }))
			require.Equal(t, begun, time.Now(), "in the bubble's time")
			return seen
		}
		g.start("c")
		first := make(chan error, 1)
		go func() { first <- g.replica("c").Read(g.in(time.Minute), Local, func() {}) }()
		require.ErrorContains(t, g.replica("c").Read(g.in(10*time.Second), Local, func() {}),
			"before this replica had a state of a group: ")
		g.start("a", "b")
		require.NoError(t, <-first)
		g.propose("a", "one")
		g.settle()
		g.wires.isolate("c")
		g.propose("a", "two")
		require.Equal(t, []string{"one"}, read())
		g.wires.heal()
		g.settle()
		require.Equal(t, []string{"one", "two"}, read())
	})
}

// R4. A read with AtLeast waits until its op is applied, however long that takes, and then sees it.
func TestReadAtLeastWaits(t *testing.T) {
	scenario(t, 3, func(g *group) {
		g.start()
		g.propose("a", "one")
		g.settle()
		g.wires.isolate("c")
		g.propose("a", "two")
		op := g.replica("a").Status().Applied
		require.ErrorIs(t, g.replica("c").Read(g.in(time.Second), AtLeast(op), func() {}), context.DeadlineExceeded)
		time.AfterFunc(5*time.Second, func() { g.wires.heal() })
		var seen []string
		require.NoError(t, g.replica("c").Read(g.in(time.Minute), AtLeast(op), func() { seen = g.states["c"].bodies() }))
		require.Equal(t, []string{"one", "two"}, seen)
	})
}

// A slow function given to Read only delays operations on that replica: the view does not change, and the
// others go on.
func TestLongReadDelaysOnlyApplying(t *testing.T) {
	scenario(t, 3, func(g *group) {
		g.start()
		g.propose("a", "before")
		g.settle()
		view := g.replica("a").Status().View
		reading, over := make(chan struct{}), make(chan struct{})
		go g.replica("b").Read(g.t.Context(), Local, func() { close(reading); <-over })
		<-reading
		for i := range 20 {
			g.propose("a", strconv.Itoa(i))
		}
		require.Equal(t, view, g.replica("a").Status().View)
		b := g.replica("b").Status()
		require.Less(t, b.Applied, g.replica("a").Status().Applied)
		close(over)
		synctest.Wait()
		g.settle()
		require.Equal(t, view, g.replica("b").Status().View)
	})
}

// Op.Number increases, Op.Time never decreases, and both are the same on all replicas.
func TestOpsAreTheSameEverywhere(t *testing.T) {
	ops := map[ID][]Op{}
	scenario(t, 3, func(g *group) {
		g.start()
		var mu sync.Mutex
		for _, id := range g.all() {
			g.states[id].before = func(op Op) {
				mu.Lock()
				defer mu.Unlock()
				op.Body = slices.Clone(op.Body)
				ops[id] = append(ops[id], op)
			}
		}
		g.proposeMany("b", 50, "x")
		require.NoError(t, g.replica("a").Handover(g.in(time.Minute), "c"))
		time.Sleep(time.Second)
		g.proposeMany("b", 50, "y")
		g.settle()
	})
	require.Len(t, ops["a"], 100)
	require.Equal(t, ops["a"], ops["b"])
	require.Equal(t, ops["a"], ops["c"])
	require.True(t, slices.IsSortedFunc(ops["a"], func(x, y Op) int { return x.Time.Compare(y.Time) }))
	require.True(t, slices.IsSortedFunc(ops["a"], func(x, y Op) int { return int(x.Number) - int(y.Number) }))
	require.Equal(t, time.UTC, ops["a"][0].Time.Location())
}
