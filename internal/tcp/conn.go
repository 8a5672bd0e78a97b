package tcp

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"time"
)

const (
	writeBuffer = 128 << 10 // what is gathered for one write
	writePiece  = 256 << 10 // what must go within the timeout, or there is no progress
)

// conn is one side of a connection that greets or talks. One goroutine reads it, one writes.
type conn struct {
	raw     net.Conn
	secure  *tls.Conn // nil without TLS
	in      io.Reader // raw or secure
	frames  frameReader
	out     frameWriter
	preface bool // ours is written
}

// newConn wraps a raw connection that has until the configured timeout to greet.
func newConn(raw net.Conn, cfg *Config, secure func(net.Conn) *tls.Conn) (*conn, error) {
	raw.SetDeadline(time.Now().Add(cfg.Timeout))
	c := &conn{raw: raw}
	var wire net.Conn = &steadyConn{raw, cfg.Timeout}
	if cfg.TLS != nil {
		c.secure = secure(wire)
		if err := c.secure.Handshake(); err != nil {
			return nil, fmt.Errorf("TLS: %w", err)
		}
		wire = c.secure
	}
	c.in = wire
	c.frames = frameReader{r: wire, max: greetBytes}
	c.out.Writer = bufio.NewWriterSize(wire, writeBuffer)
	return c, nil
}

// watch waits for the end of a connection, whose other side says nothing after its answer, so that
// it is noticed before a message is written that nobody reads.
func (c *conn) watch() error {
	var b [1]byte
	n, err := c.in.Read(b[:])
	if n > 0 {
		return &frameError{"bytes from the side that only reads"}
	}
	return err
}

// finish ends our side and waits for the other's end, or the deadline: closing at once, with
// bytes unread, could take the reason away before it is read.
func (c *conn) finish() {
	if half, ok := c.raw.(interface{ CloseWrite() error }); ok && half.CloseWrite() == nil {
		io.Copy(io.Discard, io.LimitReader(c.raw, 4*greetBytes))
	}
}

// steadyConn is a connection whose writes fail when there is no progress. It stands below TLS,
// which could not go on after a write that timed out.
type steadyConn struct {
	net.Conn
	timeout time.Duration
}

func (c *steadyConn) Write(p []byte) (n int, err error) {
	for {
		piece := p[n:min(n+writePiece, len(p))]
		c.SetWriteDeadline(time.Now().Add(c.timeout))
		k, err := c.Conn.Write(piece)
		if n += k; err != nil || n == len(p) {
			return n, err
		}
	}
}
