package shell

import (
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr/internal/vsr"
	"github.com/smr-go/smr/internal/wire"
)

// heartbeatOf returns a message without a body.
func heartbeatOf(n *node) []byte {
	h := n.shell.Loop.Core().Header()
	return wire.AppendMessage(nil, wire.TagOf("group"), h, &vsr.Commit{View: 1})
}

// receive passes a message of member a on until there is no room for it, at most 1000 times, and returns how often.
func (n *node) receive(t *testing.T, b []byte) (count int) {
	for ; count < 1000; count++ {
		in, err := n.shell.Receive("a", b)
		if err != nil {
			require.ErrorIs(t, err, ErrOverloaded)
			return count
		}
		n.Tell(in)
	}
	return count
}

// Messages that wait for a turn are limited in bytes, small ones too. A turn makes room for others.
func TestMessagesThatWaitAreLimited(t *testing.T) {
	g := newGroup(t, 1, func(c *Config) { c.MaxMessages = 5000 })
	n := g.nodes[0]
	b := heartbeatOf(n)
	for range 2 {
		require.Equal(t, 5000/(len(b)+inputOverhead), n.receive(t, b))
		require.NotNil(t, n.propose("proposals have their own limit").Body)
		n.turn()
	}
	header := n.shell.Loop.Core().Header()
	large := wire.AppendMessage(nil, wire.TagOf("group"), header,
		&vsr.SnapshotChunk{Snapshot: vsr.SnapshotID{Group: header.Group, Last: vsr.Viewstamp{Epoch: 1, View: 1, Op: 1}}, Data: make([]byte, 6000)})
	require.Equal(t, 1, n.receive(t, large), "a message above the limit fits if no other waits")
}

// The limit that a configuration does not name is 64 MiB.
func TestMessagesThatWaitAreLimitedByDefault(t *testing.T) {
	g := newGroup(t, 1, nil)
	require.Equal(t, int64(64<<20), g.nodes[0].shell.door.messages.limit)
}

// Proposals that wait for a turn are limited by the window, empty ones too, and messages that wait do not count. A
// refused call is the caller's again.
func TestProposalsThatWaitAreLimited(t *testing.T) {
	g := newGroup(t, 1, func(c *Config) { c.Core.Window = 1000 })
	n := g.nodes[0]
	n.must("first")
	for range 20 {
		in, err := n.shell.Receive("a", heartbeatOf(n))
		require.NoError(t, err)
		n.Tell(in)
	}
	var calls []*caller
	for range 1000/inputOverhead + 1 {
		calls = append(calls, n.propose(""))
	}
	refused := calls[len(calls)-1]
	require.ErrorIs(t, refused.err, ErrOverloaded)
	require.ErrorContains(t, refused.err, "the limit is 1000 (Config.Window)")
	g.run()
	for _, c := range calls[:len(calls)-1] {
		require.NoError(t, c.err)
		require.Equal(t, 1, c.ended)
	}
	require.Equal(t, 1, refused.ended)
	c := n.propose(strings.Repeat("x", 2000))
	require.Equal(t, strings.Repeat("x", 2000), string(c.Body), "a proposal above the limit fits if no other waits")
	require.ErrorIs(t, n.propose("").err, ErrOverloaded)
	g.run()
	require.NoError(t, c.err)
}

// A message that cannot be decoded, or does not come from a member, is dropped and takes no room.
func TestBadMessagesAreDropped(t *testing.T) {
	g := newGroup(t, 1, func(c *Config) { c.MaxMessages = 1 })
	n := g.nodes[0]
	b := heartbeatOf(n)
	_, err := n.shell.Receive("z", b)
	require.EqualError(t, err, `"z" is not a member`)
	_, err = n.shell.Receive("a", b[1:])
	require.ErrorContains(t, err, "altered in transit")
	_, err = n.shell.Receive("a", wire.AppendMessage(nil, wire.TagOf("other"), vsr.Header{}, &vsr.Commit{}))
	require.ErrorContains(t, err, "Config.Group differs")
	in, err := n.shell.Receive("a", b)
	require.NoError(t, err)
	require.Equal(t, vsr.Index(0), in.Receive.From)
	require.IsType(t, &vsr.Commit{}, in.Receive.Message)
	require.Equal(t, n.shell.Loop.Core().Header(), in.Receive.Header)
}

// However many enter at once, the limit is kept, and nothing is refused for which there is room.
func TestManyEnterAtOnce(t *testing.T) {
	s := &space{limit: 1000}
	var mu sync.Mutex
	var all sync.WaitGroup
	entered := 0
	for range 20 {
		all.Go(func() {
			for range 10 {
				if s.enter(10) {
					mu.Lock()
					entered++
					mu.Unlock()
				}
			}
		})
	}
	all.Wait()
	require.Equal(t, 100, entered)
	require.Equal(t, int64(1000), s.used.Load())
}

// 11.10: more may wait than the limit only as a single input.
func TestSpaceIsChecked(t *testing.T) {
	s := space{limit: 10}
	require.True(t, s.enter(20))
	require.NoError(t, s.check("messages"))
	require.False(t, s.enter(1))
	s.leave(20)
	require.True(t, s.enter(4))
	require.True(t, s.enter(6))
	require.NoError(t, s.check("messages"))
	s.used.Add(1)
	require.ErrorContains(t, s.check("messages"), "11.10: 2 messages of 11 bytes wait for a turn, not 10 bytes at most")
}
