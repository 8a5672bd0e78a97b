package smr

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr/internal/shell"
)

// V2. The role of primary passes to the named member, and no proposal is refused while it passes.
func TestHandoverToANamedMember(t *testing.T) {
	scenario(t, 5, func(g *group) {
		g.wires.latency = time.Millisecond
		g.start()
		require.Equal(t, ID("a"), g.primary())
		c := g.clients(2)
		for _, to := range []ID{"d", "b", "e", "a"} {
			time.Sleep(time.Second)
			at := time.Now()
			p := g.primary()
			require.NoError(t, g.replica(p).Handover(g.in(time.Minute), to))
			require.Equal(t, to, g.replica(p).Status().Primary)
			require.Less(t, time.Since(at), 50*time.Millisecond)
			require.Equal(t, to, g.primary())
		}
		c.stop()
		g.settle()
		c.check()
		require.Empty(t, c.refused)
		require.Empty(t, c.unknown)
	})
}

// If there is nothing to hand over, Handover returns nil or an error that names the primary.
func TestHandoverElsewhere(t *testing.T) {
	scenario(t, 3, func(g *group) {
		g.start()
		require.Equal(t, ID("a"), g.primary())
		g.settle()
		ctx := g.in(time.Minute)
		assert.NoError(t, g.replica("a").Handover(ctx, "a"), "it is primary")
		assert.NoError(t, g.replica("b").Handover(ctx, ""), "another one is primary")
		assert.ErrorContains(t, g.replica("b").Handover(ctx, "c"), `not primary, "a" is`)
		assert.ErrorContains(t, g.replica("b").Handover(ctx, "z"), "not a member")
		b := g.replica("b")
		g.close("b")
		assert.ErrorIs(t, b.Handover(ctx, ""), ErrClosed)
	})
	scenario(t, 1, func(g *group) {
		g.start()
		g.propose("a", "alone")
		assert.NoError(t, g.replica("a").Handover(g.in(time.Minute), ""))
		g.propose("a", "still alone")
	})
}

// While a handover waits for an absent member, the primary continues to serve. It remains primary if the
// caller gives up.
func TestHandoverCancelled(t *testing.T) {
	scenario(t, 3, func(g *group) {
		g.start()
		require.Equal(t, ID("a"), g.primary())
		g.propose("a", "before")
		g.crash("c")
		time.Sleep(2 * time.Second) // long enough for a to notice the absence
		ended := make(chan error, 1)
		go func() { ended <- g.replica("a").Handover(g.in(time.Second), "c") }()
		time.Sleep(time.Millisecond)
		at := time.Now()
		require.Equal(t, "2", g.propose("b", "meanwhile"))
		require.Less(t, time.Since(at), 100*time.Millisecond)
		require.Empty(t, ended)
		require.ErrorIs(t, <-ended, context.DeadlineExceeded)
		require.Equal(t, ID("a"), g.primary())
	})
}

// A handover to a member that cannot store the log because its disk hangs is abandoned. The operations that
// wait for it go on at the old primary.
func TestHandoverGivenUp(t *testing.T) {
	scenario(t, 3, func(g *group) {
		g.start()
		require.Equal(t, ID("a"), g.primary())
		g.propose("a", "before")
		g.settle()
		over := g.hang("c")
		g.propose("a", "what c does not save")
		ended := make(chan error, 1)
		go func() { ended <- g.replica("a").Handover(g.in(time.Minute), "c") }()
		time.Sleep(time.Millisecond)
		require.Equal(t, "3", g.propose("b", "waits"))
		require.ErrorContains(t, <-ended, `"a" goes on as primary`)
		require.Equal(t, ID("a"), g.primary())
		over()
		g.settle()
		require.NoError(t, g.replica("a").Handover(g.in(time.Minute), "c"))
		require.Equal(t, ID("c"), g.primary())
	})
}

// A handover ends with the view, whichever member is primary afterwards.
func TestHandoverOvertakenByEvents(t *testing.T) {
	scenario(t, 3, func(g *group) {
		g.start()
		require.Equal(t, ID("a"), g.primary())
		g.propose("a", "before")
		g.crash("c")
		time.Sleep(2 * time.Second)
		ended := make(chan error, 1)
		go func() { ended <- g.replica("a").Handover(g.in(time.Minute), "c") }()
		time.Sleep(time.Second)
		g.wires.isolate("a")
		time.Sleep(10 * time.Second)
		g.wires.heal("a")
		require.ErrorContains(t, <-ended, "became primary instead")
		g.propose("a", "after")
	})
}

// A handover ends when the replica is closed.
func TestHandoverEndsWithClose(t *testing.T) {
	scenario(t, 3, func(g *group) {
		g.start()
		require.Equal(t, ID("a"), g.primary())
		g.crash("c")
		time.Sleep(2 * time.Second)
		ended := make(chan error, 1)
		go func() { ended <- g.replica("a").Handover(g.in(time.Minute), "c") }()
		time.Sleep(time.Millisecond)
		require.NoError(t, g.close("a"))
		require.ErrorIs(t, <-ended, ErrClosed)
	})
}

// D4. A backup that was paused does not depose the primary. A primary that was paused learns that it has
// been replaced before it answers anything.
func TestPausedProcess(t *testing.T) {
	scenario(t, 3, func(g *group) {
		g.start()
		require.Equal(t, ID("a"), g.primary())
		g.propose("a", "before")
		view := g.replica("a").Status().View
		g.pause("b", 10*time.Second)
		time.Sleep(11 * time.Second)
		g.settle()
		require.Equal(t, view, g.replica("b").Status().View)

		g.pause("a", 10*time.Second)
		time.Sleep(5 * time.Second)
		g.propose("c", "while a was paused")
		var seen []string
		require.NoError(t, g.replica("a").Read(g.in(time.Minute), Linearizable, func() { seen = g.states["a"].bodies() }))
		require.Equal(t, []string{"before", "while a was paused"}, seen)
		require.NotEqual(t, ID("a"), g.primary())
	})
}

// pause keeps the loop of a replica from running for d, like a stopped process.
func (g *group) pause(id ID, d time.Duration) { g.replica(id).do(func(*shell.Loop) { time.Sleep(d) }) }
