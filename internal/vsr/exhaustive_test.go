package vsr

import (
	"errors"
	"flag"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The exhaustive exploration runs the real core through every sequence of events in a small scope, and
// checks section 11 in every world on the way.
//
// A world consists of a place for each member (core, disk and pending saves) and of the messages that may
// still reach it. Any event may happen next at any member: a message arrives, a save completes, the member
// suspects the primary and leaves its view, it crashes with any part of its saves durable and starts again,
// its primary accepts an operation. Time does not pass. The group has been formed before. A scope limits the
// operations, views and crashes; messages and suspicions are unlimited. Events that lead to a view above the
// limit are not followed. Snapshots, sessions, reads, and primaries that resign or hand over are not
// explored.
//
// Many worlds are reduced to few, and nothing is lost by that:
//   - Messages are never consumed. This covers every order, loss and repetition, because each message may
//     arrive or not.
//   - A world that another one covers (see covers) is not expanded: the other can do everything that it can.
//   - Worlds are expanded in the order of their rank, which every step raises. So the world that covers
//     another is found first.
//   - A member sends at once what it may repeat at any time as time passes: votes, heartbeats, any part of
//     the log, and answers that do not change its place.
//   - Votes arrive together, at a member that suspects. Votes that arrived earlier are a case of that.
//   - Places that behave the same are made equal (normalize). Messages that change nothing are left out
//     (ignores), and so are those with the effect of a vote (naming). checkIgnored tests that they change
//     nothing.
//   - The crashes are distributed among the members in advance, in every possible way. A member without
//     crashes completes every save at once: a later completion shows only in the messages that it allows,
//     and those may arrive late anyway. The primary then counts itself at once, and the acknowledgements
//     that count with its own may arrive late as well. A designated primary then chooses among the logs
//     that it has. The choice is the same if the best log comes first, or, if its own is the best, the log
//     with the highest commit number.
//   - A member whose view or start is being saved can send nothing, and receives messages only after the
//     save: they have the same effect then, and a crash before leaves the same state (but see arrivals).
//     This depends on the member's silence, which history.sent checks.
//
// These arguments may be wrong, so walkIn compares with random walks in which nothing is reduced.
type scope struct {
	replicas, ops, crashes int
	views                  int // 1: only the first
}

func (s scope) String() string {
	return fmt.Sprintf("replicas=%d ops=%d views=%d crashes=%d", s.replicas, s.ops, s.views, s.crashes)
}

// Larger scopes are explored by a flag, for example
//
//	go test ./internal/vsr -run 'TestExhaustive$' -v -timeout 0 -exhaustive.time 1h -exhaustive.walks 0 \
//		-exhaustive.scope 'replicas=3 ops=2 views=3 crashes=1'
//
// which takes 2 GB and a minute for 1,048,995 worlds. These scopes with 1 operation were explored completely as well: 3 replicas,
// 3 views, 2 crashes (1,215,657 worlds); 3 replicas, 4 views, 1 crash (943,965); 4 replicas, 3 views, 1 crash (2,450,259).
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

// exploreFor explores a scope of any size as far as time allows.
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
