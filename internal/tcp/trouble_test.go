package tcp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// lines returns how many lines of the log contain a text.
func (m *member) lines(text string) int { return strings.Count(m.log.String(), text) }

// sends sends a message every 50 ms for the time d.
func (m *member) sends(to string, d time.Duration) {
	for began := time.Now(); time.Since(began) < d; time.Sleep(50 * time.Millisecond) {
		m.Send(to, []byte("message"))
	}
}

// A member that is not reached is named at Info at once, at Warn once when it lasts, and at Info when it is reached.
func TestAnAbsentMemberIsReportedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wire := newMemory()
		a := wire.start(t, "a", nil)
		a.sends("b", absentLong-time.Second)
		assert.Equal(t, 1, a.lines("[INFO]  member cannot be reached: member=b"))
		assert.Zero(t, a.lines("[WARN]"))
		a.sends("b", time.Hour)
		b := wire.start(t, "b", nil)
		a.reaches(t, b, "up")
		require.NoError(t, b.Close())
		a.sends("b", time.Hour)
		a.reaches(t, wire.start(t, "b", nil), "up again")
		assert.Equal(t, 2, a.lines("[WARN]  member cannot be reached: member=b for=1"))
		assert.Equal(t, 2, a.lines("[WARN]"))
		assert.Equal(t, 1, a.lines("[INFO]  connection to member broke"))
		assert.Equal(t, 2, a.lines("[INFO]  member is reached again: member=b after="))
		assert.Equal(t, 4, a.lines("[INFO]"))
	})
}

// A member counts as not reached only as long as it is dialled. It may have been up in between, and was if it connects.
func TestAMemberThatWasUpIsNotReported(t *testing.T) {
	for name, between := range map[string]func(t *testing.T, wire *memory, a *member){
		"no messages": func(*testing.T, *memory, *member) { time.Sleep(absentLong + time.Second) },
		"it connects": func(t *testing.T, wire *memory, a *member) {
			a.sends("b", absentLong-time.Second)
			raw, err := wire.connect("b", "a")
			require.NoError(t, err)
			talk(t, raw, "b", "a")
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				wire := newMemory()
				a := wire.start(t, "a", nil)
				a.sends("b", time.Second)
				between(t, wire, a)
				a.sends("b", absentLong-time.Second)
				assert.Zero(t, a.lines("[WARN]"))
				a.sends("b", 5*time.Second)
				assert.Equal(t, 1, a.lines("[WARN]"))
			})
		})
	}
}

// A refusal is logged once for each reason on both sides, however long it lasts, and so is its end.
func TestARefusalIsReportedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var reason atomic.Pointer[error]
		refuse := func(text string) { err := errors.New(text); reason.Store(&err) }
		refuse("of another group")
		wire := newMemory()
		a, b := wire.start(t, "a", nil), wire.start(t, "b", func(_ *Config, e *Endpoint) {
			e.Check = func(string, []byte) error { return *reason.Load() }
		})
		a.sends("b", time.Hour)
		refuse("of another memory")
		a.sends("b", time.Hour)
		for _, m := range []*member{a, b} {
			assert.Equal(t, 2, m.lines("[WARN]"), "%s", &m.log)
			assert.Zero(t, m.lines("[INFO]"))
		}
		var none error
		reason.Store(&none)
		a.reaches(t, b, "accepted")
		synctest.Wait()
		assert.Equal(t, 1, a.lines("[INFO]  member is reached again: member=b after=2h0m"))
		assert.Equal(t, 1, b.lines("[INFO]  member is accepted again: member=a after=2h0m"))
	})
}

// A member that does not keep up is reported when messages are first dropped, and when none wait any more.
func TestAFullQueueIsReportedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wire := newMemory()
		stuck := make(chan struct{})
		a := wire.start(t, "a", func(c *Config, _ *Endpoint) { c.Queue, c.Timeout = 10_000, 24*time.Hour })
		b := wire.start(t, "b", func(_ *Config, e *Endpoint) {
			inner := e.Receive
			e.Receive = func(from string, msg []byte) { <-stuck; inner(from, msg) }
		})
		for range 3_600 {
			a.Send("b", make([]byte, 1_000))
			time.Sleep(time.Second)
		}
		assert.Equal(t, 1, a.lines("[WARN]  member does not keep up"))
		close(stuck)
		a.reaches(t, b, "last")
		synctest.Wait()
		assert.Equal(t, 1, a.lines("[INFO]  member keeps up again: to=b after="))
		assert.Equal(t, 1, a.lines("[WARN]"))
	})
}

