package tcp

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"
)

const writeBuffer = 128 << 10 // bytes of frames that are gathered for one write

// conn is one side of a connection. One goroutine reads from it, and one writes to it.
type conn struct {
	raw     net.Conn
	steady  *steadyConn // raw
	secure  *tls.Conn   // over steady; nil without TLS
	in      io.Reader   // steady or secure
	frames  frameReader
	out     frameWriter
	preface bool // sendPreface has written it
}

// newConn wraps a raw connection, with TLS if it is configured. Greetings must have been exchanged within
// the configured timeout.
func newConn(raw net.Conn, cfg *Config, secure func(net.Conn) *tls.Conn) (*conn, error) {
	raw.SetDeadline(time.Now().Add(cfg.Timeout))
	c := &conn{raw: raw, steady: &steadyConn{Conn: raw, timeout: cfg.Timeout, kept: giveUpAfter(raw, cfg.Timeout)}}
	var wire net.Conn = c.steady
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

// begin replaces the deadline of the greeting by those that steadyConn sets.
func (c *conn) begin() {
	c.raw.SetDeadline(time.Time{})
	c.steady.frames = &c.frames
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

// steadyConn is a connection that fails when it stalls: when a frame has begun and no byte of it arrives within the
// timeout, and when no written byte is taken within the timeout. It is below TLS, whose records would hide how bytes
// arrive, and which is unusable after one of its writes has timed out.
type steadyConn struct {
	net.Conn
	timeout time.Duration
	kept    bool         // the system itself keeps the timeout of writes
	frames  *frameReader // of the reading side; nil during the greeting, which has a deadline as a whole
	armed   bool         // a deadline for reads is set
}

// Read implements net.Conn. Within a frame each read restarts the deadline, so a slow link is not cut.
func (c *steadyConn) Read(p []byte) (int, error) {
	if c.frames == nil {
		return c.Conn.Read(p)
	}
	within := c.frames.within
	switch {
	case within:
		c.SetReadDeadline(time.Now().Add(c.timeout))
	case c.armed:
		c.SetReadDeadline(time.Time{})
	}
	c.armed = within
	n, err := c.Conn.Read(p)
	if within && errors.Is(err, os.ErrDeadlineExceeded) {
		err = &frameError{fmt.Sprintf("no data for %v in the middle of a message", c.timeout)}
	}
	return n, err
}

// Write implements net.Conn. The deadline restarts as long as bytes are taken, so a slow link is not cut. If the system
// keeps the timeout, it does so by acknowledgements, which is better: it may take no byte for long because it has taken
// many before.
func (c *steadyConn) Write(p []byte) (n int, err error) {
	if c.kept {
		return c.Conn.Write(p)
	}
	for {
		c.SetWriteDeadline(time.Now().Add(c.timeout))
		k, err := c.Conn.Write(p[n:])
		n += k
		if k == 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			return n, err
		}
	}
}
