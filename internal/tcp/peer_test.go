package tcp

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A connection from a member shows that it is up, so a rest ends and the member is dialled at once.
func TestAMemberThatConnectsIsDialledAtOnce(t *testing.T) {
	g := newGroup()
	a, b := g.start(t, "a", nil), g.start(t, "b", nil)
	p := newPeer(a.Transport, "b")
	a.Transport.mu.Lock()
	a.peers["b"] = p
	a.Transport.mu.Unlock()
	rested := make(chan bool, 1)
	go func() { rested <- p.rest(time.Hour) }()
	b.reaches(t, a, "up")
	select {
	case open := <-rested:
		assert.True(t, open)
	case <-time.After(10 * time.Second):
		t.Error("b is up and a does not dial")
	}
}

// A connection that has lasted ends the growth of the pauses between attempts to dial: the member is dialled at once, and
// then after a short pause.
func TestAConnectionThatLastedEndsTheLongPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wire := newMemory()
		a := wire.start(t, "a", nil)
		a.sends("b", time.Minute)
		b := wire.start(t, "b", nil)
		a.reaches(t, b, "first")
		time.Sleep(longestPause + 1)
		require.NoError(t, b.Close())
		synctest.Wait()
		before := wire.dials("a", "b")
		a.sends("b", 4*firstPause)
		assert.GreaterOrEqual(t, wire.dials("a", "b")-before, 3)
	})
}

func TestTheQueueIsBoundedAndDrops(t *testing.T) {
	g := newGroup()
	a := g.start(t, "a", func(c *Config, _ *Endpoint) { c.Queue = 10 * (100 + messageOverhead) })
	p := newPeer(a.Transport, "b") // without its goroutine: nothing leaves
	for range 15 {
		p.send(make([]byte, 100))
	}
	assert.Contains(t, a.log.String(), "does not keep up")
	batch, size := p.queue.Take()
	assert.Len(t, batch, 10)
	assert.Equal(t, 10*(100+messageOverhead), size)
	p.queue.Release(size)
	p.send(make([]byte, 100))
	batch, _ = p.queue.Take()
	assert.Len(t, batch, 1)
}

// The messages that go ahead of others have a limit of their own.
func TestTheMessagesAheadAreBounded(t *testing.T) {
	g := newGroup()
	a := g.start(t, "a", func(_ *Config, e *Endpoint) { e.Ahead = func([]byte) bool { return true } })
	p := newPeer(a.Transport, "b") // without its goroutine: nothing leaves
	require.Greater(t, int64(a.Transport.cfg.Queue), int64(2*aheadBytes))
	for range 2 * aheadBytes / 1000 {
		p.send(make([]byte, 1000))
	}
	_, size := p.ahead.Take()
	assert.LessOrEqual(t, size, aheadBytes)
}

// A message to the replica itself is dropped.
func TestAReplicaDoesNotDialItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wire := newMemory()
		a := wire.start(t, "a", nil)
		a.Send("a", []byte("message"))
		synctest.Wait()
		assert.Zero(t, wire.dials("a", "a"))
	})
}

// Between two attempts to dial, queued and new messages are dropped without a warning.
func TestMessagesAreDroppedBetweenAttempts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log logText
		a := &Transport{cfg: Config{Queue: 1 << 20}, endpoint: Endpoint{MaxMessage: 1 << 20}}
		a.stopping, a.stop = context.WithCancel(t.Context())
		a.warnings.Log = hclog.New(&hclog.LoggerOptions{Output: &log})
		p := newPeer(a, "b") // without its goroutine: nothing leaves
		p.send([]byte("before"))
		rested := make(chan bool)
		go func() { rested <- p.rest(time.Hour) }()
		synctest.Wait()
		p.send([]byte("new"))
		p.queue.Put([]byte("of a send that began before"), 1, 1<<20)
		assert.True(t, <-rested)
		p.send([]byte("after"))
		batch, _ := p.queue.Take()
		assert.Equal(t, [][]byte{[]byte("after")}, batch)
		assert.Empty(t, log.String())
	})
}

// When a write fails, the rest of the batch is dropped and makes room.
func TestABatchThatFailsMakesRoom(t *testing.T) {
	g := newGroup()
	a := g.start(t, "a", func(c *Config, _ *Endpoint) { c.Queue = 10 * (100 + messageOverhead) })
	p := newPeer(a.Transport, "b")
	for range 10 {
		p.send(make([]byte, 100))
	}
	batch, _ := p.queue.Take()
	c := &conn{out: frameWriter{Writer: bufio.NewWriterSize(brokenWriter{}, 256)}}
	require.ErrorIs(t, p.writeBatch(c, batch), net.ErrClosed)
	assert.Equal(t, make([][]byte, 10), batch)
	for range 10 {
		p.send(make([]byte, 100))
	}
	assert.NotContains(t, a.log.String(), "does not keep up")
}

// brokenWriter is a connection that has ended.
type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, net.ErrClosed }

func TestWrittenMessagesMakeRoom(t *testing.T) {
	g := newGroup()
	a := g.start(t, "a", func(c *Config, _ *Endpoint) { c.Queue = 10 * (100 + messageOverhead) })
	b := g.start(t, "b", nil)
	for i := range 30 {
		a.reaches(t, b, fmt.Sprintf("%0100d", i))
	}
}
