package smr

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"
)

// TCPConfig says how a TCP transport listens and what it bears with.
type TCPConfig struct {
	// Listen is the address to listen on, "host:port". Required. Port 0 takes a free one. What
	// the others dial is the member's Addr, which may differ.
	Listen string

	// TLS encrypts all connections, those that are dialled and those that are accepted, and says
	// who the other side is: its certificate must have the member's ID among its DNS names,
	// letter for letter, so neither another certificate of the same CA nor a wildcard will do.
	// Certificates are for client and server authentication, since a replica is both:
	//
	//	cert, err := tls.LoadX509KeyPair("a.crt", "a.key") // DNS name: a
	//	...
	//	ca := x509.NewCertPool()
	//	ca.AppendCertsFromPEM(pem)
	//	cfg.TLS = &tls.Config{
	//		Certificates: []tls.Certificate{cert},
	//		RootCAs:      ca, // who may sign a server's certificate
	//		ClientCAs:    ca, // who may sign a client's
	//		ClientAuth:   tls.RequireAndVerifyClientCert,
	//	}
	//
	// ServerName is set by the transport, InsecureSkipVerify is refused, and MinVersion is 1.3 if
	// zero. The config is copied. Nil: no encryption, and who reaches the port can claim to be
	// any member.
	TLS *tls.Config
	// AnyClient accepts connections without a client certificate, for a TLS whose ClientAuth
	// does not require one: only the side that dials knows whom it talks to, and who reaches the
	// port can claim to be any member.
	AnyClient bool

	// Queue is the bytes that may wait for one member; what comes above is dropped. Zero: 64 MiB.
	// Negative: refused.
	Queue int64
	// Timeout is how long a greeting may take, and how long a connection may make no progress
	// while something waits to go, before it is given up. Zero: 5 s. Negative: refused.
	Timeout time.Duration
}

// TCP is a Transport over TCP, with or without TLS. A member dials each member that it sends to,
// when it first sends; a connection carries messages one way. When one breaks it is dialled
// again, after 50 ms to 2 s, and what is sent meanwhile is dropped. Corrupted messages are
// noticed by checksum. Frames, greetings and queues are bounded, so that strangers who reach the
// port cost a bounded amount of memory.
type TCP struct {
	cfg      TCPConfig
	listener net.Listener
	endpoint Endpoint // set once by Open
	warnings rareWarnings

	stopping context.Context // ends when Close begins
	stop     context.CancelFunc
	closing  sync.Once
	writers  sync.WaitGroup // goroutines of peers
	others   sync.WaitGroup // all other goroutines

	mu       sync.RWMutex
	open     bool                  // between Open and Close
	closed   bool                  // Close has begun
	peers    map[ID]*tcpPeer       // those sent to
	conns    map[net.Conn]struct{} // all that are not closed
	greeting []net.Conn            // accepted and not yet known, oldest first; at most maxGreeting
	accepted map[ID]net.Conn       // those that messages come from; at most maxAccepted
}

// ListenTCP returns a transport that listens already, so a port in use is an error here. What
// connects waits until Open. Close ends it even if it was never opened.
func ListenTCP(cfg TCPConfig) (*TCP, error) {
	if err := cfg.complete(); err != nil {
		return nil, err
	}
	config := net.ListenConfig{KeepAliveConfig: cfg.keepAlive()}
	listener, err := config.Listen(context.Background(), "tcp", cfg.Listen)
	if err != nil {
		return nil, fmt.Errorf("smr: cannot listen: %w", err)
	}
	t := &TCP{
		cfg:      cfg,
		listener: listener,
		peers:    map[ID]*tcpPeer{},
		conns:    map[net.Conn]struct{}{},
		accepted: map[ID]net.Conn{},
	}
	t.stopping, t.stop = context.WithCancel(context.Background())
	return t, nil
}

// complete checks the configuration and puts defaults for zeros.
func (c *TCPConfig) complete() error {
	switch {
	case c.Listen == "":
		return errors.New(`smr: TCPConfig.Listen is empty: give "host:port"`)
	case c.Queue < 0:
		return fmt.Errorf("smr: TCPConfig.Queue is %d: it must not be negative", c.Queue)
	case c.Timeout < 0:
		return fmt.Errorf("smr: TCPConfig.Timeout is %v: it must not be negative", c.Timeout)
	}
	if c.Queue == 0 {
		c.Queue = 64 << 20
	}
	if c.Timeout == 0 {
		c.Timeout = 5 * time.Second
	}
	return c.completeTLS()
}

// keepAlive notices on an idle connection that the other machine is gone.
func (c *TCPConfig) keepAlive() net.KeepAliveConfig {
	return net.KeepAliveConfig{Enable: true, Idle: c.Timeout, Interval: c.Timeout, Count: 3}
}

// Addr returns the address that it listens on.
func (t *TCP) Addr() net.Addr { return t.listener.Addr() }

// Open implements Transport.
func (t *TCP) Open(e Endpoint) error {
	if err := e.check(); err != nil {
		return err
	}
	if err := t.cfg.checkOwnName(e.ID); err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.open || t.closed {
		return errors.New("smr: a transport opens once: make another")
	}
	t.endpoint, t.warnings.log = e, e.Logger
	t.open = true
	t.others.Go(t.accept)
	return nil
}

// Send implements Transport. It keeps the order of messages to one member.
func (t *TCP) Send(to ID, msg []byte) {
	if p := t.peer(to); p != nil {
		p.send(msg)
	}
}

// peer returns the sending side to the member, making it if need be, or nil if there can be none.
func (t *TCP) peer(to ID) *tcpPeer {
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
		p = newTCPPeer(t, to)
		t.peers[to] = p
		t.writers.Go(p.run)
	}
	return p
}

// closeGrace is how long Close lets messages go that wait on a working connection: the last words
// of a replica that hands over.
const closeGrace = 100 * time.Millisecond

// Close implements Transport. It takes up to 100 ms for messages that wait already.
func (t *TCP) Close() error {
	t.closing.Do(t.close)
	return nil
}

func (t *TCP) close() {
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

// track takes a new connection into the books, so that Close ends it; false: it is closed.
func (t *TCP) track(raw net.Conn) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		raw.Close()
		return false
	}
	t.conns[raw] = struct{}{}
	return true
}

// release closes a connection and takes it out of the books.
func (t *TCP) release(raw net.Conn) {
	raw.Close()
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.conns, raw)
}

func (t *TCP) closeConns() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for raw := range t.conns {
		raw.Close()
	}
}
