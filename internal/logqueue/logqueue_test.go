package logqueue

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// sink is the output of a logger. It writes nothing while it is blocked.
type sink struct {
	mu      sync.Mutex
	text    strings.Builder
	blocked chan struct{} // nil: not blocked; closed: not any more
}

func (s *sink) Write(b []byte) (int, error) {
	if s.blocked != nil {
		<-s.blocked
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(b)
}

func (s *sink) lines() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Split(strings.TrimSuffix(s.text.String(), "\n"), "\n")
}

// in runs f in virtual time with a Logger in front of one at level Info, which writes to s.
func in(t *testing.T, s *sink, f func(t *testing.T, l *Logger)) {
	synctest.Test(t, func(t *testing.T) {
		if s.blocked != nil {
			s.blocked = make(chan struct{}) // of the bubble
		}
		f(t, New(hclog.New(&hclog.LoggerOptions{Name: "smr", Level: hclog.Info, Output: s, DisableTime: true})))
	})
}

// Lines reach the logger in order, with the names, arguments and levels that they were logged with.
func TestLinesAreWritten(t *testing.T) {
	s := &sink{}
	in(t, s, func(t *testing.T, l *Logger) {
		l.Trace("below the level")
		l.Debug("below the level")
		l.Info("info", "n", 1, "text", "a b")
		l.With("replica", "a").Named("tcp").Warn("warn", "error", errors.New("broken"), "list", []string{"x", "y"})
		l.ResetNamed("other").Error("error", "formatted", hclog.Fmt("%d of %d", 1, 2), "bytes", []byte{1, 2})
		l.Log(hclog.Info, "log", "none", nil, "late", time.Second)
		l.StandardLogger(&hclog.StandardLoggerOptions{InferLevels: true}).Print("[WARN] standard")
		l.StandardLogger(nil).Print("standard")
		l.SetLevel(hclog.Debug)
		l.Debug("debug")
		l.Stop()
		require.Equal(t, []string{
			`[INFO]  smr: info: n=1 text="a b"`,
			`[WARN]  smr.tcp: warn: replica=a error=broken list=["x", "y"]`,
			`[ERROR] other: error: formatted="1 of 2" bytes="[1 2]"`,
			`[INFO]  smr: log: none=<nil> late=1s`,
			`[WARN]  smr: standard`,
			`[INFO]  smr: standard`,
			`[DEBUG] smr: debug`,
		}, s.lines())
	})
}

// The sinks of an InterceptLogger receive lines below its level, as without the queue.
func TestSinksReceiveAllLevels(t *testing.T) {
	s := &sink{}
	intercept := hclog.NewInterceptLogger(&hclog.LoggerOptions{Level: hclog.Off})
	intercept.RegisterSink(hclog.NewSinkAdapter(&hclog.LoggerOptions{Level: hclog.Trace, Output: s, DisableTime: true}))
	l := New(intercept)
	l.Trace("trace")
	l.Stop()
	require.Equal(t, []string{"[TRACE] trace"}, s.lines())
}

// A caller may change what it logged as soon as the method returns.
func TestArgumentsAreCopied(t *testing.T) {
	s := &sink{blocked: make(chan struct{})}
	in(t, s, func(t *testing.T, l *Logger) {
		list, bytes, args := []string{"before"}, []byte("before"), []any{"n", 1}
		l.Info("first")
		synctest.Wait()
		l.Info("second", "list", list, "bytes", bytes, "pointer", &list)
		l.Info("third", args...)
		list[0], args[1] = "after", 2
		copy(bytes, "after!")
		close(s.blocked)
		l.Stop()
		require.Equal(t, []string{`[INFO]  smr: first`,
			`[INFO]  smr: second: list=["before"] bytes="[98 101 102 111 114 101]" pointer="&[before]"`,
			`[INFO]  smr: third: n=1`}, s.lines())
	})
}

// While the logger is blocked, lines wait up to the limit. Those that do not fit are dropped and counted, and a line that
// waited states for how long.
func TestABlockedLoggerBlocksNobody(t *testing.T) {
	s := &sink{blocked: make(chan struct{})}
	in(t, s, func(t *testing.T, l *Logger) {
		l.Info("first")
		synctest.Wait()
		began := time.Now()
		const size, more = 1000, 50
		held := 0
		for used := overhead + len("first"); used+overhead+size <= limit; used += overhead + size {
			held++
		}
		for range held + more {
			l.Info(strings.Repeat("x", size-6), "n", "12345")
		}
		require.Equal(t, began, time.Now())
		time.Sleep(10 * time.Second)
		close(s.blocked)
		synctest.Wait()
		lines := s.lines()
		require.Equal(t, 1+held+1, len(lines))
		assert.Contains(t, lines[1], `x: n=12345 delayed=10s`)
		assert.Equal(t, fmt.Sprintf("[WARN]  smr: %d lines of the log were dropped: the logger was too slow", more),
			lines[1+held])
		l.Info("room again")
		l.Stop()
		assert.Equal(t, "[INFO]  smr: room again", s.lines()[1+held+1])
		l.Info("after Stop")
	})
}

// Stop waits a second for a blocked logger. Nothing is written later, because the logger's owner may have closed it.
func TestStopDoesNotWaitForABlockedLogger(t *testing.T) {
	s := &sink{blocked: make(chan struct{})}
	in(t, s, func(t *testing.T, l *Logger) {
		l.Info("first")
		l.Info("second")
		began := time.Now()
		l.Stop()
		require.Equal(t, patience, time.Since(began))
		close(s.blocked)
		<-l.done
		require.Equal(t, []string{"[INFO]  smr: first"}, s.lines())
	})
}
