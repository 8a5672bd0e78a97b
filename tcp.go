package smr

import (
	"crypto/tls"
	"net"
	"time"

	"github.com/smr-go/smr/internal/tcp"
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
type TCP struct{ carrier *tcp.Transport }

// ListenTCP returns a transport that listens already, so a port in use is an error here. What
// connects waits until Open. Close ends it even if it was never opened.
func ListenTCP(cfg TCPConfig) (*TCP, error) {
	carrier, err := tcp.Listen(tcp.Config(cfg))
	if err != nil {
		return nil, err
	}
	return &TCP{carrier}, nil
}

// Addr returns the address that it listens on.
func (t *TCP) Addr() net.Addr { return t.carrier.Addr() }

// Open implements Transport.
func (t *TCP) Open(e Endpoint) error {
	if err := e.check(); err != nil {
		return err
	}
	plain := tcp.Endpoint{
		ID:         string(e.ID),
		Addr:       func(id string) string { return e.Addr(ID(id)) },
		MaxMessage: e.MaxMessage,
		Hello:      e.Hello,
		Receive:    func(from string, msg []byte) { e.Receive(ID(from), msg) },
		Logger:     e.Logger,
	}
	if e.Check != nil {
		plain.Check = func(from string, hello []byte) error { return e.Check(ID(from), hello) }
	}
	return t.carrier.Open(plain)
}

// Send implements Transport. It keeps the order of messages to one member.
func (t *TCP) Send(to ID, msg []byte) { t.carrier.Send(string(to), msg) }

// Close implements Transport. It takes up to 100 ms for messages that wait already.
func (t *TCP) Close() error { return t.carrier.Close() }
