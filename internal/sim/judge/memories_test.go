package judge

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr/internal/vsr"
)

func header(start uint64) vsr.Header {
	return vsr.Header{Group: vsr.GroupID{1}, Epoch: 1, Incarnation: incarnation, Start: start}
}

// forgetful is a committed group in which c has acknowledged everything, then lost the last op, and started again.
func forgetful(t *testing.T) *group {
	g := committed(t)
	require.NoError(t, g.Sends(2, header(1), &vsr.PrepareOK{Op: 4}))
	g.LostTail(2)
	require.NoError(t, g.Opened(2, Opened{Durable: vsr.Durable{Head: head(0), Last: stamp(0, 3)}}))
	require.NoError(t, g.Started(2, vsr.State{Primary: -1}))
	return g
}

// acknowledged is what a member knows that has heard of c's acknowledgement.
var acknowledged = []vsr.Acknowledged{{}, {}, {Last: stamp(0, 4), Start: 1}}

// S5: a disk that has lost its end holds an earlier log, and a head of no later view.
func TestDiskWithoutItsEnd(t *testing.T) {
	assert.Equal(t, stamp(0, 3), forgetful(t).Disk(2).Last)
	g := committed(t)
	violated(t, "S5", g.Opened(2, Opened{Durable: vsr.Durable{Head: head(0), Last: stamp(0, 3)}}),
		"it has lost nothing")
	for _, bad := range []vsr.Durable{{Head: head(1), Last: stamp(0, 3)}, {Head: head(0), Last: stamp(3, 3)},
		{Last: stamp(0, 3)}} {
		g.LostTail(2)
		violated(t, "S5", g.Opened(2, Opened{Durable: bad}), "%+v", bad)
	}
}

// 11.6: what a member remembers of acknowledgements is committed, and was acknowledged under that start number.
func TestFalseMemoriesAreNoticed(t *testing.T) {
	g := committed(t)
	send := func(i int, all ...vsr.Acknowledged) error {
		return g.Sends(i, header(1), &vsr.Commit{Commit: 4, Acknowledged: all})
	}
	violated(t, "11.6", send(0, acknowledged...), "c has acknowledged nothing yet")
	require.NoError(t, g.Sends(2, header(1), &vsr.PrepareOK{Op: 4}))
	assert.NoError(t, send(0, acknowledged...))
	violated(t, "11.6", send(0, vsr.Acknowledged{}, vsr.Acknowledged{}, vsr.Acknowledged{Last: stamp(0, 4), Start: 2}),
		"a later process has not")
	violated(t, "11.6", send(0, vsr.Acknowledged{}, vsr.Acknowledged{}, vsr.Acknowledged{Last: stamp(1, 4), Start: 1}),
		"another entry is committed")
	assert.NoError(t, send(1, vsr.Acknowledged{}, vsr.Acknowledged{Last: stamp(0, 4), Start: 1}),
		"b's own disk holds it")
	violated(t, "11.6", send(1, vsr.Acknowledged{Last: stamp(0, 4), Start: 1}), "a has never said that it does")
}

// S6: a member takes only a memory for lost that is, and then counts it in no quorum.
func TestLostMemoriesThatCountAreNoticed(t *testing.T) {
	lost := []bool{2: true}
	turn := func(g *group, i int, view vsr.View, leads bool, all []vsr.Acknowledged, lost []bool) error {
		s := vsr.State{Primary: -1, Head: head(view), Last: g.members[i].memory.Last, First: 1, Commit: 4}
		if leads {
			s.Primary = vsr.Index(i)
		}
		return g.Turned(i, Turn{State: s, Acknowledged: all, Lost: lost})
	}
	violated(t, "S6", turn(committed(t), 0, 0, true, nil, lost), "c has lost nothing")

	describe := func(g *group, last vsr.Viewstamp) {
		require.NoError(t, g.issues(2, 1))
		require.NoError(t, g.Saved(2, g.seq[2]))
		require.NoError(t, g.Sends(2, header(1), &vsr.DoViewChange{View: 1, Last: last}))
		g.members[2].described[0].start = 2 // the number of the process that has lost its memory
		require.NoError(t, g.issues(1, 1))
	}
	g := forgetful(t)
	describe(g, stamp(0, 3))
	require.NoError(t, turn(g, 1, 1, false, acknowledged, nil))
	violated(t, "S6", turn(g, 1, 1, true, acknowledged, nil), "b leads with c's log, and knew")
	g = forgetful(t)
	describe(g, stamp(0, 3))
	assert.NoError(t, turn(g, 1, 1, true, acknowledged, nil), "b learns it in that turn")

	g = forgetful(t)
	require.NoError(t, turn(g, 0, 0, true, acknowledged, lost))
	g.saves(0, 0, command(5, 3, "z"))
	g.saves(2, 0, command(4, 2, "y"), command(5, 3, "z"))
	violated(t, "S6", g.Knows(0, 5), "a commits with c's acknowledgement")
}

// S6: if nobody who takes part remembers, the loss of a committed op breaks no rule. If no member has lost the end of
// its log, it does.
func TestUnrememberedLoss(t *testing.T) {
	for _, cut := range []bool{false, true} {
		g := twoLogs(t)
		require.NoError(t, g.Saved(0, 1))
		g.members[0].described = []described{{2, 1, stamp(0, 3)}}
		_, err := g.ledger.commit(stamp(0, 2), 0)
		require.NoError(t, err)
		g.members[2].forgot = cut
		require.NoError(t, g.Issued(1, &vsr.Save{Seq: 3, Head: head(2)}))
		err = g.Turned(1, Turn{State: vsr.State{Primary: 1, Head: head(2), Last: stamp(1, 3), First: 1}})
		if _, excused := err.(*Unremembered); cut {
			assert.True(t, excused, "%v", err)
		} else {
			violated(t, "11.3", err)
		}
	}
}

// S2: a member that has reported that a confirmed group exists says so when it is asked, and helps to form no other.
func TestSecondGroupIsNoticed(t *testing.T) {
	recovers := func(g *group) {
		require.NoError(t, g.Opened(2, Opened{}))
		require.NoError(t, g.Started(2, vsr.State{Primary: -1}))
		require.NoError(t, g.Turned(2, Turn{State: vsr.State{Primary: -1, Phase: vsr.Outside}}))
	}
	for what, c := range map[string]struct {
		knows, reports, again, excused bool
	}{
		"it has reported":             {true, true, false, false},
		"it has reported, and forgot": {true, true, true, true},
		"it was told by a member":     {true, false, false, true},
		"a member did not know of it": {false, true, false, true},
	} {
		g := committed(t)
		for i := range 2 {
			require.NoError(t, g.turns(i, func(s *vsr.State) {
				if s.Commit = 4; !c.knows {
					s.Commit, g.members[i].seen.Commit = 0, 0
					g.members[i].memory.Last, s.Last = stamp(0, 1), stamp(0, 1)
				}
			}), what)
		}
		if g.Wiped(2); c.reports {
			recovers(g)
		}
		if c.again {
			g.Wiped(2)
		}
		g.members[0].memory.Head.Group = vsr.GroupID{2}
		err := g.Knows(0, 1)
		if _, excused := err.(*Unremembered); c.excused {
			assert.True(t, excused, "%s: %v", what, err)
		} else {
			violated(t, "S2", err, what)
		}
	}
}
