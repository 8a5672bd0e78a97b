package tcp

import (
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr/internal/tcp/tcptest"
)

// A frame that has begun and does not go on costs its connection, which is logged once. A connection without a frame
// may be silent.
func TestAFrameThatStallsEndsTheConnection(t *testing.T) {
	long := frameBytes(make([]byte, 2*frameLent))
	for name, sent := range map[string][]byte{
		"in the head":    frameBytes([]byte("message"))[:1],
		"in the body":    frameBytes([]byte("message"))[:frameHead+1],
		"in a long body": long[:len(long)-1],
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				wire := newMemory()
				b := wire.start(t, "b", nil)
				raw, err := wire.connect("a", "b")
				require.NoError(t, err)
				c := talk(t, raw, "a", "b")
				raw.SetDeadline(time.Now().Add(2 * time.Hour))
				write := func(p []byte) {
					_, err := raw.Write(p)
					require.NoError(t, err)
				}
				whole := frameBytes([]byte("whole"))
				write(whole[:5])
				write(whole[5:])
				time.Sleep(time.Hour)
				began := time.Now()
				write(sent)
				c.ended(t)
				assert.True(t, b.has("whole"))
				assert.Equal(t, b.Transport.cfg.Timeout, time.Since(began))
				synctest.Wait()
				assert.Equal(t, 1, strings.Count(b.log.String(), "[WARN]"))
				assert.Contains(t, b.log.String(), "no data for 5s in the middle of a message")
			})
		})
	}
}

// slowConn is a connection that is slow while its pause is not zero.
type slowConn struct {
	net.Conn
	pause time.Duration // before each kilobyte that is written
}

func (s *slowConn) Write(p []byte) (n int, err error) {
	if s.pause == 0 {
		return s.Conn.Write(p)
	}
	for n < len(p) && err == nil {
		time.Sleep(s.pause)
		var k int
		k, err = s.Conn.Write(p[n:min(n+1_000, len(p))])
		n += k
	}
	return n, err
}

// A message arrives over a link that carries only little within the timeout, with and without TLS.
func TestASlowLinkIsNotCut(t *testing.T) {
	for _, secure := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			wire := newMemory()
			var link *slowConn
			wire.bend = func(_, _ string, _ int, raw net.Conn) net.Conn {
				link = &slowConn{Conn: raw}
				return link
			}
			ca := tcptest.NewCA(t)
			mutual := func(c *Config, e *Endpoint) {
				if secure {
					c.TLS = ca.Mutual(t, e.ID)
				}
			}
			a, b := wire.start(t, "a", mutual), wire.start(t, "b", mutual)
			a.reaches(t, b, "first")
			synctest.Wait()
			link.pause = a.Transport.cfg.Timeout * 2 / 5
			msg := make([]byte, 50_000)
			a.Send("b", msg)
			time.Sleep(100 * link.pause)
			synctest.Wait()
			assert.True(t, b.has(string(msg)), "TLS %t: %s %s", secure, &a.log, &b.log)
			assert.Equal(t, 1, wire.dials("a", "b"))
		})
	}
}

// A member that takes nothing is given up within the timeout.
func TestAStalledWriteEndsTheConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wire := newMemory()
		listener := wire.listen("b")
		a := wire.start(t, "a", nil)
		a.Send("b", make([]byte, 1_000))
		raw, err := listener.Accept()
		require.NoError(t, err)
		_, _, err = (&Transport{cfg: a.Transport.cfg, endpoint: Endpoint{ID: "b", Addr: a.endpoint.Addr}}).greeted(raw)
		require.NoError(t, err)
		time.Sleep(a.Transport.cfg.Timeout)
		synctest.Wait()
		assert.Contains(t, a.log.String(), "connection to member broke")
		_, err = raw.Write([]byte("x"))
		assert.Error(t, err, "a holds on to the connection")
	})
}

