package tcp

import (
	"fmt"
	"net"
	"slices"
	"time"
)

const (
	maxGreeting = 64                    // connections that have not greeted yet
	maxAccepted = 64                    // members with an accepted connection; a group has far fewer
	acceptPause = 50 * time.Millisecond // after Accept has failed, for example because the process has no more file descriptors
)

// accept accepts connections until the transport closes.
func (t *Transport) accept() {
	for t.stopping.Err() == nil {
		raw, err := t.listener.Accept()
		switch {
		case err == nil:
			t.admit(raw)
		case t.stopping.Err() == nil:
			t.warnings.Warn("accept", "cannot accept connections", "error", err)
			t.pause(acceptPause, nil)
		}
	}
}

// pause waits for d, or less if skip yields a value. It reports false if the transport closes.
func (t *Transport) pause(d time.Duration, skip <-chan struct{}) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-skip:
	case <-t.stopping.Done():
	}
	return t.stopping.Err() == nil
}

// admit starts a goroutine that serves a connection. If too many connections have not greeted yet, it
// closes the oldest of them: members greet within a round trip, so a flood of strangers does not keep
// them out.
func (t *Transport) admit(raw net.Conn) {
	if !t.track(raw) {
		return
	}
	t.mu.Lock()
	var oldest net.Conn
	if len(t.greeting) == maxGreeting {
		oldest = t.greeting[0]
		t.greeting = slices.Delete(t.greeting, 0, 1)
	}
	t.greeting = append(t.greeting, raw)
	t.mu.Unlock()
	if oldest != nil {
		oldest.Close()
		t.warnings.Warn("flood", "too many connections do not say who they are: closed the oldest",
			"limit", maxGreeting, "address", oldest.RemoteAddr())
	}
	t.others.Go(func() { t.serve(raw) })
}

// serve exchanges greetings on an accepted connection and then receives messages until it ends.
func (t *Transport) serve(raw net.Conn) {
	defer t.release(raw)
	giveUpAfter(raw, t.cfg.Timeout)
	c, from, err := t.greeted(raw)
	t.identified(raw)
	if err == nil {
		err = t.settle(from, raw)
	}
	if err == nil {
		t.endpoint.Logger.Debug("member connected", "member", from, "address", raw.RemoteAddr())
		err = t.receive(from, c)
		t.leave(from, raw)
	}
	t.reportAccepted(raw, from, err)
}

// identified removes a connection from those that have not greeted yet.
func (t *Transport) identified(raw net.Conn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if i := slices.Index(t.greeting, raw); i >= 0 {
		t.greeting = slices.Delete(t.greeting, i, i+1)
	}
}

// settle makes raw the accepted connection of a member and closes an older one, which may be half-open.
// A member that connects is up, so a pause before dialling it ends.
func (t *Transport) settle(from string, raw net.Conn) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	old := t.accepted[from]
	if old == nil && len(t.accepted) >= maxAccepted {
		return &refusal{reason: fmt.Sprintf("messages of %d members are taken already", maxAccepted)}
	}
	if old != nil {
		old.Close()
	}
	t.accepted[from] = raw
	if p := t.peers[from]; p != nil {
		p.hurry()
	}
	return nil
}

// leave removes the accepted connection of a member, unless a newer one has replaced it.
func (t *Transport) leave(from string, raw net.Conn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.accepted[from] == raw {
		delete(t.accepted, from)
	}
}

// receive passes messages to the endpoint until the connection ends, and returns the reason.
func (t *Transport) receive(from string, c *conn) error {
	for {
		msg, err := c.frames.next()
		if err != nil {
			return err
		}
		if t.stopping.Err() != nil {
			return net.ErrClosed
		}
		t.endpoint.Receive(from, msg)
	}
}

// reportAccepted logs the end of an accepted connection: at Debug if it ended by itself, else at Warn.
func (t *Transport) reportAccepted(raw net.Conn, from string, err error) {
	if t.stopping.Err() != nil {
		return
	}
	if ordinary(err) {
		t.endpoint.Logger.Debug("connection ended", "member", from, "address", raw.RemoteAddr(), "reason", err)
		return
	}
	t.warnings.Warn("accepted "+from, "connection closed", "member", from, "address", raw.RemoteAddr(), "reason", err)
}
