package smr

import (
	"net"
	"time"
)

const (
	writeBuffer = 128 << 10 // what is gathered for one write
	writePiece  = 256 << 10 // what must go within the timeout, or there is no progress
)

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
