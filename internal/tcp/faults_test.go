package tcp

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// proxy stands before a member and does to its bytes what a test wants.
type proxy struct {
	net.Listener
	to     string
	dialed atomic.Int64
	copy   func(dst io.Writer, src io.Reader, n int64) // of the n-th connection, from 1, towards the member

	mu    sync.Mutex
	conns []net.Conn
	all   sync.WaitGroup
}

func startProxy(t *testing.T, to *member, copy func(dst io.Writer, src io.Reader, n int64)) *proxy {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	p := &proxy{Listener: listener, to: to.Addr().String(), copy: copy}
	p.all.Go(p.run)
	t.Cleanup(p.stop)
	return p
}

func (p *proxy) run() {
	for {
		in, err := p.Accept()
		if err != nil {
			return
		}
		out, err := net.Dial("tcp", p.to)
		if err != nil {
			in.Close()
			continue
		}
		p.mu.Lock()
		p.conns = append(p.conns, in, out)
		p.mu.Unlock()
		n := p.dialed.Add(1)
		p.all.Go(func() { defer out.Close(); p.copy(out, in, n) })
		p.all.Go(func() { defer in.Close(); io.Copy(in, out) })
	}
}

func (p *proxy) stop() {
	p.Close()
	p.mu.Lock()
	for _, c := range p.conns {
		c.Close()
	}
	p.mu.Unlock()
	p.all.Wait()
}

// corrupter turns a bit of the k-th byte of what is written.
type corrupter struct {
	io.Writer
	left int
}

func (c *corrupter) Write(p []byte) (int, error) {
	if c.left < len(p) && c.left >= 0 {
		p = slices.Clone(p)
		p[c.left] ^= 4
	}
	c.left -= len(p)
	return c.Writer.Write(p)
}

// A corrupted byte, be it of a greeting, an answer or a message, ends the connection with a reason
// and costs only what was on it.
func TestCorruptedBytesAreNoticed(t *testing.T) {
	for _, place := range []int{2, 8, 20, 40, 60, 100, 1_000} {
		g := newGroup()
		a, b := g.start(t, "a", nil), g.start(t, "b", nil)
		proxy := startProxy(t, b, func(dst io.Writer, src io.Reader, n int64) {
			if n == 1 {
				dst = &corrupter{dst, place}
			}
			io.Copy(dst, src)
		})
		g.move("b", proxy.Addr().String())
		msg := strings.Repeat("message ", 10)
		eventually(t, func() bool { a.Send("b", []byte(msg)); return proxy.dialed.Load() > 1 }, "place %d: not noticed", place)
		a.reaches(t, b, msg)
		assert.Equal(t, 1, b.received(), "place %d", place)
		assert.Contains(t, b.log.String(), "[WARN]", "place %d", place)
	}
}

// greetRaw writes the greeting of a dialling member and reads the preface of the answer.
func greetRaw(t *testing.T, raw net.Conn, from, to string) *conn {
	c := &conn{raw: raw, in: raw, frames: frameReader{r: raw, max: greetBytes}}
	c.out.Writer = bufio.NewWriter(raw)
	raw.SetDeadline(time.Now().Add(30 * time.Second))
	require.NoError(t, c.sendGreeting(from, to, nil))
	require.NoError(t, c.readPreface())
	return c
}

// talkRaw is a connection on which messages may go.
func talkRaw(t *testing.T, m *member, from string) *conn {
	raw, err := net.Dial("tcp", m.Addr().String())
	require.NoError(t, err)
	t.Cleanup(func() { raw.Close() })
	return talk(t, raw, from, m.id)
}

// talk exchanges greetings as a dialling member.
func talk(t *testing.T, raw net.Conn, from, to string) *conn {
	c := greetRaw(t, raw, from, to)
	_, err := c.readAnswer()
	require.NoError(t, err)
	require.NoError(t, c.answer(answerTalk, nil))
	return c
}

func (c *conn) say(t *testing.T, msg string) {
	require.NoError(t, c.out.write([]byte(msg)))
	require.NoError(t, c.out.Flush())
}

// ended waits for the other side to close.
func (c *conn) ended(t *testing.T) {
	t.Helper()
	_, err := io.Copy(io.Discard, c.in)
	require.NotErrorIs(t, err, os.ErrDeadlineExceeded, "the connection is still open")
}

func TestAnotherProtocolIsClosed(t *testing.T) {
	g := newGroup()
	a := g.start(t, "a", nil)
	for _, junk := range []string{"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "\x16\x03\x01\x02\x00\x01", strings.Repeat("\x00", 100)} {
		raw, err := net.Dial("tcp", a.Addr().String())
		require.NoError(t, err)
		raw.SetDeadline(time.Now().Add(30 * time.Second))
		raw.Write([]byte(junk))
		answer, _ := io.ReadAll(raw)
		assert.Empty(t, answer)
		raw.Close()
	}
	a.says(t, "not smr, or TLS on one side only: begins with 47 45 54 20", func() {})
}

