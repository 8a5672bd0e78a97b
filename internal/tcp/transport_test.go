package tcp

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// group is a few members on loopback, whose addresses a test may bend.
type group struct {
	mu    sync.Mutex
	addrs map[string]string
}

func newGroup() *group { return &group{addrs: map[string]string{}} }

func (g *group) addr(id string) string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.addrs[id]
}

func (g *group) move(id string, addr string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.addrs[id] = addr
}

// member is one of them; it knows what it has received and logged.
type member struct {
	*Transport
	id  string
	log logText

	mu  sync.Mutex
	got map[string]int // how often a message came
}

// logText is a log that is read while it is written.
type logText struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logText) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logText) clear() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text.Reset()
}

func (l *logText) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// newMember returns a member that has no transport yet, and what it is made of.
func newMember(id string, addr func(id string) string) (*member, Config, Endpoint) {
	m := &member{id: id, got: map[string]int{}}
	return m, Config{Listen: "127.0.0.1:0"}, Endpoint{
		ID:         id,
		Addr:       addr,
		MaxMessage: 1 << 20,
		Hello:      func() []byte { return []byte(id) },
		Check:      func(string, []byte) error { return nil },
		Receive:    m.receive,
		Logger:     hclog.New(&hclog.LoggerOptions{Output: &m.log, Level: hclog.Debug}),
	}
}

// start opens a member on loopback; change, if not nil, alters what it is made of.
func (g *group) start(t *testing.T, id string, change func(c *Config, e *Endpoint)) *member {
	m, cfg, e := newMember(id, g.addr)
	if change != nil {
		change(&cfg, &e)
	}
	transport, err := Listen(cfg)
	require.NoError(t, err)
	m.Transport = transport
	require.NoError(t, transport.Open(e))
	t.Cleanup(func() { assert.NoError(t, transport.Close()) })
	g.move(id, transport.Addr().String())
	return m
}

func (m *member) receive(_ string, msg []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.got[string(msg)]++
}

func (m *member) has(msg string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.got[msg] > 0
}

func (m *member) received() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.got)
}

// eventually waits for a condition for 5,000 ticks of 2 ms, which a busy machine delays as well as what they wait for.
func eventually(t *testing.T, condition func() bool, text string, args ...any) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for range 5_000 {
		if condition() {
			return
		}
		<-tick.C
	}
	t.Fatalf("after 5,000 ticks: "+text, args...)
}

// reaches sends a message until it has come.
func (m *member) reaches(t *testing.T, to *member, msg string) {
	t.Helper()
	eventually(t, func() bool { m.Send(to.id, []byte(msg)); return to.has(msg) },
		"%q has not come from %s to %s", msg, m.id, to.id)
}

// says waits for a line in the log, while a message is sent again and again.
func (m *member) says(t *testing.T, line string, trying func()) {
	t.Helper()
	eventually(t, func() bool { trying(); return strings.Contains(m.log.String(), line) }, "%s has not logged %q", m.id, line)
}

func TestListenTCPRefusesABadConfig(t *testing.T) {
	for want, cfg := range map[string]Config{
		"Listen is empty":           {},
		"Queue is -1":               {Listen: "127.0.0.1:0", Queue: -1},
		"Timeout is -1ns":           {Listen: "127.0.0.1:0", Timeout: -1},
		"cannot listen: listen tcp": {Listen: "127.0.0.1:no such port"},
		"AnyClient is set, but TLS": {Listen: "127.0.0.1:0", AnyClient: true},
	} {
		_, err := Listen(cfg)
		assert.ErrorContains(t, err, want)
	}
}

func TestAPortInUseIsAnErrorOfListenTCP(t *testing.T) {
	first, err := Listen(Config{Listen: "127.0.0.1:0"})
	require.NoError(t, err)
	_, err = Listen(Config{Listen: first.Addr().String()})
	assert.ErrorContains(t, err, first.Addr().String())
	require.NoError(t, first.Close(), "without Open")
	again, err := Listen(Config{Listen: first.Addr().String()})
	require.NoError(t, err)
	require.NoError(t, again.Close())
	assert.ErrorContains(t, again.Open(Endpoint{ID: "a", MaxMessage: 1, Addr: newGroup().addr, Receive: func(string, []byte) {}}), "opened only once")
}

