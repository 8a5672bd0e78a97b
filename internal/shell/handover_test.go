package shell

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr/internal/vsr"
)

// asked is a caller of this test that asks for a handover.
type asked struct {
	Handover
	ended int
	err   error
}

// handOver begins a handover, to any member if to is -1.
func (n *node) handOver(to vsr.Index) *asked {
	a := &asked{}
	a.Handover = Handover{To: to, Done: func(err error) { a.ended, a.err = a.ended+1, err }}
	n.do(func(l *Loop) { l.Handover(&a.Handover) })
	return a
}

// A handover is done when the successor is primary, named or not.
func TestHandoverIsDone(t *testing.T) {
	g := newGroup(t, 3, nil)
	g.pass(time.Second)
	for _, to := range []vsr.Index{2, 1, -1} {
		p := g.primary()
		a := p.handOver(to)
		g.until("it is over", func() bool { return a.ended > 0 })
		require.NoError(t, a.err)
		require.NotEqual(t, p.i, p.state.Primary)
		if to >= 0 {
			require.Equal(t, to, p.state.Primary)
		}
		g.pass(time.Second)
		require.Equal(t, 1, a.ended)
	}
}

// Where there is nothing to hand over, the answer comes at once.
func TestHandoverWithNothingToDo(t *testing.T) {
	g := newGroup(t, 3, nil)
	p, b := g.primary(), g.backups()
	for a, says := range map[*asked]string{
		p.handOver(p.i):       "",
		b[0].handOver(-1):     "",
		b[0].handOver(p.i):    "",
		b[0].handOver(b[1].i): `smr: handover to "c": this replica is not primary, "a" is`,
	} {
		g.run()
		require.Equal(t, 1, a.ended)
		if says == "" {
			require.NoError(t, a.err)
		} else {
			require.EqualError(t, a.err, says)
		}
	}
	b[0].cut = true
	g.pass(3 * time.Second)
	nowhere := b[0].handOver(p.i)
	g.run()
	require.EqualError(t, nowhere.err, `smr: handover to "a": this replica is not primary, and there is no primary at present`)
	alone := newGroup(t, 1, nil)
	a := alone.nodes[0].handOver(-1)
	alone.run()
	require.NoError(t, a.err)
	require.Equal(t, 1, a.ended)
}

// A successor that is there and does not come to hold the log is given up, and this primary goes on.
func TestHandoverIsGivenUp(t *testing.T) {
	g := newGroup(t, 3, nil)
	g.pass(time.Second)
	p, b := g.primary(), g.backups()[1]
	b.held.writer = true
	p.must("what the successor does not save")
	a := p.handOver(b.i)
	c := p.propose("waits")
	g.run()
	require.Zero(t, a.ended)
	g.until("it is over", func() bool { return a.ended > 0 })
	require.ErrorContains(t, a.err, `handover to "c": operations have waited for 1s`)
	require.ErrorContains(t, a.err, `"a" goes on as primary`)
	g.run()
	require.NoError(t, c.err)
	require.Equal(t, 1, c.ended)
}

// A handover whose caller gives up ends, unless another caller waits for one; the primary goes on.
func TestHandoverIsCancelled(t *testing.T) {
	g := newGroup(t, 3, nil)
	g.pass(time.Second)
	p, b := g.primary(), g.backups()[1]
	b.cut = true
	p.must("what the successor misses")
	one, two := p.handOver(b.i), p.handOver(b.i)
	g.run()
	require.True(t, p.state.HandingOver)
	p.do(func(l *Loop) { l.CancelHandover(&one.Handover) })
	g.run()
	require.True(t, p.state.HandingOver)
	p.do(func(l *Loop) { l.CancelHandover(&two.Handover) })
	p.do(func(l *Loop) { l.CancelHandover(&two.Handover) })
	g.run()
	require.False(t, p.state.HandingOver)
	require.Equal(t, vsr.Primary, p.state.Phase)
	require.Zero(t, one.ended+two.ended)
	g.pass(time.Second)
	require.Equal(t, "2", p.must("after"))
}

// A handover ends with an error when another member becomes primary.
func TestHandoverIsOvertaken(t *testing.T) {
	g := newGroup(t, 3, nil)
	g.pass(time.Second)
	p, b := g.primary(), g.backups()[1]
	b.cut = true
	p.must("what the successor misses")
	a := p.handOver(b.i)
	g.run()
	p.cut, b.cut = true, false
	g.until("another leads", func() bool { return g.nodes[1].state.Phase == vsr.Primary })
	p.cut = false
	g.until("it is over", func() bool { return a.ended > 0 })
	require.EqualError(t, a.err, `smr: handover to "c": "b" became primary instead`)
}

// If the role has come back to this replica before it noticed that it was gone, a handover to any member goes on, in the new
// view, and one to a named member ends.
func TestHandoverComesBack(t *testing.T) {
	g := newGroup(t, 3, nil)
	g.pass(time.Second)
	p := g.primary()
	any, named := p.handOver(-1), p.handOver(1)
	p.do(func(l *Loop) { // as if they had begun in a view before this one
		for _, h := range l.handovers.waiting {
			h.view = 99
		}
		l.step(&vsr.CancelHandover{})
	})
	p.turn()
	require.Equal(t, 1, named.ended)
	require.EqualError(t, named.err, `smr: handover to "b": "a" became primary instead`)
	require.Zero(t, any.ended)
	require.Equal(t, p.state.Head.View, any.view, "it is of this view now")
	g.until("it is over", func() bool { return any.ended > 0 })
	require.NoError(t, any.err)
	require.NotEqual(t, p, g.primary())
}

// Stop answers those that wait for a handover.
func TestStopEndsHandovers(t *testing.T) {
	g := newGroup(t, 3, nil)
	g.pass(time.Second)
	p, b := g.primary(), g.backups()[1]
	b.cut = true
	p.must("what the successor misses")
	a := p.handOver(b.i)
	g.run()
	why := errors.New("it is evening")
	p.shell.Loop.Stop(why, nil)
	p.shell.Loop.Stop(why, nil)
	require.Equal(t, 1, a.ended)
	require.ErrorIs(t, a.err, why)
}
