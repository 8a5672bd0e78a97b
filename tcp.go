package smr

import (
	"crypto/tls"
	"net"
	"time"

	"github.com/smr-go/smr/internal/tcp"
	"github.com/smr-go/smr/internal/wire"
)

// TCPConfig configures a TCP transport.
type TCPConfig struct {
	// Listen is the address to listen on, "host:port". Port 0 picks a free port. The other members
	// dial Member.Addr, which may differ. Required.
	Listen string

	// TLS, if set, encrypts all connections and authenticates both sides of each. The certificate of
	// a member must have the member's ID among its DNS names, letter for letter, or among its IP
	// addresses if the ID is one, and no other member's ID: neither another certificate of the same
	// CA, nor a wildcard, nor a certificate for several members is accepted. A replica is both client
	// and server, so its certificate must permit both:
	//
	//	cert, err := tls.LoadX509KeyPair("a.crt", "a.key") // DNS name: a
	//	...
	//	ca := x509.NewCertPool()
	//	ca.AppendCertsFromPEM(pem)
	//	cfg.TLS = &tls.Config{
	//		Certificates: []tls.Certificate{cert},
	//		RootCAs:      ca, // signs the certificates of servers
	//		ClientCAs:    ca, // signs the certificates of clients
	//		ClientAuth:   tls.RequireAndVerifyClientCert,
	//	}
	//
	// The transport copies the config, sets ServerName, and refuses InsecureSkipVerify. A MinVersion
	// of zero means TLS 1.3. Nil: no encryption, and every program that reaches the port can claim
	// to be any member.
	TLS *tls.Config
	// AnyClient accepts connections without a client certificate. It requires a TLS whose ClientAuth
	// does not demand one. Then only the dialling side knows the identity of the other, and every
	// program that reaches the port can claim to be any member.
	AnyClient bool

	// Queue is the number of bytes that may be waiting to be sent to one member. Further messages to
	// that member are dropped. A message larger than Queue is sent if no other message is waiting.
	// Heartbeats and other short messages have a queue of 1 MiB to themselves.
	// Zero: 64 MiB. Negative: refused.
	Queue int64
	// Timeout is the time within which a new connection must have exchanged greetings. It is also the
	// time after which a connection is closed if data is waiting to be sent and none is acknowledged,
	// or if a message has begun to arrive and no more of it comes. A connection that is slow and makes
	// progress is not closed. Zero: 5 s. Negative: refused.
	Timeout time.Duration
}

// TCP is a Transport over TCP, with or without TLS. A member dials every member to which it sends, at
// the first message; each connection carries messages in one direction. After a connection breaks the
// member dials again, with pauses that grow from 50 ms to 2 s, and drops messages until then. A
// checksum detects corrupted messages. Frames, greetings and queues are bounded, so strangers that reach
// the port cost a bounded amount of memory, and take no place of a member that has an address. Its methods
// may be called concurrently.
type TCP struct{ carrier *tcp.Transport }

// ListenTCP returns a TCP transport that is already listening, so it fails if the port is in use.
// Connections wait until Open accepts them. Close releases the port, also of a transport that was never
// opened. ListenTCP returns an error for an invalid or insecure configuration.
func ListenTCP(cfg TCPConfig) (*TCP, error) {
	carrier, err := tcp.Listen(tcp.Config(cfg))
	if err != nil {
		return nil, err
	}
	return &TCP{carrier}, nil
}

// Addr returns the address on which the transport listens.
func (t *TCP) Addr() net.Addr { return t.carrier.Addr() }

// Open implements Transport. It fails if the certificate of TCPConfig.TLS does not name the Endpoint's
// ID, or names another member too, and if the transport was opened or closed before.
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
		Ahead:      wire.Ahead,
		Supersedes: wire.Supersedes,
	}
	if e.Check != nil {
		plain.Check = func(from string, hello []byte) error { return e.Check(ID(from), hello) }
	}
	return t.carrier.Open(plain)
}

// Send implements Transport. The order of messages to one member is preserved, except that short messages
// of a replica, such as heartbeats and acknowledgements, go ahead of its entries and snapshots.
func (t *TCP) Send(to ID, msg []byte) { t.carrier.Send(string(to), msg) }

// Close implements Transport. It gives messages that are already queued up to 100 ms to be sent, and
// returns nil.
func (t *TCP) Close() error { return t.carrier.Close() }
