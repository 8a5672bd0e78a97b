package shell

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr/internal/vfs"
	"github.com/smr-go/smr/internal/vsr"
)

// A turn tells the core the time before anything else: a primary whose process was paused finds out that it leads no more
// before it handles what has arrived meanwhile (D4).
func TestTimeComesFirst(t *testing.T) {
	g := newGroup(t, 1, func(c *Config) { c.Recorder = &events{} })
	n := g.nodes[0]
	n.propose("op")
	n.read(Read{Linearizable: true})
	seen := n.shell.Loop.recorder.(*events)
	seen.all = nil
	g.now = g.now.Add(time.Hour)
	n.turn()
	require.IsType(t, &vsr.Tick{}, seen.all[0])
	require.IsType(t, &vsr.Propose{}, seen.all[1])
	require.IsType(t, &vsr.Read{}, seen.all[2])
	assert.True(t, seen.now.Equal(g.now))
}

// events is a recorder of the events that the core is told.
type events struct {
	core vsr.Config
	all  []vsr.Event
	now  time.Time
}

func (x *events) Started(c *vsr.Config, _ *vsr.Durable, _ time.Time) { x.core = *c }
func (x *events) Stepping(now time.Time, e vsr.Event)                { x.all, x.now = append(x.all, e), now }
func (x *events) Stepped(vsr.Event)                                  {}
func (x *events) Readied(time.Time, vsr.Header, *vsr.Output)         {}
func (x *events) Close() error                                       { return nil }

// Without a disk a save is durable at once: a group of one answers a proposal after one turn and one step of the applier.
func TestVolatileSavesAreDurableAtOnce(t *testing.T) {
	g := newGroup(t, 1, volatile)
	n := g.nodes[0]
	n.must("first")
	c := n.propose("op")
	n.turn()
	n.applyStep()
	n.turn()
	require.Equal(t, "2", c.result)
	require.Nil(t, n.shell.Log)
	n.fill(300, "op ")
	require.NotZero(t, n.state.Snapshot)
}

func volatile(c *Config) { c.Core.Volatile, c.Core.Tail, c.SnapshotEvery = true, 0, 100 }

// Messages that were sent stay as they are: those that are small share memory, and none is written over.
func TestSentMessagesStayAsTheyAre(t *testing.T) {
	g := newGroup(t, 3, nil)
	p := g.primary()
	for _, n := range g.backups() {
		n.cut = true
	}
	var sent, copies [][]byte
	for range 500 {
		p.turn()
		g.now = g.now.Add(heartbeat)
		for _, m := range g.mail {
			sent, copies = append(sent, m.bytes), append(copies, append([]byte(nil), m.bytes...))
			assert.Equal(t, len(m.bytes), cap(m.bytes), "who appends to it gets memory of its own")
		}
		g.mail = nil
	}
	require.Greater(t, len(sent), 3*smallMessages/2)
	require.Equal(t, copies, sent)
}

// An error of the core stops the replica, and nothing of that turn is performed.
func TestErrorOfTheCoreStopsTheReplica(t *testing.T) {
	g := newGroup(t, 1, nil)
	n := g.nodes[0]
	n.shell.Loop.dispatch(&vsr.Output{Err: vsr.ErrFull, Compact: &vsr.Compact{}, Retake: true})
	require.ErrorIs(t, n.failed, vsr.ErrFull)
	require.True(t, n.shell.Applier.Idle())
	require.False(t, n.shell.Writer.Compacts())
}

// Entries that a compaction has dropped are no error: the core is told that there are none. What cannot be read stops the
// replica.
func TestLoadOfWhatIsGone(t *testing.T) {
	g := newGroup(t, 1, everyTenOps)
	n := g.nodes[0]
	n.fill(200, "op ")
	require.Greater(t, n.state.First, vsr.OpNumber(1))
	n.inputs = nil
	n.shell.load(vsr.Load{From: 1, To: 1})
	require.Equal(t, []vsr.Event{&vsr.Loaded{Load: vsr.Load{From: 1, To: 1}}}, n.told())
	n.shell.load(vsr.Load{From: n.state.Last.Op, To: n.state.Last.Op})
	require.Len(t, n.told()[0].(*vsr.Loaded).Entries, 1)
	broken := errors.New("the disk is broken")
	n.disk.SetHook(func(op vfs.Op) error {
		if op.Kind == vfs.OpRead {
			return broken
		}
		return nil
	})
	n.shell.load(vsr.Load{From: n.state.Last.Op, To: n.state.Last.Op})
	require.ErrorIs(t, n.failed, broken)
	require.Empty(t, n.told())
}

// Leave ends the primary's view at once: the next primary leads before any suspicion is due (V2).
func TestLeave(t *testing.T) {
	g := newGroup(t, 3, nil)
	g.pass(time.Second)
	p := g.primary()
	at := g.now
	p.do(func(l *Loop) { l.Leave() })
	g.until("another leads", func() bool { return g.nodes[1].state.Phase == vsr.Primary })
	require.Less(t, g.now.Sub(at), heartbeat)
}

// oneProposal returns a function that takes a group of one without a disk through one proposal: the turn that gives it to the
// core, the step that applies it, and the turn that answers.
func oneProposal(t testing.TB) func() {
	g := newGroup(t, 1, func(c *Config) { volatile(c); c.SnapshotEvery, c.User = 0, constant{} })
	n := g.nodes[0]
	n.must("first")
	loop, c, body := &n.shell.Loop, &caller{}, []byte("op")
	propose, applied := Input{Call: &c.Call}, Input{}
	return func() {
		c.Call = Call{Body: body, Caller: c}
		loop.Begin(g.now)
		loop.Handle(&propose)
		loop.End()
		applied.Applied, _ = n.shell.Applier.Step()
		loop.Begin(g.now)
		loop.Handle(&applied)
		loop.End()
	}
}

// constant is a state machine whose commands change nothing.
type constant struct{ User }

func (constant) Apply(*vsr.Entry) ([]byte, error) { return nil, nil }

func BenchmarkTurn(b *testing.B) {
	proposal := oneProposal(b)
	b.ReportAllocs()
	for b.Loop() {
		proposal()
	}
}
