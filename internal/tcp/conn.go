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
	writeBuffer = 128 << 10 // bytes of frames that are gathered for one write
	writePiece  = 256 << 10 // bytes: a write of this size that exceeds the timeout counts as stalled
)

// conn is one side of a connection. One goroutine reads from it, and one writes to it.
type conn struct {
	raw     net.Conn
	secure  *tls.Conn // nil without TLS
	in      io.Reader // raw or secure
	frames  frameReader
	out     frameWriter
	preface bool // sendPreface has written it
}

// newConn wraps a raw connection, with TLS if it is configured. Greetings must have been exchanged within
// the configured timeout.
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

// watch waits for the end of a connection that was dialled, and returns the reason. The other side sends
// nothing after its answer, so a read reports the end before a message is lost in a write.
func (c *conn) watch() error {
	var b [1]byte
	n, err := c.in.Read(b[:])
	if n > 0 {
		return &frameError{"bytes from the side that only reads"}
	}
	return err
}

// finish closes this side for writing and waits until the other side closes too, or for the deadline. If
// it closed the connection at once, with bytes unread, the other side might never read the refusal.
func (c *conn) finish() {
	if half, ok := c.raw.(interface{ CloseWrite() error }); ok && half.CloseWrite() == nil {
		io.Copy(io.Discard, io.LimitReader(c.raw, 4*greetBytes))
	}
}

// steadyConn is a connection whose writes fail when they stall. It is below TLS, because a TLS connection
// is unusable after one of its writes has timed out.
type steadyConn struct {
	net.Conn
	timeout time.Duration
}

// Write implements net.Conn. It allows the timeout for every piece of p, not for p as a whole.
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
