package tcp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/smr-go/smr/internal/ratelog"
)

// Endpoint is smr.Endpoint, which documents most fields, with strings for IDs. Hello and Check may be nil.
type Endpoint struct {
	ID         string
	Addr       func(id string) string
	MaxMessage int
	Hello      func() []byte
	Check      func(from string, hello []byte) error
	Receive    func(from string, msg []byte)
	Logger     hclog.Logger

	Ahead      func(msg []byte) bool            // whether a message goes ahead of others that wait; nil: none does
	Supersedes func(later, earlier []byte) bool // whether one such message makes an earlier one superfluous; nil: none does
}

// hello returns the greeting of the Endpoint, or nil if it has none.
func (e *Endpoint) hello() []byte {
	if e.Hello == nil {
		return nil
	}
	return e.Hello()
}

// member reports whether id is this replica's, or that of a member that has an address here.
func (t *Transport) member(id string) bool {
	return id == t.endpoint.ID || t.endpoint.Addr(id) != ""
}

// checkHello returns the reason to refuse a greeting, or nil.
func (e *Endpoint) checkHello(from string, hello []byte) error {
	if e.Check == nil {
		return nil
	}
	return e.Check(from, hello)
}

// dialFunc is the type of net.Dialer.DialContext.
type dialFunc func(ctx context.Context, network, addr string) (net.Conn, error)

// Transport is smr.TCP, which documents it.
type Transport struct {
	cfg      Config
	listener net.Listener
	dial     dialFunc
	endpoint Endpoint // set once by Open
	warnings ratelog.Warnings

	stopping context.Context // ends when Close begins
	stop     context.CancelFunc
	closing  sync.Once
	writers  sync.WaitGroup // goroutines of peers
	others   sync.WaitGroup // all other goroutines

	mu       sync.RWMutex
	open     bool                  // between Open and Close
	closed   bool                  // Close has begun
	peers    map[string]*peer      // of members to which messages were sent
	conns    map[net.Conn]struct{} // all open connections
	greeting []net.Conn            // accepted connections that have not greeted yet, oldest first; at most maxGreeting
	accepted map[string]net.Conn   // the connection on which each member sends
	refused  map[string]*trouble   // of members
}

// Listen is smr.ListenTCP.
func Listen(cfg Config) (*Transport, error) {
	if err := cfg.complete(); err != nil {
		return nil, err
	}
	config := net.ListenConfig{KeepAliveConfig: cfg.keepAlive()}
	listener, err := config.Listen(context.Background(), "tcp", cfg.Listen)
	if err != nil {
		return nil, fmt.Errorf("smr: cannot listen: %w", err)
	}
	dialer := net.Dialer{Timeout: min(dialTimeout, cfg.Timeout), KeepAliveConfig: cfg.keepAlive()}
	return newTransport(cfg, listener, dialer.DialContext), nil
}

// newTransport returns a transport with a complete configuration, which accepts from listener and dials with dial.
func newTransport(cfg Config, listener net.Listener, dial dialFunc) *Transport {
	t := &Transport{
		cfg:      cfg,
		listener: listener,
		dial:     dial,
		peers:    map[string]*peer{},
		conns:    map[net.Conn]struct{}{},
		accepted: map[string]net.Conn{},
		refused:  map[string]*trouble{},
	}
	t.stopping, t.stop = context.WithCancel(context.Background())
	return t
}

// Addr returns the address on which the transport listens.
func (t *Transport) Addr() net.Addr { return t.listener.Addr() }

// Open starts carrying messages. It fails if the configured certificate does not name the endpoint's ID, or
// names another member too, and if the transport was opened or closed before.
func (t *Transport) Open(e Endpoint) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.open || t.closed {
		return errors.New("smr: a transport can be opened only once: create another")
	}
	t.endpoint, t.warnings.Log = e, e.Logger
	if err := t.checkOwnName(e.ID); err != nil {
		return err
	}
	t.open = true
	t.others.Go(t.accept)
	return nil
}

// Send queues msg for a member, or drops it. The order of messages to one member is preserved among those that go ahead,
// and among all others.
func (t *Transport) Send(to string, msg []byte) {
	if p := t.peer(to); p != nil {
		p.send(msg)
	}
}

// peer returns the sending side to a member, which it starts if necessary. It returns nil if the transport
// is not open, or if the member is this replica.
func (t *Transport) peer(to string) *peer {
	t.mu.RLock()
	p, open := t.peers[to], t.open
	t.mu.RUnlock()
	if p != nil && open {
		return p
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.open || to == t.endpoint.ID {
		return nil
	}
	if p = t.peers[to]; p == nil {
		p = newPeer(t, to)
		t.peers[to] = p
		t.writers.Go(p.run)
	}
	return p
}

// closeGrace is the time that Close gives queued messages to be sent. The last messages of a replica that
// hands over its role are among them.
const closeGrace = 100 * time.Millisecond

// Close stops the transport. It gives messages that are already queued up to 100 ms to be sent.
func (t *Transport) Close() error {
	t.closing.Do(t.close)
	return nil
}

// close is Close, called once.
func (t *Transport) close() {
	t.mu.Lock()
	t.open, t.closed = false, true
	t.mu.Unlock()
	t.stop()
	t.listener.Close()
	sent := make(chan struct{})
	go func() {
		t.writers.Wait()
		close(sent)
	}()
	select {
	case <-sent:
	case <-time.After(closeGrace):
	}
	t.closeConns()
	<-sent
	t.others.Wait()
}

// track records a new connection, so that Close closes it. If Close has begun, it closes the connection and
// reports false.
func (t *Transport) track(raw net.Conn) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		raw.Close()
		return false
	}
	t.conns[raw] = struct{}{}
	return true
}

// release closes a connection and forgets it.
func (t *Transport) release(raw net.Conn) {
	raw.Close()
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.conns, raw)
}

// closeConns closes all connections.
func (t *Transport) closeConns() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for raw := range t.conns {
		raw.Close()
	}
}
