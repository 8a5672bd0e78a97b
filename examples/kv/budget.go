package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// Limits of the memory that clients can make the server hold, and of the time for which they can.
const (
	requestBytes = 128 << 20        // held by all connections, requests and answers together
	connBytes    = 16 << 10         // that a connection holds while it is idle, or a small request arrives
	bodyTime     = 20 * time.Second // in which a body must arrive
	answerTime   = 30 * time.Second // in which a client must read an answer
)

// budget is the number of bytes that are held, and their limit. Its methods may be called concurrently.
type budget struct {
	limit int64
	held  atomic.Int64
}

var errBusy = errors.New("the requests under way hold as much memory as they may")

// take counts n more bytes. It reports false, and counts nothing, if they would exceed the limit.
func (b *budget) take(n int64) bool { return b.takeUpTo(b.limit, n) }

// takeLarge is take for what a large request or answer holds. It leaves a part of the budget to connections and small
// requests, such as probes: clients that send large requests and do not end them must not have the server killed.
func (b *budget) takeLarge(n int64) bool { return b.takeUpTo(b.limit-b.limit/16, n) }

func (b *budget) takeUpTo(limit, n int64) bool {
	for {
		held := b.held.Load()
		if held+n > limit {
			return false
		}
		if b.held.CompareAndSwap(held, held+n) {
			return true
		}
	}
}

// give returns n bytes.
func (b *budget) give(n int64) { b.held.Add(-n) }

// reserve takes n bytes until the result is called. Without room for them it answers the request, which had
// no effect, and returns nil.
func (s *server) reserve(w http.ResponseWriter, n int64) (free func()) {
	if n <= connBytes && !s.budget.take(n) || n > connBytes && !s.budget.takeLarge(n) {
		notApplied(w, errBusy)
		return nil
	}
	return func() { s.budget.give(n) }
}

// countedListener counts each connection, and the bytes of a request beyond connBytes from their arrival until the
// request is answered. It closes a connection if the budget has no room for it.
type countedListener struct {
	net.Listener
	budget *budget
}

func (l countedListener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if l.budget.take(connBytes) {
			return &countedConn{Conn: c, budget: l.budget, held: connBytes}, nil
		}
		_ = c.Close()
	}
}

type countedConn struct {
	net.Conn
	budget *budget

	mu     sync.Mutex
	held   int64
	read   int64 // for the present request
	closed bool
}

func (c *countedConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.read += int64(n)
	large := min(int64(n), c.read-connBytes)
	switch {
	case c.closed || large <= 0:
	case !c.budget.takeLarge(large):
		return 0, &net.OpError{Op: "read", Err: errBusy} // the server closes the connection, or answers 503
	default:
		c.held += large
	}
	return n, err
}

func (c *countedConn) Close() error {
	c.keep(0, true)
	return c.Conn.Close()
}

// keep gives back all but n bytes.
func (c *countedConn) keep(n int64, closed bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closed {
		c.budget.give(c.held - n)
		c.held, c.read, c.closed = n, 0, closed
	}
}

type connKey struct{}

// withConn is the server's ConnContext.
func withConn(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, c)
}

// requestEnds gives back what a request held, if its connection is counted.
func requestEnds(r *http.Request) {
	if c, ok := r.Context().Value(connKey{}).(*countedConn); ok {
		c.keep(connBytes, false)
	}
}
