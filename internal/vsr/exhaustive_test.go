package vsr

import (
	"errors"
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
// To make few worlds of many, and why nothing is lost by it:
//   - Messages are never used up: so every order, loss and repetition is covered, as each message may come or not.
//   - A world that another one covers (see covers) is not gone on from: all that can happen to it can happen to the other.
//   - Worlds are gone on from in the order of their rank, which every step raises: so what covers a world is there before it.
//   - What a member may say again at any time, as time passes, it says at once: votes, heartbeats, any part of the log. So it
//     does with what it answers without a change of its place.
//   - Votes arrive together, at a member that suspects: those that came before are a case of that.
//   - Places that do the same are made the same (normalize), messages that change nothing are left out (ignores), and those
//     that lead to what a vote leads to (naming). That they change nothing is tried: checkIgnored.
//   - The crashes are shared out among the members beforehand, once in each way. A member that has none left has every save
//     done at once, as its end shows only in what is said after it, and that may arrive as late. A primary counts itself then:
//     the acknowledgements that count with its own may arrive as late too. A primary to be chooses then among the logs that it
//     has: it chooses the same if the best comes first of them, or, its own being the best, the one that knows most committed.
//   - A member whose view or start is being saved, and so cannot speak, takes messages only after the save, as what they lead
//     to they lead to then too, and a crash before leaves the same (but see arrivals). This rests on its silence, which
//     history.sent checks.
//
// Arguments can be wrong: walkIn compares with random walks in which nothing is reduced.
type scope struct {
	replicas, ops, crashes int
	views                  int // 1: the first one only
}

func (s scope) String() string {
	return fmt.Sprintf("replicas=%d ops=%d views=%d crashes=%d", s.replicas, s.ops, s.views, s.crashes)
}

// Larger scopes are explored by a flag, for example
//
//	go test ./internal/vsr -run 'TestExhaustive$' -v -timeout 0 -exhaustive.time 1h -exhaustive.walks 0 \
//		-exhaustive.scope 'replicas=3 ops=2 views=3 crashes=1'
//
// which takes 2 GB and a minute for 1,048,995 worlds. With 1 operation these were complete too: 3 replicas, 3 views, 2 crashes
// (1,215,657 worlds); 3 replicas, 4 views, 1 crash (943,965); 4 replicas, 3 views, 1 crash (2,450,259).
var (
	exhaustiveScope = flag.String("exhaustive.scope", "", `explore this scope only, as "replicas=3 ops=1 views=3 crashes=1"`)
	exhaustiveTime  = flag.Duration("exhaustive.time", time.Minute, "explore the scope of -exhaustive.scope no longer than this")
	exhaustiveWalks = flag.Int("exhaustive.walks", 100, "and compare it with so many random walks, if it is explored completely")
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
	for _, of := range []struct {
		scope string
		walks int
	}{
		{"replicas=2 ops=1 views=3 crashes=2", 30},
		{"replicas=3 ops=0 views=3 crashes=0", 30},
		{"replicas=3 ops=1 views=2 crashes=1", 60},
		{"replicas=3 ops=2 views=3 crashes=0", 30},
		{"replicas=3 ops=1 views=3 crashes=1", 100},
	} {
		t.Run(of.scope, func(t *testing.T) {
			x := newExplorer(parseScope(t, of.scope))
			e := explored{}
			x.keep = e.keep
			require.NoError(t, x.exploreAll(func() bool { return false }))
			require.Greater(t, x.worlds, 300, "too few worlds to show anything")
			t.Logf("%s: %d worlds, %d transitions, complete", x.scope, x.worlds, x.transitions)
			checkIgnored(t, x, 10_000)
			walkIn(t, x, e, of.walks)
		})
	}
}

// exploreFor explores a scope of any size as far as the time allows.
func exploreFor(t *testing.T, s scope, limit time.Duration) {
	x := newExplorer(s)
	e := explored{}
	if *exhaustiveWalks > 0 {
		x.keep = e.keep
	}
	until := time.Now().Add(limit)
	err := x.exploreAll(func() bool { return x.worlds%1024 == 0 && time.Now().After(until) })
	if errors.Is(err, errStopped) {
		t.Logf("%s: %d worlds, %d transitions, cut off by time (%v)", s, x.worlds, x.transitions, err)
		return
	}
	require.NoError(t, err)
	t.Logf("%s: %d worlds, %d transitions, complete", s, x.worlds, x.transitions)
	checkIgnored(t, x, 100_000)
	walkIn(t, x, e, *exhaustiveWalks)
}

func parseScope(t *testing.T, text string) (s scope) {
	_, err := fmt.Sscanf(text, "replicas=%d ops=%d views=%d crashes=%d", &s.replicas, &s.ops, &s.views, &s.crashes)
	require.NoError(t, err)
	require.True(t, s.replicas >= 2 && s.replicas <= maxMembers, "a scope has 2 to %d replicas", maxMembers)
	require.True(t, s.views >= 1 && s.views <= maxViews, "a scope has 1 to %d views", maxViews)
	require.LessOrEqual(t, s.crashes, maxCrashes)
	return s
}
