package vsr

import (
	"flag"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The exhaustive exploration runs the real core through everything that can happen in a small scope, and checks section 11
// in every world that it comes to.
//
// A world is, for each member, its place (core, disk and saves under way) and the messages that may still reach it.
// Anything may happen next at any member: a message arrives, a save is done, it suspects and leaves its view, it crashes
// with any part of its saves done and starts again, its primary takes an operation. Time stands still. The group is formed
// before. A scope bounds operations, views and crashes, and of messages and suspicions there may be any number; what leads to
// a higher view is not followed. Not explored: snapshots, sessions, reads, and primaries that give up their role or hand it on.
//
// To make few worlds of many:
//   - Messages are never used up: so every order, loss and repetition is covered, as each message may come or not.
//   - Of two worlds with the same places the one in which more may arrive does all that the other can do: it alone goes on.
//   - What a member may say again at any time, as time passes, it says at once: votes, heartbeats, any part of the log.
//   - Votes arrive together, at a member that suspects: those that came before are a case of that.
//   - Places that do the same are made the same (normalize), messages that change nothing are left out (ignores).
//   - After the last crash it matters no more when a backup's saves are done, so they are at once.
//   - A backup whose view or start is being saved, and so cannot speak, takes messages only after the save. This rests on
//     its silence, which history.sent checks.
type scope struct {
	replicas, ops, crashes int
	views                  int // 1: the first one only
}

func (s scope) String() string {
	return fmt.Sprintf("replicas=%d ops=%d views=%d crashes=%d", s.replicas, s.ops, s.views, s.crashes)
}

var (
	exhaustiveScope = flag.String("exhaustive.scope", "", `explore this scope only, as "replicas=3 ops=1 views=3 crashes=1"`)
	exhaustiveTime  = flag.Duration("exhaustive.time", time.Minute, "explore the scope of -exhaustive.scope no longer than this")
)

// TestExhaustive explores small scopes completely.
func TestExhaustive(t *testing.T) {
	if *exhaustiveScope != "" {
		exploreFor(t, parseScope(t, *exhaustiveScope), *exhaustiveTime)
		return
	}
	if testing.Short() {
		t.Skip("explores for seconds")
	}
	for _, text := range []string{
		"replicas=2 ops=1 views=3 crashes=2",
		"replicas=3 ops=0 views=3 crashes=0",
		"replicas=3 ops=1 views=2 crashes=0",
		"replicas=3 ops=1 views=2 crashes=1",
	} {
		t.Run(text, func(t *testing.T) {
			x := newExplorer(parseScope(t, text))
			complete, err := x.explore(time.Time{})
			require.NoError(t, err)
			require.True(t, complete)
			require.Greater(t, x.worlds(), 1000, "too few worlds to show anything")
			t.Logf("%s: %d worlds, %d transitions, complete", x.scope, x.worlds(), x.transitions)
		})
	}
}

// exploreFor explores a scope of any size as far as the time allows.
func exploreFor(t *testing.T, s scope, limit time.Duration) {
	x := newExplorer(s)
	complete, err := x.explore(time.Now().Add(limit))
	require.NoError(t, err)
	end := "complete"
	if !complete {
		end = "cut off by time"
	}
	t.Logf("%s: %d worlds, %d transitions, %s", s, x.worlds(), x.transitions, end)
}

func parseScope(t *testing.T, text string) (s scope) {
	_, err := fmt.Sscanf(text, "replicas=%d ops=%d views=%d crashes=%d", &s.replicas, &s.ops, &s.views, &s.crashes)
	require.NoError(t, err)
	require.True(t, s.replicas >= 2 && s.replicas <= maxMembers, "a scope has 2 to %d replicas", maxMembers)
	require.True(t, s.views >= 1 && s.views <= maxViews, "a scope has 1 to %d views", maxViews)
	return s
}
