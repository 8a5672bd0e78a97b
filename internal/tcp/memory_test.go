package tcp

import (
	"context"
	"io"
	"net"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// memory connects members in a testing/synctest bubble. The address of a member is its ID.
type memory struct {
	bend func(from, to string, n int, dialled net.Conn) net.Conn // the dialling side of the n-th connection, from 1; may be nil

	mu        sync.Mutex
	listeners map[string]*memoryListener
	dialled   map[[2]string]int // connections, by the members at both ends
}

func newMemory() *memory {
	return &memory{listeners: map[string]*memoryListener{}, dialled: map[[2]string]int{}}
}

// connect returns one side of a new connection to a member.
func (m *memory) connect(from, to string) (net.Conn, error) {
	m.mu.Lock()
	listener := m.listeners[to]
	m.dialled[[2]string{from, to}]++
	n := m.dialled[[2]string{from, to}]
	m.mu.Unlock()
	if listener == nil {
		return nil, &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
	}
	x, y := net.Pipe()
	var near, far net.Conn = &memoryConn{x}, &memoryConn{y}
	if m.bend != nil {
		near = m.bend(from, to, n, near)
	}
	select {
	case listener.waiting <- far:
		return near, nil
	case <-listener.closed:
		return nil, &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
	}
}

// dials returns how often one member has dialled another.
func (m *memory) dials(from, to string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.dialled[[2]string{from, to}]
}

// listen returns a listener at the address of a member.
func (m *memory) listen(id string) *memoryListener {
	listener := &memoryListener{waiting: make(chan net.Conn), closed: make(chan struct{})}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.listeners[id] = listener
	return listener
}

// start opens a member; change, if not nil, alters what it is made of.
func (m *memory) start(t *testing.T, id string, change func(c *Config, e *Endpoint)) *member {
	return m.startOn(t, id, m.listen(id), change)
}

// startOn is start with a listener.
func (m *memory) startOn(t *testing.T, id string, listener net.Listener, change func(c *Config, e *Endpoint)) *member {
	x, cfg, e := newMember(id, func(id string) string { return id })
	if change != nil {
		change(&cfg, &e)
	}
	require.NoError(t, cfg.complete())
	x.Transport = newTransport(cfg, listener, func(_ context.Context, _, addr string) (net.Conn, error) { return m.connect(id, addr) })
	require.NoError(t, x.Open(e))
	t.Cleanup(func() { assert.NoError(t, x.Close()) })
	return x
}

// memoryConn is one side of a connection. If the other side closes it, a write fails as one to a socket does.
type memoryConn struct{ net.Conn }

func (c *memoryConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	if err == io.ErrClosedPipe {
		err = &net.OpError{Op: "write", Err: syscall.EPIPE}
	}
	return n, err
}

// memoryListener is the listener of one member.
type memoryListener struct {
	waiting chan net.Conn
	closed  chan struct{}
	closing sync.Once
}

func (l *memoryListener) Accept() (net.Conn, error) {
	select {
	case raw := <-l.waiting:
		return raw, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *memoryListener) Close() error { l.closing.Do(func() { close(l.closed) }); return nil }

func (l *memoryListener) Addr() net.Addr { return &net.TCPAddr{} }
