package tcp

import (
	"fmt"
	"net"
	"slices"
	"time"
)

const (
	maxGreeting  = 64 // connections that have not greeted yet
	maxStrangers = 64 // accepted connections of members that have no address here
)

// accept accepts connections until the transport closes. It waits out whatever makes Accept fail, for example that the
// process has no more file descriptors.
func (t *Transport) accept() {
	failing, pause := trouble{kind: "accept"}, firstPause
	for t.stopping.Err() == nil {
		raw, err := t.listener.Accept()
		switch {
		case err == nil:
			failing.end(&t.warnings, "connections are accepted again")
			pause = firstPause
			t.admit(raw)
		case t.stopping.Err() == nil:
			failing.begin(&t.warnings, "", "cannot accept connections", "error", err)
			t.pause(pause, nil)
			pause = min(2*pause, longestPause)
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

// admit starts a goroutine that serves a connection. If too many connections have not greeted yet, it closes the
// oldest of those from the host that has most of them: members greet within a few round trips, so a flood of strangers
// does not keep them out.
func (t *Transport) admit(raw net.Conn) {
	if !t.track(raw) {
		return
	}
	t.mu.Lock()
	var oldest net.Conn
	if len(t.greeting) == maxGreeting {
		i := crowd(t.greeting)
		oldest = t.greeting[i]
		t.greeting = slices.Delete(t.greeting, i, i+1)
	}
	t.greeting = append(t.greeting, raw)
	t.mu.Unlock()
	if oldest != nil {
		oldest.Close()
		t.warnings.Warn("flood", "too many connections have sent no greeting: closed the oldest",
			"limit", maxGreeting, "address", oldest.RemoteAddr())
	}
	t.others.Go(func() { t.serve(raw) })
}

// crowd returns the index of the first connection from the host with most of the connections.
func crowd(conns []net.Conn) (first int) {
	hosts, count := make([]string, len(conns)), map[string]int{}
	for i, c := range conns {
		hosts[i], _, _ = net.SplitHostPort(c.RemoteAddr().String())
		count[hosts[i]]++
	}
	for i, host := range hosts {
		if count[host] > count[hosts[first]] {
			first = i
		}
	}
	return first
}

// serve exchanges greetings on an accepted connection and then receives messages until it ends.
func (t *Transport) serve(raw net.Conn) {
	defer t.release(raw)
	c, from, err := t.greeted(raw)
	t.identified(raw)
	if err == nil {
		err = t.settle(from, raw)
	}
	if err == nil {
		if t.member(from) {
			t.refusedBefore(from).end(&t.warnings, "member is accepted again", "member", from)
		}
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
//
// A member that has an address here always gets a place. A replica's Check allows no strangers; the limit is for
// endpoints that allow them.
func (t *Transport) settle(from string, raw net.Conn) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	old := t.accepted[from]
	if old == nil && !t.member(from) && t.strangers() >= maxStrangers {
		return &refusal{reason: fmt.Sprintf("%d that have no address here are connected already", maxStrangers)}
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

// strangers returns how many that have no address here are connected. The caller holds mu.
func (t *Transport) strangers() (n int) {
	for id := range t.accepted {
		if !t.member(id) {
			n++
		}
	}
	return n
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
	what := []any{"member", from, "address", raw.RemoteAddr(), "reason", err}
	switch {
	case ordinary(err):
		t.endpoint.Logger.Debug("connection ended", what...)
	case t.member(from):
		t.refusedBefore(from).begin(&t.warnings, reasonOf(err), "connection closed", what...)
	default:
		t.warnings.Warn("stranger", "connection closed", what...)
	}
}

// refusedBefore returns the trouble of a member that it connects and is refused, or sends damaged bytes.
func (t *Transport) refusedBefore(from string) *trouble {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.refused[from] == nil {
		t.refused[from] = &trouble{kind: "accepted " + from}
	}
	return t.refused[from]
}