func TestTCPIsQuietWhenAllIsWell(t *testing.T) {
	g := newGroup()
	a, b := g.start(t, "a", nil), g.start(t, "b", nil)
	a.reaches(t, b, "to b")
	b.reaches(t, a, "to a")
	require.NoError(t, a.Close())
	b.says(t, "connection ended", func() {})
	require.NoError(t, b.Close())
	assert.NotContains(t, a.log.String()+b.log.String(), "[WARN]")
	assert.NotContains(t, a.log.String()+b.log.String(), "[ERROR]")
}

// What was sent before Close still goes, on a connection that works.
func TestTCPSaysItsLastWords(t *testing.T) {
	g := newGroup()
	a, b := g.start(t, "a", nil), g.start(t, "b", nil)
	a.reaches(t, b, "first")
	for i := range 100 {
		a.Send("b", fmt.Append(nil, i))
	}
	require.NoError(t, a.Close())
	eventually(t, func() bool { return b.received() == 101 }, "b has %d messages of 101", b.received())
}

func TestTCPRedialsAMemberThatRestarts(t *testing.T) {
	g := newGroup()
	a, b := g.start(t, "a", nil), g.start(t, "b", nil)
	a.reaches(t, b, "before")
	addr := b.Addr().String()
	require.NoError(t, b.Close())
	a.says(t, "connection to member broke", func() {})
	a.says(t, "connection refused", func() { a.Send("b", []byte("lost")) })
	again := g.start(t, "b", func(c *Config, _ *Endpoint) { c.Listen = addr })
	a.reaches(t, again, "after")
	assert.False(t, again.has("lost"), "what was sent meanwhile is dropped")
}

func TestARefusalStandsInBothLogs(t *testing.T) {
	refuse := func(who string) func(string, []byte) error {
		return func(from string, hello []byte) error {
			if from == who {
				return fmt.Errorf("%s of another group, which greets %q", from, hello)
			}
			return nil
		}
	}
	for name, refused := range map[string]string{"the one that dials": "a", "the one that accepts": "b"} {
		t.Run(name, func(t *testing.T) {
			g := newGroup()
			check := func(_ *Config, e *Endpoint) { e.Check = refuse(refused) }
			a, b := g.start(t, "a", check), g.start(t, "b", check)
			reason := fmt.Sprintf(`%s of another group, which greets \"%s\"`, refused, refused)
			send := func() { a.Send("b", []byte("no")) }
			a.says(t, reason, send)
			b.says(t, reason, send)
			assert.Zero(t, b.received())
			assert.Contains(t, a.log.String()+b.log.String(), "refused by the other side")
			assert.Equal(t, 1, strings.Count(a.log.String(), "[WARN]"), "rate-limited: %s", &a.log)
		})
	}
}

func TestAWrongAddressIsRefused(t *testing.T) {
	g := newGroup()
	a, c := g.start(t, "a", nil), g.start(t, "c", nil)
	g.move("b", c.Addr().String())
	g.move("d", a.Addr().String())
	send := func() { a.Send("b", []byte("no")) }
	for _, m := range []*member{a, c} {
		m.says(t, `\"b\" was dialled, and this is \"c\": check the members' addresses`, send)
	}
	assert.Zero(t, c.received())
}

func TestTwoReplicasOfOneID(t *testing.T) {
	g := newGroup()
	first := g.start(t, "a", nil)
	raw, err := net.Dial("tcp", first.Addr().String())
	require.NoError(t, err)
	defer raw.Close()
	c := greetRaw(t, raw, "a", "a")
	_, err = c.readAnswer()
	assert.ErrorContains(t, err, "two replicas have it")
}

func TestOrdinaryErrors(t *testing.T) {
	assert.True(t, ordinary(fmt.Errorf("TLS: %w", net.ErrClosed)))
	assert.True(t, ordinary(&net.OpError{Op: "dial", Err: errors.New("refused")}))
	assert.False(t, ordinary(&net.OpError{Op: "remote error", Err: errors.New("tls: bad certificate")}))
	assert.False(t, ordinary(&net.OpError{Op: "dial", Err: os.NewSyscallError("socket", syscall.EMFILE)}))
	assert.False(t, ordinary(&frameError{"damaged"}))
	assert.False(t, ordinary(&refusal{reason: "no"}))
}
