package shell

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr/internal/vsr"
)

// Calls at the primary and at a backup get the results of their own operations.
func TestCallsGetTheirResults(t *testing.T) {
	g := newGroup(t, 3, nil)
	all := append(g.backups(), g.primary())
	var calls []*caller
	for i := range 30 {
		calls = append(calls, all[i%3].propose(fmt.Sprint(i)))
	}
	g.pass(time.Second)
	for i, c := range calls {
		require.NoError(t, c.err)
		require.Equal(t, 1, c.ended)
		var place int
		fmt.Sscan(c.result, &place)
		require.Equal(t, fmt.Sprint(i), all[i%3].user.items[place-1])
	}
	for _, n := range all {
		calls, reads := n.shell.Loop.Waiting()
		assert.Zero(t, calls+reads)
		assert.Equal(t, all[0].user.items, n.user.items)
	}
}

// X3: a caller whose operation reaches this replica within a snapshot gets the result that the snapshot holds.
func TestCallIsAnsweredOutOfASnapshot(t *testing.T) {
	g := newGroup(t, 3, everyTenOps)
	n, p := g.backups()[0], g.primary()
	n.must("first")
	c := n.propose("mine")
	n.sendAndLeave()
	g.until("it is applied at the primary", func() bool { return len(p.user.items) == 2 })
	require.Zero(t, c.ended)
	overtake(g, n)
	g.until("it is answered", func() bool { return c.ended > 0 })
	require.NoError(t, c.err)
	require.Equal(t, "2", c.result)
	g.pass(time.Second)
	require.Equal(t, 1, c.ended)
	require.NoError(t, n.failed)
	require.Equal(t, p.user.items, n.user.items)
}

// A session whose entry reaches this replica within a snapshot is open, and the calls that wait for it go out (X1).
func TestSessionIsOpenedByASnapshot(t *testing.T) {
	g := newGroup(t, 3, everyTenOps)
	n, p := g.backups()[0], g.primary()
	g.pass(time.Second)
	c := n.propose("waits for the session")
	n.sendAndLeave()
	n.held.applier = true
	g.until("the session is open at the primary", func() bool {
		h := n.shell.Loop.Core().Header()
		return p.shell.Applier.State().Sessions.Opened("b", h.Incarnation, h.Start) > 0
	})
	overtake(g, n)
	n.applyOne(t)
	require.NotZero(t, n.shell.Applier.Session())
	n.held.applier = false
	g.until("it is answered", func() bool { return c.ended > 0 })
	require.NoError(t, c.err)
}

// sendAndLeave has a member send what it wants to, and then cuts it off.
func (n *node) sendAndLeave() {
	n.turn()
	for _, m := range n.g.mail {
		n.g.deliver(m)
	}
	n.g.mail = nil
	n.cut = true
}

// everyTenOps has a snapshot taken after ten operations, and little of the log kept below it.
func everyTenOps(c *Config) {
	c.SnapshotEvery, c.Core.KeepLog, c.SegmentSize = 10, 0, 4096
}

// overtake has the others go on without n until their logs do not reach back to n's, and then connects n, which
// receives a snapshot.
func overtake(g *group, n *node) {
	g.t.Helper()
	n.cut = true
	p := g.primary()
	g.until("the primary has noticed", func() bool { return p.state.First > n.state.Last.Op+1 || p.must("more") == "" })
	n.cut = false
	g.until("it has received a snapshot", func() bool { return n.state.Snapshot > 0 && n.state.Commit >= p.state.First })
}

// A call that the core does not accept is told so at once.
func TestCallIsRefusedWhenTooMuchWaits(t *testing.T) {
	g := newGroup(t, 3, func(c *Config) { c.Core.Window = 1000 })
	p := g.primary()
	p.held.writer = true
	for _, n := range g.backups() {
		n.cut = true
	}
	var calls []*caller
	for range 20 {
		calls = append(calls, p.propose("a hundred bytes, or nearly"))
		p.turn()
	}
	g.run()
	require.Zero(t, calls[0].ended)
	last := calls[19]
	require.Equal(t, 1, last.ended)
	require.ErrorIs(t, last.err, ErrOverloaded)
	require.ErrorIs(t, last.err, ErrNotApplied)
	require.ErrorContains(t, last.err, "too many operations are waiting")
	require.Zero(t, last.Number())
	p.cancel(last)
	g.run()
	require.Equal(t, 1, last.ended, "cancelling it changes nothing")
}