// The time for a greeting is limited as a whole: a stranger cannot extend it by sending slowly.
func TestASlowGreetingIsCutShort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wire := newMemory()
		b := wire.start(t, "b", nil)
		raw, err := wire.connect("a", "b")
		require.NoError(t, err)
		began := time.Now()
		for _, c := range append(append(prefaceMagic[:], version), frameBytes(make([]byte, 100))...) {
			if _, err = raw.Write([]byte{c}); err != nil {
				break
			}
			time.Sleep(time.Second - 1)
		}
		assert.Error(t, err)
		assert.Less(t, time.Since(began), b.Transport.cfg.Timeout+time.Second)
	})
}

// A connection that swallows nothing any more is given up, and the member dialled again.
func TestAHalfOpenConnectionIsGivenUp(t *testing.T) {
	g := newGroup()
	a := g.start(t, "a", func(c *Config, _ *Endpoint) { c.Timeout = 200 * time.Millisecond })
	b := g.start(t, "b", func(c *Config, _ *Endpoint) { c.Timeout = time.Hour }) // only a gives up
	stop := make(chan struct{})
	defer close(stop)
	proxy := startProxy(t, b, func(dst io.Writer, src io.Reader, n int64) {
		if n == 1 {
			io.CopyN(dst, src, 1_000)
			<-stop
			return
		}
		io.Copy(dst, src)
	})
	g.move("b", proxy.Addr().String())
	big := make([]byte, 1<<20)
	eventually(t, func() bool { a.Send("b", big); return proxy.dialed.Load() > 1 }, "a holds on to a dead connection")
	a.reaches(t, b, "on another one")
	a.says(t, "connection to member broke", func() {})
}

// A connection without traffic outlives the timeout, and works then. That the time is over, a
// stranger shows who is closed for it.
func TestAQuietConnectionLasts(t *testing.T) {
	g := newGroup()
	hasty := func(c *Config, _ *Endpoint) { c.Timeout = 200 * time.Millisecond }
	a, b := g.start(t, "a", hasty), g.start(t, "b", hasty)
	a.reaches(t, b, "before")
	for range 2 {
		raw, err := net.Dial("tcp", b.Addr().String())
		require.NoError(t, err)
		raw.SetDeadline(time.Now().Add(30 * time.Second))
		(&conn{raw: raw, in: raw}).ended(t)
		require.NoError(t, raw.Close())
	}
	a.reaches(t, b, "after")
	assert.Equal(t, 1, strings.Count(a.log.String(), "connected to member"))
	assert.NotContains(t, a.log.String(), "broke")
}

// Short messages go ahead of long ones that wait for a slow link, and only the latest of those that supersede each
// other is sent.
func TestShortMessagesGoAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wire := newMemory()
		link := &slowConn{}
		wire.bend = func(_, _ string, _ int, raw net.Conn) net.Conn { link.Conn = raw; return link }
		a := wire.start(t, "a", func(_ *Config, e *Endpoint) {
			e.Ahead = func(msg []byte) bool { return strings.HasPrefix(string(msg), "heartbeat") }
			e.Supersedes = func(later, earlier []byte) bool { return len(later) == len(earlier) }
		})
		b := wire.start(t, "b", nil)
		a.reaches(t, b, "first")
		synctest.Wait()
		link.pause = 10 * time.Millisecond
		for i := range 40 {
			a.Send("b", append(make([]byte, 50_000), byte(i))) // 20 s on this link
		}
		time.Sleep(time.Second)
		for _, msg := range []string{"heartbeat 1", "heartbeat 2", "heartbeat of another kind"} {
			a.Send("b", []byte(msg))
		}
		time.Sleep(3 * time.Second)
		assert.True(t, b.has("heartbeat 2") && b.has("heartbeat of another kind"))
		assert.False(t, b.has("heartbeat 1"))
		last := string(append(make([]byte, 50_000), 39))
		assert.False(t, b.has(last))
		time.Sleep(20 * time.Second)
		assert.True(t, b.has(last))
	})
}