// A member that dials with another version gets the preface of this one, from which it learns the version.
func TestAnotherVersionIsToldSo(t *testing.T) {
	for _, other := range []byte{version - 1, version + 1} {
		g := newGroup()
		a := g.start(t, "a", nil)
		raw, err := net.Dial("tcp", a.Addr().String())
		require.NoError(t, err)
		raw.SetDeadline(time.Now().Add(30 * time.Second))
		raw.Write(append(prefaceMagic[:], other))
		raw.Write([]byte("a greeting of that version"))
		answer := make([]byte, prefaceSize)
		_, err = io.ReadFull(raw, answer)
		require.NoError(t, err)
		assert.Equal(t, append(prefaceMagic[:], version), answer)
		raw.Close()
		a.says(t, fmt.Sprintf("protocol versions %d and %d differ", other, version), func() {})
	}
}

func TestAMemberWithAnotherVersionIsRefused(t *testing.T) {
	for _, other := range []byte{version - 1, version + 1} {
		g := newGroup()
		a := g.start(t, "a", nil)
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		defer listener.Close()
		go func() {
			for {
				raw, err := listener.Accept()
				if err != nil {
					return
				}
				raw.Write(append(prefaceMagic[:], other))
				io.Copy(io.Discard, raw)
				raw.Close()
			}
		}()
		g.move("b", listener.Addr().String())
		a.says(t, fmt.Sprintf("protocol versions %d and %d differ", other, version), func() { a.Send("b", []byte("no")) })
	}
}

func TestAFrameTooLargeEndsTheConnection(t *testing.T) {
	g := newGroup()
	a := g.start(t, "a", nil)
	g.move("b", "somewhere")
	c := talkRaw(t, a, "b")
	c.say(t, "small")
	eventually(t, func() bool { return a.has("small") }, "nothing came")
	c.out.Write(frameBytes(make([]byte, 1<<20+1))[:frameHead])
	require.NoError(t, c.out.Flush())
	c.ended(t)
	a.says(t, "frame of 1048577 bytes exceeds the limit of 1048576", func() {})
}

// The newer connection of a member is the right one: the older may be half-open.
func TestANewConnectionTakesTheOldOnesPlace(t *testing.T) {
	g := newGroup()
	a := g.start(t, "a", nil)
	g.move("b", "somewhere")
	g.move("c", "somewhere")
	old := talkRaw(t, a, "b")
	old.say(t, "old")
	eventually(t, func() bool { return a.has("old") }, "nothing came")
	other := talkRaw(t, a, "c")
	fresh := talkRaw(t, a, "b")
	old.ended(t)
	fresh.say(t, "new")
	other.say(t, "other")
	eventually(t, func() bool { return a.has("new") && a.has("other") }, "a connection was closed that was right")
}

// The end of a connection that another has replaced does not make the transport forget that one.
func TestEachConnectionTakesTheOldOnesPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wire := newMemory()
		wire.start(t, "b", nil)
		var last *conn
		for range 4 {
			raw, err := wire.connect("a", "b")
			require.NoError(t, err)
			c := talk(t, raw, "a", "b")
			synctest.Wait()
			if last != nil {
				last.ended(t)
			}
			last = c
		}
	})
}

// Silent strangers are bounded, do not keep members out, and are closed in time.
func TestAFloodOfConnectionsIsBounded(t *testing.T) {
	g := newGroup()
	a := g.start(t, "a", func(c *Config, _ *Endpoint) { c.Timeout = time.Second })
	b := g.start(t, "b", nil)
	var strangers []*conn
	for range 2 * maxGreeting {
		raw, err := net.Dial("tcp", a.Addr().String())
		require.NoError(t, err)
		defer raw.Close()
		raw.SetDeadline(time.Now().Add(30 * time.Second))
		strangers = append(strangers, &conn{raw: raw, in: raw})
	}
	strangers[0].ended(t) // before it has said anything: the oldest goes first
	a.Transport.mu.RLock()
	assert.LessOrEqual(t, len(a.greeting), maxGreeting)
	a.Transport.mu.RUnlock()
	b.reaches(t, a, "not kept out")
	for _, s := range strangers {
		s.ended(t)
	}
	assert.Contains(t, a.log.String(), "too many connections have sent no greeting")
	eventually(t, func() bool {
		a.Transport.mu.RLock()
		defer a.Transport.mu.RUnlock()
		return len(a.greeting) == 0 && len(a.conns) == 1
	}, "connections are left in the books")
}

// A flood from one host does not end the connections of another.
func TestAFloodEndsItsOwnConnections(t *testing.T) {
	from := func(addr string) net.Conn { return &placed{addr: addr} }
	conns := []net.Conn{from("10.0.0.1:7"), from("10.0.0.2:1"), from("[fd00::1]:1"), from("10.0.0.2:2"), from("10.0.0.1:8"), from("10.0.0.2:3")}
	assert.Equal(t, 1, crowd(conns))
	assert.Equal(t, 0, crowd(conns[:5]), "the first of two such hosts")
}

// placed is a connection to an address.
type placed struct {
	net.Conn
	addr string
}

func (p *placed) RemoteAddr() net.Addr { return p }
func (p *placed) Network() string      { return "tcp" }
func (p *placed) String() string       { return p.addr }