// A call that the primary has rejected in every attempt has no effect, and its caller may repeat it.
func TestCallIsRefusedByThePrimary(t *testing.T) {
	g := newGroup(t, 3, func(c *Config) { c.Core.Window = 1000 })
	p, b := g.primary(), g.backups()
	b[0].must("first")
	p.must("second")
	p.held.writer, b[1].cut = true, true // so that nothing is committed
	for range 10 {
		p.propose("fills the window of the primary")
	}
	g.run()
	b[0].propose("takes what room is left")
	g.run()
	c := b[0].propose("has no room")
	g.until("it is answered", func() bool { return c.ended > 0 })
	require.ErrorIs(t, c.err, ErrOverloaded)
	require.ErrorContains(t, c.err, "the primary has no room for more")
	p.held.writer, b[1].cut = false, false
	g.pass(time.Second)
	require.Equal(t, 1, c.ended)
	require.NotContains(t, b[0].user.items, "has no room")
}

// A full disk, or a system short of descriptors, refuses calls, since their results would not be learnt here. The error
// says why once.
func TestCallIsRefusedOnAFullDisk(t *testing.T) {
	g := newGroup(t, 3, nil)
	n := g.backups()[0]
	n.Tell(Input{Event: &vsr.DiskFull{Full: true}})
	c := n.propose("in vain")
	g.run()
	require.ErrorIs(t, c.err, ErrNotApplied)
	require.EqualError(t, c.err, "smr: not applied: this replica's disk is full, and no operations are saved until there is space")
	n.Tell(Input{Event: &vsr.DiskFull{Full: true, Short: "open 1.log: too many open files"}})
	c = n.propose("in vain, too")
	g.run()
	require.ErrorIs(t, c.err, ErrNotApplied)
	require.EqualError(t, c.err, "smr: not applied: operations cannot be saved here: open 1.log: too many open files")
}

// X4: a call that is cancelled before it was sent is never applied.
func TestCancelBeforeSending(t *testing.T) {
	g := newGroup(t, 3, nil)
	n := g.backups()[0]
	n.cut = true
	c := n.propose("too late") // waits for the session
	n.turn()
	n.cancel(c)
	g.run()
	require.Equal(t, 1, c.ended)
	require.ErrorIs(t, c.err, ErrNotApplied)
	require.ErrorIs(t, c.err, errGaveUp)
	require.EqualError(t, c.err, "smr: not applied: gave up")
	n.cut = false
	require.Equal(t, "1", n.must("after"))
}

// X4: a call that is cancelled after it was sent may still be applied; its result is for nobody.
func TestCancelAfterSending(t *testing.T) {
	g := newGroup(t, 3, nil)
	for _, n := range []*node{g.primary(), g.backups()[0]} {
		n.must("first")
		c := n.propose("under way")
		n.turn()
		n.cancel(c)
		n.turn()
		require.Equal(t, 1, c.ended)
		require.ErrorIs(t, c.err, ErrUnknown)
		require.ErrorIs(t, c.err, errGaveUp)
		require.NotErrorIs(t, c.err, ErrNotApplied)
		g.pass(time.Second)
		require.Equal(t, 1, c.ended)
		require.Contains(t, n.user.items, "under way")
	}
}

// A caller that knows how its call ended may use the call for another at once.
func TestCallBelongsToItsCallerAfterwards(t *testing.T) {
	g := newGroup(t, 1, func(c *Config) { c.Recorder = &events{} })
	n := g.nodes[0]
	seen := n.shell.Loop.recorder.(*events)
	n.must("first")
	c := &reuser{}
	c.Call = Call{Body: []byte("op"), Caller: c}
	n.Tell(Input{Call: &c.Call})
	n.turn()
	number := c.Number()
	seen.all = nil
	n.do(func(l *Loop) { l.Cancel(&c.Call, errGaveUp) })
	n.turn()
	require.Zero(t, c.Number())
	require.Contains(t, seen.all, vsr.Event(&vsr.Forget{Request: number, Lost: true}))
}

// reuser is a caller that uses its call again.
type reuser struct{ Call }

func (r *reuser) Done([]byte, error) { r.Call = Call{} }

// A call that has its result is not cancelled any more.
func TestCancelAfterTheResult(t *testing.T) {
	g := newGroup(t, 1, nil)
	n := g.nodes[0]
	c := n.propose("done")
	g.run()
	require.Equal(t, "1", c.result)
	n.cancel(c)
	g.run()
	require.Equal(t, 1, c.ended)
}

