package tcp

import (
	"crypto/tls"
	"fmt"
	"net"
	"strings"
)

// A connection carries messages in one direction. It begins like this, inside TLS if that is configured:
//
//	the dialling member                       the accepting member
//
//	preface, greeting         ------------->
//	                          <-------------  preface, talk and hello; or refusal and reason
//	talk; or refusal, reason  ------------->
//	message, message, ...     ------------->
//
// A preface has 5 bytes. Its format is the same in all versions, so that replicas of two versions can report why they
// do not talk:
//
//	+------+-----+-----+-----+---------+
//	| 0x91 | 's' | 'm' | 'r' | version |
//	+------+-----+-----+-----+---------+
//
// Everything else is frames (frame.go), whose bodies are:
//
//	           1 byte            1 byte
//	          +--------+--------+--------+--------+-------------+
//	greeting  | length | from   | length | to     | hello       |
//	          +--------+--------+--------+--------+-------------+
//
//	          +--------+----------------------------------------+
//	answer    | 0      | hello   (talk)                         |
//	          +--------+----------------------------------------+
//	          | 1      | reason  (refusal)                      |
//	          +--------+----------------------------------------+
//
//	          +-------------------------------------------------+
//	message   | as given to Send                                |
//	          +-------------------------------------------------+
//
// Hello is the greeting of Endpoint.Hello, whose format tcp does not know.

const (
	version     = 2
	prefaceSize = 5
	greetBytes  = 16 << 10 // bytes of the longest greeting or answer
	reasonBytes = 1 << 10  // bytes of a reason that are sent; the rest is cut off
	maxIDBytes  = 64       // of the longest ID, as smr limits it

	answerTalk    = 0
	answerRefusal = 1
)

var prefaceMagic = [prefaceSize - 1]byte{0x91, 's', 'm', 'r'}

// dialled exchanges greetings on a connection that was dialled to a member.
func (t *Transport) dialled(raw net.Conn, to string) (*conn, error) {
	c, err := newConn(raw, &t.cfg, func(wire net.Conn) *tls.Conn { return t.cfg.client(wire, to) })
	if err != nil {
		return nil, err
	}
	if err := t.checkServer(c.secure, to); err != nil {
		return nil, &refusal{reason: err.Error()}
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
	if err := c.answer(answerTalk, nil); err != nil {
		return nil, err
	}
	c.begin()
	return c, nil
}

// greeted exchanges greetings on an accepted connection. It returns the member at the other side, also with
// an error if the member is known by then.
func (t *Transport) greeted(raw net.Conn) (c *conn, from string, err error) {
	c, err = newConn(raw, &t.cfg, t.cfg.server)
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
	c.begin()
	c.frames.max = t.endpoint.MaxMessage
	return c, from, nil
}

// checkGreeting returns the reason to refuse a greeting, or nil.
func (t *Transport) checkGreeting(c *conn, from, to string, hello []byte) error {
	own := t.endpoint.ID
	switch {
	case to != own:
		return fmt.Errorf("%q was dialled, and this is %q: check the members' addresses", to, own)
	case from == own:
		return fmt.Errorf("%q is this replica's own id: two replicas have it, or it dials itself", from)
	}
	if err := t.checkClient(c.secure, from); err != nil {
		return err
	}
	return t.endpoint.checkHello(from, hello)
}

// sendPreface writes the preface unless it has been written.
func (c *conn) sendPreface() {
	if !c.preface {
		c.preface = true
		c.out.Write(prefaceMagic[:])
		c.out.WriteByte(version)
	}
}

// sendGreeting writes the preface and the greeting of the dialling side.
func (c *conn) sendGreeting(from, to string, hello []byte) error {
	var b []byte
	b = append(append(b, byte(len(from))), from...)
	b = append(append(b, byte(len(to))), to...)
	b = append(b, hello...)
	if len(to) > maxIDBytes || len(b) > greetBytes {
		return fmt.Errorf("greeting to %q has %d bytes; the limit is %d, and %d for an ID", to, len(b), greetBytes, maxIDBytes)
	}
	c.sendPreface()
	c.out.write(b)
	return c.out.Flush()
}

// answer writes an answer to the greeting of the other side: talk with hello, or refusal with the reason.
func (c *conn) answer(kind byte, rest []byte) error {
	if 1+len(rest) > greetBytes {
		return fmt.Errorf("answer has %d bytes; the limit is %d", 1+len(rest), greetBytes)
	}
	c.sendPreface()
	c.out.write(append([]byte{kind}, rest...))
	return c.out.Flush()
}

// refuse sends a refusal to the other side, waits until it has been read, and returns it.
func (c *conn) refuse(reason error) error {
	text := reason.Error()
	c.answer(answerRefusal, []byte(text[:min(len(text), reasonBytes)]))
	c.finish()
	return &refusal{reason: text}
}

// readPreface reads the preface of the other side. It refuses other versions of the protocol, and returns
// a *frameError for other protocols.
func (c *conn) readPreface() error {
	p, err := c.frames.take(prefaceSize)
	if err != nil {
		return err
	}
	if [prefaceSize - 1]byte(p) != prefaceMagic {
		return &frameError{fmt.Sprintf("not smr, or TLS on one side only: begins with % x", p)}
	}
	if v := p[prefaceSize-1]; v != version {
		c.sendPreface() // the other side learns the version from it, and could not read a refusal
		c.out.Flush()
		c.finish()
		return &refusal{reason: fmt.Sprintf("protocol versions %d and %d differ: run compatible releases", v, version)}
	}
	return nil
}

// readAnswer returns the hello of the other side, or its refusal as an error.
func (c *conn) readAnswer() (hello []byte, err error) {
	body, err := c.frames.next()
	if err != nil {
		return nil, err
	}
	switch {
	case len(body) > 0 && body[0] == answerTalk:
		return body[1:], nil
	case len(body) > 0 && body[0] == answerRefusal:
		reason := strings.ToValidUTF8(string(body[1:min(len(body), 1+reasonBytes)]), "?")
		return nil, &refusal{reason: reason, theirs: true}
	}
	return nil, &frameError{fmt.Sprintf("not an answer: % x", body[:min(len(body), 16)])}
}

var errGreeting = &frameError{"greeting does not parse"}

// parseGreeting splits the body of a greeting.
func parseGreeting(b []byte) (from, to string, hello []byte, err error) {
	if from, b, err = cutID(b); err != nil {
		return "", "", nil, err
	}
	if to, b, err = cutID(b); err != nil {
		return "", "", nil, err
	}
	return from, to, b, nil
}

// cutID splits an ID and its length off b.
func cutID(b []byte) (string, []byte, error) {
	if len(b) == 0 || b[0] == 0 || b[0] > maxIDBytes || len(b) < 1+int(b[0]) {
		return "", nil, errGreeting
	}
	n := 1 + int(b[0])
	return string(b[1:n]), b[n:], nil
}
