package smr

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"
)

// A connection carries messages one way. It begins so, inside TLS if there is TLS:
//
//	the member that dials                     the one that accepts
//
//	preface, greeting         ------------->
//	                          <-------------  preface, talk and hello; or refusal and reason
//	talk; or refusal, reason  ------------->
//	message, message, ...     ------------->
//
// A preface is 5 bytes, the same in all versions, so that two versions can say what is wrong:
//
//	+------+-----+-----+-----+---------+
//	| 0x91 | 's' | 'm' | 'r' | version |
//	+------+-----+-----+-----+---------+
//
// All else is frames (tcp_frame.go). Their bodies:
//
//	greeting  length (1) | from | length (1) | to | hello
//	answer    0 talk, 1 refusal (1) | hello or reason
//	message   as it was sent

const (
	tcpVersion  = 1
	prefaceSize = 5
	greetBytes  = 16 << 10 // the longest greeting or answer
	reasonBytes = 1 << 10  // what is told of a reason

	answerTalk    = 0
	answerRefusal = 1
)

var prefaceMagic = [prefaceSize - 1]byte{0x91, 's', 'm', 'r'}

// tcpRefusal says why two members do not talk. It stands in the logs of both.
type tcpRefusal struct {
	reason string
	theirs bool // the other side refused
}

func (r *tcpRefusal) Error() string {
	if r.theirs {
		return "refused by the other side: " + r.reason
	}
	return "refused: " + r.reason
}

// tcpConn is one side of a connection that greets or talks. One goroutine reads it, one writes.
type tcpConn struct {
	raw     net.Conn
	secure  *tls.Conn // nil without TLS
	in      io.Reader // raw or secure
	frames  frameReader
	out     frameWriter
	preface bool // ours is written
}

