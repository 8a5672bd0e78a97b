package shell

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr/internal/detector"
	"github.com/smr-go/smr/internal/vfs"
	"github.com/smr-go/smr/internal/vsr"
)

// group is a group of shells in virtual time. Its driver has no goroutines: whatever waits happens when the test
// runs the group, in a fixed order, unless the test holds it back.
type group struct {
	t       testing.TB
	now     time.Time
	members vsr.Membership
	change  func(*Config)
	nodes   []*node
	mail    []letter
	lost    func(m letter, x vsr.Message) bool // messages that get lost; nil: none
}

// letter is a message on its way.
type letter struct {
	from, to vsr.Index
	bytes    []byte
}

const heartbeat = 50 * time.Millisecond

// newGroup returns a group of n members that serves.
func newGroup(t testing.TB, n int, change func(*Config)) *group {
	t.Helper()
	g := &group{t: t, now: time.Unix(1, 0), change: change}
	var members []vsr.Member
	for i := range n {
		members = append(members, vsr.Member{ID: string('a' + rune(i))})
	}
	g.members = vsr.NewMembership(members)
	for i := range n {
		g.nodes = append(g.nodes, &node{g: g, i: vsr.Index(i), disk: vfs.NewMem()})
		g.start(i)
	}
	g.primary()
	t.Cleanup(func() {
		for _, n := range g.nodes {
			if n.shell != nil {
				n.shell.Close()
			}
		}
	})
	return g
}

// config returns the configuration of member i.
func (g *group) config(i int) Config {
	c := Config{
		Core: vsr.Config{Self: vsr.Index(i), Members: g.members, Detector: detector.NewFixed(time.Second), Heartbeat: heartbeat,
			Abdication: time.Second, DiskLimit: time.Minute, Window: 1 << 20, Tail: 1 << 20, KeepLog: 1 << 30,
			Rand: rand.New(rand.NewPCG(7, uint64(i+10*g.nodes[i].starts)))},
		Group: "group", FS: g.nodes[i].disk, Dir: "data", SegmentSize: 64 << 10, User: &g.nodes[i].user, Driver: g.nodes[i],
	}
	if g.change != nil {
		g.change(&c)
	}
	return c
}

// start starts member i on its disk.
func (g *group) start(i int) {
	g.t.Helper()
	require.NoError(g.t, g.tryStart(i))
}

func (g *group) tryStart(i int) (err error) {
	n := g.nodes[i]
	n.starts++
	n.inputs, n.tasks, n.failed, n.held, n.user = nil, nil, nil, work{}, list{}
	n.shell, _, err = Open(g.config(i), g.now)
	if err == nil {
		n.state = n.shell.Loop.Core().State()
	}
	return err
}

// restart stops member i without a goodbye, and starts it again.
func (g *group) restart(i int) {
	g.t.Helper()
	g.nodes[i].shell.Close()
	g.start(i)
}

// run runs the group until nothing waits but time.
func (g *group) run() {
	for again := true; again; {
		again = false
		for _, n := range g.nodes {
			again = n.work() || again
		}
		mail := g.mail
		g.mail = nil
		for _, m := range mail {
			g.deliver(m)
			again = true
		}
	}
}

func (g *group) deliver(m letter) {
	to := g.nodes[m.to]
	if to.cut || g.nodes[m.from].cut {
		return
	}
	in, err := to.shell.Receive(g.members.Members[m.from].ID, m.bytes)
	require.NoError(g.t, err)
	if g.lost != nil && g.lost(m, in.Receive.Message) {
		to.shell.door.messages.leave(in.size)
		return
	}
	to.Tell(in)
}

// pass runs the group for d.
func (g *group) pass(d time.Duration) {
	g.t.Helper()
	for end := g.now.Add(d); g.now.Before(end); g.now = g.now.Add(heartbeat / 5) {
		g.run()
		for _, n := range g.nodes {
			if n.failed == nil {
				require.NoError(g.t, n.shell.Loop.Core().Check())
				require.NoError(g.t, n.shell.Loop.parts.check())
			}
		}
	}
}

// until runs the group until cond holds, for at most two minutes.
func (g *group) until(what string, cond func() bool) {
	g.t.Helper()
	for end := g.now.Add(2 * time.Minute); !cond(); g.pass(heartbeat / 5) {
		if !g.now.Before(end) {
			for _, n := range g.nodes {
				g.t.Logf("%+v %v", n.state, n.failed)
			}
			require.Fail(g.t, "waited in vain until "+what)
		}
	}
}

// primary returns the primary that all running members follow.
func (g *group) primary() *node {
	g.t.Helper()
	var p *node
	g.until("there is one primary", func() bool {
		p = nil
		for _, n := range g.nodes {
			if n.state.Phase == vsr.Primary && !n.cut {
				p = n
			}
		}
		return p != nil && !slices.ContainsFunc(g.nodes, func(n *node) bool { return !n.cut && n.state.Primary != p.i })
	})
	return p
}

// backups returns the members that follow the primary.
func (g *group) backups() []*node {
	p := g.primary()
	return slices.DeleteFunc(slices.Clone(g.nodes), func(n *node) bool { return n == p })
}
