package shell

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr/internal/vsr"
)

// reader is a caller of this test that reads.
type reader struct {
	Read
	ready int
	err   error
	seen  int // operations that the state had
	node  *node
}

// Ready implements Reader.
func (r *reader) Ready(err error) {
	r.ready, r.err, r.seen = r.ready+1, err, len(r.node.user.items)
}

// read begins a read: linearizable, or of at least an op.
func (n *node) read(r Read) *reader {
	x := &reader{Read: r, node: n}
	x.Reader = x
	n.Tell(Input{Read: &x.Read})
	return x
}

// R1: a linearizable read sees what was answered before it began, at the primary and at a backup.
func TestLinearizableReads(t *testing.T) {
	g := newGroup(t, 3, nil)
	for _, n := range []*node{g.primary(), g.backups()[0], g.backups()[1]} {
		g.primary().must("op")
		r := n.read(Read{Linearizable: true})
		n.turn()
		require.Zero(t, r.ready, "it takes a round of messages")
		g.until("it is ready", func() bool { return r.ready > 0 })
		require.Equal(t, len(g.primary().user.items), r.seen)
		g.pass(time.Second)
		require.Equal(t, 1, r.ready)
	}
}

// told is a Reader that keeps the outcome.
type told []error

// Ready implements Reader.
func (r *told) Ready(err error) { *r = append(*r, err) }

// S3, R5: a local read that waits for a state of the group is refused once this replica is known to be outside, unless its
// caller has given up.
func TestLocalReadsEndOutside(t *testing.T) {
	var l Loop
	l.reads.loop = &l
	var waits, gone told
	x, y := Read{Reader: &waits}, Read{Reader: &gone}
	l.read(&x)
	l.read(&y)
	require.Empty(t, waits)
	l.CancelRead(&y)
	l.reads.follow(&vsr.State{Phase: vsr.Outside, Problem: "it lost its memory"})
	require.Len(t, waits, 1)
	require.ErrorIs(t, waits[0], ErrNoState)
	require.Empty(t, gone)
}

// R1: a read that a quorum has confirmed waits until its op is applied here.
func TestLinearizableReadWaitsForItsOp(t *testing.T) {
	g := newGroup(t, 3, nil)
	n := g.backups()[0]
	n.held.applier = true
	g.primary().must("op")
	r := n.read(Read{Linearizable: true})
	g.pass(time.Second)
	require.Zero(t, r.ready)
	_, waiting := n.shell.Loop.Waiting()
	require.Equal(t, 1, waiting)
	n.held.applier = false
	g.run()
	require.Equal(t, 1, r.ready)
	require.Equal(t, 1, r.seen)
}

// R1: without a quorum no linearizable read is ready; when there is one again, it is.
func TestLinearizableReadWithoutAQuorum(t *testing.T) {
	g := newGroup(t, 3, nil)
	p := g.primary()
	for _, n := range g.backups() {
		n.cut = true
	}
	r := p.read(Read{Linearizable: true})
	g.pass(20 * time.Second)
	require.Zero(t, r.ready)
	for _, n := range g.nodes {
		n.cut = false
	}
	g.until("it is ready", func() bool { return r.ready > 0 })
}

// R4: a read of at least an op is ready at once if that op is applied, and otherwise when it is, also out of a snapshot.
func TestReadsAtLeastAnOp(t *testing.T) {
	g := newGroup(t, 3, everyTenOps)
	n, p := g.backups()[0], g.primary()
	p.must("op")
	g.pass(time.Second)
	at := n.shell.Loop.Applied()
	now, next, far := n.read(Read{AtLeast: at}), n.read(Read{AtLeast: at + 1}), n.read(Read{AtLeast: at + 5})
	n.turn()
	assert.Equal(t, []int{1, 0, 0}, []int{now.ready, next.ready, far.ready})
	p.must("op")
	g.pass(time.Second)
	assert.Equal(t, []int{1, 1, 0}, []int{now.ready, next.ready, far.ready})
	overtake(g, n)
	g.pass(time.Second)
	assert.Equal(t, []int{1, 1, 1}, []int{now.ready, next.ready, far.ready})
	_, waiting := n.shell.Loop.Waiting()
	assert.Zero(t, waiting)
}

// A read that is cancelled is forgotten, whatever it waits for, and its caller is not called.
func TestCancelledReads(t *testing.T) {
	g := newGroup(t, 3, nil)
	n := g.backups()[0]
	n.held.applier = true
	g.primary().must("op")
	confirmed := n.read(Read{Linearizable: true})
	g.run()
	far := n.read(Read{AtLeast: 100})
	unconfirmed := n.read(Read{Linearizable: true})
	stays := n.read(Read{Linearizable: true})
	all := []*reader{confirmed, far, unconfirmed}
	n.turn()
	_, waiting := n.shell.Loop.Waiting()
	require.Equal(t, 4, waiting)
	for _, r := range all {
		n.do(func(l *Loop) { l.CancelRead(&r.Read) })
	}
	n.turn()
	_, waiting = n.shell.Loop.Waiting()
	require.Equal(t, 1, waiting)
	n.held.applier = false
	g.primary().fill(100, "op ")
	g.pass(time.Second)
	for _, r := range all {
		require.Zero(t, r.ready)
	}
	require.Equal(t, 1, stays.ready)
	n.do(func(l *Loop) { l.CancelRead(&stays.Read) })
	g.run()
	require.Equal(t, 1, stays.ready, "it is too late to cancel it")
}