// newTCPConn wraps a raw connection that has until the configured timeout to greet.
func newTCPConn(raw net.Conn, cfg *TCPConfig, secure func(net.Conn) *tls.Conn) (*tcpConn, error) {
	raw.SetDeadline(time.Now().Add(cfg.Timeout))
	c := &tcpConn{raw: raw}
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

// dialled greets the member on a connection that was dialled to it.
func (t *TCP) dialled(raw net.Conn, to ID) (*tcpConn, error) {
	c, err := newTCPConn(raw, &t.cfg, func(wire net.Conn) *tls.Conn { return t.cfg.client(wire, to) })
	if err != nil {
		return nil, err
	}
	if err := t.cfg.checkServer(c.secure, to); err != nil {
		return nil, &tcpRefusal{reason: err.Error()}
	}
	if err := c.sendGreeting(t.endpoint.ID, to, t.endpoint.hello()); err != nil {
		return nil, err
	}
	if err := c.readPreface(); err != nil {
		return nil, err
	}
	hello, err := c.readAnswer()
	if err != nil {
		return nil, err
	}
	if err := t.endpoint.checkHello(to, hello); err != nil {
		return nil, c.refuse(err)
	}
	raw.SetReadDeadline(time.Time{})
	return c, c.answer(answerTalk, nil)
}

// greeted takes the greeting on a connection that was accepted, and returns whose it is. from is
// set, as far as it is known, with an error too.
func (t *TCP) greeted(raw net.Conn) (c *tcpConn, from ID, err error) {
	c, err = newTCPConn(raw, &t.cfg, t.cfg.server)
	if err != nil {
		return nil, "", err
	}
	if err := c.readPreface(); err != nil {
		return nil, "", err
	}
	body, err := c.frames.next()
	if err != nil {
		return nil, "", err
	}
	from, to, hello, err := parseGreeting(body)
	if err != nil {
		return nil, "", err
	}
	if err := t.checkGreeting(c, from, to, hello); err != nil {
		return nil, from, c.refuse(err)
	}
	if err := c.answer(answerTalk, t.endpoint.hello()); err != nil {
		return nil, from, err
	}
	if _, err := c.readAnswer(); err != nil {
		return nil, from, err
	}
	raw.SetReadDeadline(time.Time{})
	c.frames.max = t.endpoint.MaxMessage
	return c, from, nil
}

// checkGreeting says why not to talk to a member that greeted so.
func (t *TCP) checkGreeting(c *tcpConn, from, to ID, hello []byte) error {
	own := t.endpoint.ID
	switch {
	case to != own:
		return fmt.Errorf("%q was dialled, and this is %q: check the members' addresses", to, own)
	case from == own:
		return fmt.Errorf("%q is this replica's own id: two replicas have it, or it dials itself", from)
	}
	if err := t.cfg.checkClient(c.secure, from); err != nil {
		return err
	}
	return t.endpoint.checkHello(from, hello)
}

// hello returns the greeting of an Endpoint, which may have none.
func (e *Endpoint) hello() []byte {
	if e.Hello == nil {
		return nil
	}
	return e.Hello()
}

func (e *Endpoint) checkHello(from ID, hello []byte) error {
	if e.Check == nil {
		return nil
	}
	return e.Check(from, hello)
}

// sendPreface writes the preface if it is not written yet.
func (c *tcpConn) sendPreface() {
	if !c.preface {
		c.preface = true
		c.out.Write(prefaceMagic[:])
		c.out.WriteByte(tcpVersion)
	}
}

func (c *tcpConn) sendGreeting(from, to ID, hello []byte) error {
	var b []byte
	b = append(append(b, byte(len(from))), from...)
	b = append(append(b, byte(len(to))), to...)
	b = append(b, hello...)
	if len(to) > maxID || len(b) > greetBytes {
		return fmt.Errorf("greeting to %q has %d bytes: at most %d go, and %d in an id", to, len(b), greetBytes, maxID)
	}
	c.sendPreface()
	c.out.write(b)
	return c.out.Flush()
}

// answer writes what is thought of the other side's greeting, with hello or the reason.
func (c *tcpConn) answer(kind byte, rest []byte) error {
	if 1+len(rest) > greetBytes {
		return fmt.Errorf("answer has %d bytes: at most %d go", 1+len(rest), greetBytes)
	}
	c.sendPreface()
	c.out.write(append([]byte{kind}, rest...))
	return c.out.Flush()
}

// refuse tells the other side why, and returns that as an error.
func (c *tcpConn) refuse(reason error) error {
	text := reason.Error()
	c.answer(answerRefusal, []byte(text[:min(len(text), reasonBytes)]))
	c.finish()
	return &tcpRefusal{reason: text}
}

// finish ends our side and waits for the other's end, or the deadline: closing at once, with
// bytes unread, could take the reason away before it is read.
func (c *tcpConn) finish() {
	if half, ok := c.raw.(interface{ CloseWrite() error }); ok && half.CloseWrite() == nil {
		io.Copy(io.Discard, io.LimitReader(c.raw, 4*greetBytes))
	}
}

// readPreface refuses another protocol, and another version of this one.
func (c *tcpConn) readPreface() error {
	p, err := c.frames.take(prefaceSize)
	if err != nil {
		return err
	}
	if [prefaceSize - 1]byte(p) != prefaceMagic {
		return &frameError{fmt.Sprintf("not smr, or TLS on one side only: begins with % x", p)}
	}
	if v := p[prefaceSize-1]; v != tcpVersion {
		return c.refuse(fmt.Errorf("protocol version %d meets version %d: run releases that go together", v, tcpVersion))
	}
	return nil
}

// readAnswer returns the other side's hello, or its refusal as an error.
func (c *tcpConn) readAnswer() (hello []byte, err error) {
	body, err := c.frames.next()
	if err != nil {
		return nil, err
	}
	switch {
	case len(body) > 0 && body[0] == answerTalk:
		return body[1:], nil
	case len(body) > 0 && body[0] == answerRefusal:
		reason := strings.ToValidUTF8(string(body[1:min(len(body), 1+reasonBytes)]), "?")
		return nil, &tcpRefusal{reason: reason, theirs: true}
	}
	return nil, &frameError{fmt.Sprintf("not an answer: % x", body[:min(len(body), 16)])}
}

var errGreeting = &frameError{"greeting does not parse"}

func parseGreeting(b []byte) (from, to ID, hello []byte, err error) {
	if from, b, err = cutID(b); err != nil {
		return "", "", nil, err
	}
	if to, b, err = cutID(b); err != nil {
		return "", "", nil, err
	}
	return from, to, b, nil
}

func cutID(b []byte) (ID, []byte, error) {
	if len(b) == 0 || b[0] == 0 || b[0] > maxID || len(b) < 1+int(b[0]) {
		return "", nil, errGreeting
	}
	n := 1 + int(b[0])
	return ID(b[1:n]), b[n:], nil
}

// ordinary reports whether an error is a connection that ended or could not be made, as they do
// when a replica stops, and not one side that is wrong.
func ordinary(err error) bool {
	var op *net.OpError
	if errors.As(err, &op) {
		return op.Op != "remote error" && op.Op != "local error" // those are TLS alerts
	}
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, net.ErrClosed) || errors.Is(err, os.ErrDeadlineExceeded) ||
		errors.Is(err, context.Canceled)
}