// failing is a listener or dialer that fails until it is repaired.
type failing struct {
	net.Listener
	err      atomic.Pointer[error]
	attempts atomic.Int64
}

// fail makes it fail with err, or work if err is nil.
func (f *failing) fail(err error) { f.err.Store(&err); f.attempts.Store(0) }

func (f *failing) failure(op string) error {
	f.attempts.Add(1)
	if err := *f.err.Load(); err != nil {
		return &net.OpError{Op: op, Net: "tcp", Err: os.NewSyscallError(op, err)}
	}
	return nil
}

func (f *failing) Accept() (net.Conn, error) {
	if err := f.failure("accept"); err != nil {
		return nil, err
	}
	return f.Listener.Accept()
}

var passingErrors = []syscall.Errno{syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM, syscall.EINTR, syscall.EAGAIN}

// Whatever makes Accept fail is waited out, with pauses that grow, and reported once.
func TestAFailingListenerIsWaitedFor(t *testing.T) {
	for _, errno := range passingErrors {
		synctest.Test(t, func(t *testing.T) {
			wire := newMemory()
			a := wire.start(t, "a", nil)
			listener := &failing{Listener: wire.listen("b")}
			listener.fail(errno)
			b := wire.startOn(t, "b", listener, nil)
			time.Sleep(time.Minute)
			assert.LessOrEqual(t, listener.attempts.Load(), int64(40), "%v", errno)
			assert.Equal(t, 1, b.lines("[WARN]  cannot accept connections"), "%v", errno)
			listener.fail(nil)
			a.reaches(t, b, "message")
			synctest.Wait()
			assert.Equal(t, 1, b.lines("[INFO]  connections are accepted again: after=1m"), "%v", errno)
			assert.Equal(t, 1, b.lines("[WARN]"), "%v", errno)
		})
	}
}

// A connection that is accepted ends the growth of the pauses of a listener that fails.
func TestAConnectionEndsTheLongPausesOfAListener(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wire := newMemory()
		listener := &failing{Listener: wire.listen("b")}
		listener.fail(syscall.EMFILE)
		wire.startOn(t, "b", listener, nil)
		time.Sleep(time.Minute)
		listener.fail(nil)
		time.Sleep(longestPause)
		listener.fail(syscall.EMFILE)
		_, err := wire.connect("a", "b") // Accept waits for it, and fails after it
		require.NoError(t, err)
		time.Sleep(4 * firstPause)
		assert.GreaterOrEqual(t, listener.attempts.Load(), int64(3))
	})
}

// Whatever makes dialling fail is waited out, with pauses that grow, and reported once.
func TestAFailingDialerIsWaitedFor(t *testing.T) {
	for _, errno := range passingErrors {
		synctest.Test(t, func(t *testing.T) {
			wire := newMemory()
			a, b := wire.start(t, "a", nil), wire.start(t, "b", nil)
			dialer := &failing{}
			dialer.fail(errno)
			dial := a.Transport.dial
			a.Transport.dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
				if err := dialer.failure("dial"); err != nil {
					return nil, err
				}
				return dial(ctx, network, addr)
			}
			a.sends("b", time.Minute)
			assert.LessOrEqual(t, dialer.attempts.Load(), int64(60), "%v", errno)
			assert.Equal(t, 1, a.lines("[WARN]"), "%v", errno)
			assert.Contains(t, a.log.String(), fmt.Sprintf("dial: %v", errno))
			dialer.fail(nil)
			a.reaches(t, b, "message")
			assert.Equal(t, 1, a.lines("[INFO]  member is reached again: member=b after="), "%v", errno)
		})
	}
}