// When the replica stops, a call that was sent is unknown, one that was not is not applied, and each ends once.
func TestStopEndsCalls(t *testing.T) {
	g := newGroup(t, 3, nil)
	one, two := g.backups()[0], g.backups()[1]
	one.must("first")
	sent, unsent := one.propose("sent"), two.propose("waits for the session")
	one.turn()
	two.turn()
	why := errors.New("it is evening")
	for _, n := range []*node{one, two, one} {
		n.shell.Loop.Stop(why, nil)
	}
	for _, c := range []*caller{sent, unsent} {
		require.Equal(t, 1, c.ended)
		require.ErrorIs(t, c.err, why)
	}
	require.ErrorIs(t, sent.err, ErrUnknown)
	require.ErrorIs(t, unsent.err, ErrNotApplied)
}

// When the replica stops, a call that waits for a turn is not applied, although the member has a session.
func TestStopEndsCallsThatWaitForATurn(t *testing.T) {
	g := newGroup(t, 3, nil)
	n := g.backups()[0]
	n.must("first")
	c := n.propose("waits for a turn")
	n.cancel(c)
	n.Fail(errors.New("broken"))
	g.pass(time.Second)
	require.Equal(t, 1, c.ended)
	require.ErrorIs(t, c.err, ErrNotApplied)
	require.ErrorIs(t, c.err, n.failed)
}

// ErrOverloaded is an ErrNotApplied, and no error of a call is both an ErrNotApplied and an ErrUnknown.
func TestOutcomesAreToldApart(t *testing.T) {
	assert.ErrorIs(t, ErrOverloaded, ErrNotApplied)
	assert.NotErrorIs(t, ErrNotApplied, ErrOverloaded)
	assert.NotErrorIs(t, ErrUnknown, ErrNotApplied)
	assert.Equal(t, "smr: overloaded", ErrOverloaded.Error())
}

// A result that is larger than the session's window is lost to everybody, and the caller is told that the operation was
// applied. One that finds the window full reaches a caller at a replica that has applied the operation (X2).
func TestResultsThatAreNotKept(t *testing.T) {
	g := newGroup(t, 3, func(c *Config) { c.Core.Results = 1 })
	n := g.nodes[1]
	n.must("1")
	both := []*caller{n.propose("2"), n.propose("3")}
	g.run()
	g.pass(time.Second)
	require.Equal(t, []string{"2", "3"}, []string{both[0].result, both[1].result})
	n.fill(6, "more")
	c := n.propose("the result has two digits")
	g.pass(time.Second)
	require.Equal(t, 1, c.ended)
	require.ErrorIs(t, c.err, ErrNoResult)
	require.ErrorIs(t, c.err, ErrUnknown)
	for _, n := range g.nodes {
		require.Len(t, n.user.items, 10)
		require.NoError(t, n.shell.Applier.State().Sessions.Check())
	}
}

// A caller whose operation is in a snapshot that has no room for its result is told so (X3).
func TestResultsThatASnapshotLacks(t *testing.T) {
	b := newApplier(t)
	b.a.State().Sessions.Window = 1
	b.a.every = 10
	b.a.Add(Job{Entries: b.commands(10)})
	b.steps(t)
	b.background()
	b.steps(t)
	taken := b.told()[0].(*vsr.SnapshotTaken).Snapshot
	b.a.Add(Job{Restore: &taken, Wanted: []uint64{1, 2, 10, 11}})
	done, err := b.a.Step()
	require.NoError(t, err)
	require.Equal(t, []Result{{1, []byte("1"), vsr.Kept}, {2, nil, vsr.NotKept}, {10, nil, vsr.TooLarge}}, done.Results)
	require.NoError(t, noResult(vsr.Kept))
	require.ErrorIs(t, noResult(vsr.NotKept), ErrNoResult)
}

// In a group that has become idle, results that nobody wants any more are dropped, at every member and with one entry for
// each member that had callers (X2).
func TestResultsOfAnIdleGroupAreDropped(t *testing.T) {
	g := newGroup(t, 3, nil)
	for _, n := range g.nodes {
		n.fill(3, "op")
	}
	last := g.nodes[0].state.Last.Op
	g.pass(9 * time.Second)
	require.Equal(t, last, g.nodes[0].state.Last.Op)
	require.Positive(t, g.nodes[0].shell.Applier.State().Sessions.Bytes())
	g.pass(time.Minute)
	require.Equal(t, last+3, g.nodes[0].state.Last.Op)
	for _, n := range g.nodes {
		require.Zero(t, n.shell.Applier.State().Sessions.Kept())
		require.Len(t, n.user.items, 9)
	}
}
