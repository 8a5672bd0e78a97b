package tcp

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr/internal/tcp/tcptest"
)

func withTLS(config *tls.Config) func(*Config, *Endpoint) {
	return func(c *Config, _ *Endpoint) { c.TLS = config }
}

// presenting makes a config whose certificate comes from callbacks, where Open does not see it.
func presenting(config *tls.Config) *tls.Config {
	cert := config.Certificates[0]
	config.Certificates = nil
	config.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &cert, nil }
	config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &cert, nil }
	return config
}

func TestListenTCPRefusesAnUnsafeTLS(t *testing.T) {
	ca := tcptest.NewCA(t)
	for want, change := range map[string]func(c *Config){
		"InsecureSkipVerify is set":              func(c *Config) { c.TLS.InsecureSkipVerify = true },
		"TLS.ClientAuth is NoClientCert":         func(c *Config) { c.TLS.ClientAuth = tls.NoClientCert },
		"TLS.ClientAuth is RequireAnyClientCert": func(c *Config) { c.TLS.ClientAuth = tls.RequireAnyClientCert },
		"ClientAuth requires a certificate":      func(c *Config) { c.AnyClient = true },
		"TLS.ClientCAs is nil":                   func(c *Config) { c.TLS.ClientCAs = nil },
		"TLS has no certificate":                 func(c *Config) { c.TLS.Certificates = nil },
	} {
		cfg := Config{Listen: "127.0.0.1:0", TLS: ca.Mutual(t, "a")}
		change(&cfg)
		_, err := Listen(cfg)
		assert.ErrorContains(t, err, want)
	}
}

func TestOpenRefusesACertificateOfAnotherName(t *testing.T) {
	ca := tcptest.NewCA(t)
	for want, c := range map[string]struct {
		id    string
		names []string
	}{
		`has the names ["b" "*.example"], and this replica is "a.example": it needs a certificate with that DNS name`: {
			"a.example", []string{"b", "*.example"}},
		`has the names ["b"], and this replica is "10.0.0.1": it needs a certificate with that IP address`: {
			"10.0.0.1", []string{"b"}},
		`the ID "fd00::0:1" is an IP address, which TLS writes as "fd00::1"`:           {"fd00::0:1", []string{"fd00::1"}},
		`the ID "[fd00::1]" is an IP address, which TLS writes as "fd00::1"`:           {"[fd00::1]", []string{"fd00::1"}},
		`names the members ["a" "b"]: give each member a certificate of its own`:       {"a", []string{"b", "a", "host"}},
		`names the members ["a" "fd00::1"]: give each member a certificate of its own`: {"a", []string{"fd00::1", "a"}},
	} {
		transport, err := Listen(Config{Listen: "127.0.0.1:0", TLS: ca.Mutual(t, c.names...)})
		require.NoError(t, err)
		g := newGroup()
		g.move("b", "somewhere")
		g.move("fd00::1", "somewhere")
		assert.ErrorContains(t, transport.Open(Endpoint{ID: c.id, Addr: g.addr}), want)
		require.NoError(t, transport.Close())
	}
}

// An ID that is an IP address must be an IP address of the certificate: TLS does not look for it elsewhere.
func TestAnIDMayBeAnIPAddress(t *testing.T) {
	assert.Equal(t, []string{"a", "10.0.0.2"}, names(&x509.Certificate{
		DNSNames: []string{"10.0.0.1", "a", "[fd00::1]"}, IPAddresses: []net.IP{net.ParseIP("10.0.0.2")}}))
	ca := tcptest.NewCA(t)
	g := newGroup()
	a, b := g.start(t, "10.0.0.1", withTLS(ca.Mutual(t, "10.0.0.1"))), g.start(t, "fd00::1", withTLS(ca.Mutual(t, "fd00::1", "b")))
	a.reaches(t, b, "to b")
	b.reaches(t, a, "to a")
}

// Each case is a replica that claims to be x.example, with a certificate that must not do, and a replica a.example
// with a right one. Nothing passes either way, and both logs say why.
func TestACertificateMustNameTheMember(t *testing.T) {
	const right, claimed = "a.example", "x.example"
	ca, stranger := tcptest.NewCA(t), tcptest.NewCA(t)
	wrongCA := stranger.Mutual(t, claimed)
	wrongCA.RootCAs = ca.Pool
	for name, c := range map[string]struct {
		config       *tls.Config
		dials, taken string // in the right one's log, when it dials and when it accepts
	}{
		"another member's": {ca.Mutual(t, "b.example"), "certificate is valid for b.example, not x.example",
			`has the names [\"b.example\"], not the DNS name \"x.example\"`},
		"a wildcard": {ca.Mutual(t, "*.example"), `has the names [\"*.example\"], not the DNS name \"x.example\"`,
			`has the names [\"*.example\"], not the DNS name \"x.example\"`},
		"several members'": {ca.Mutual(t, "x.example", "a.example"), `names the members [\"a.example\" \"x.example\"]`,
			`names the members [\"a.example\" \"x.example\"]`},
		"another CA's": {wrongCA, "certificate signed by unknown authority", "certificate signed by unknown authority"},
	} {
		t.Run(name, func(t *testing.T) {
			g := newGroup()
			a := g.start(t, right, withTLS(ca.Mutual(t, right)))
			x := g.start(t, claimed, withTLS(presenting(c.config)))
			a.says(t, c.dials, func() { a.Send(claimed, []byte("to x")) })
			a.log.clear()
			a.says(t, c.taken, func() { x.Send(right, []byte("from x")) })
			x.says(t, "[WARN]", func() {})
			assert.Zero(t, a.received()+x.received())
		})
	}
}

// Strangers that Check allows take a limited number of places, whatever names their certificate has, and never one of a
// member.
func TestStrangersTakeNoPlaceOfAMember(t *testing.T) {
	ca := tcptest.NewCA(t)
	g := newGroup()
	a, b := g.start(t, "a", withTLS(ca.Mutual(t, "a"))), g.start(t, "b", withTLS(ca.Mutual(t, "b")))
	b.reaches(t, a, "before")
	var claims []string
	for i := range maxStrangers + 1 {
		claims = append(claims, fmt.Sprint("x", i))
	}
	config := ca.Mutual(t, claims...)
	config.ServerName = "a"
	dial := func() net.Conn {
		raw, err := tls.Dial("tcp", a.Addr().String(), config)
		require.NoError(t, err)
		t.Cleanup(func() { raw.Close() })
		return raw
	}
	for i, claim := range claims {
		last := talk(t, dial(), claim, "a")
		if i == maxStrangers {
			a.says(t, "64 that have no address here are connected already", func() {})
			last.ended(t)
			break
		}
		last.say(t, claim)
		eventually(t, func() bool { return a.has(claim) }, "%q is not connected", claim)
	}
	_, err := greetRaw(t, dial(), "b", "a").readAnswer()
	assert.ErrorContains(t, err, `not the DNS name "b"`)
	g.start(t, "c", withTLS(ca.Mutual(t, "c"))).reaches(t, a, "a member that starts now")
	b.reaches(t, a, "after")
	assert.Equal(t, 1, strings.Count(b.log.String(), "connected to member"))
}

func TestAReplicaWithoutAClientCertificateIsRefused(t *testing.T) {
	ca := tcptest.NewCA(t)
	g := newGroup()
	a := g.start(t, "a", withTLS(ca.Mutual(t, "a")))
	x := g.start(t, "x", func(c *Config, _ *Endpoint) {
		c.TLS = ca.Mutual(t, "x")
		c.TLS.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &tls.Certificate{}, nil }
	})
	send := func() { x.Send("a", []byte("no")) }
	a.says(t, "client didn't provide a certificate", send)
	x.says(t, "certificate required", send)
	assert.Zero(t, a.received())
}

// A callback that asks for no certificate does not open the door.
func TestClientAuthCannotBeUndoneByACallback(t *testing.T) {
	ca := tcptest.NewCA(t)
	g := newGroup()
	a := g.start(t, "a", func(c *Config, _ *Endpoint) {
		c.TLS = ca.Mutual(t, "a")
		lax := &tls.Config{Certificates: c.TLS.Certificates}
		c.TLS.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) { return lax, nil }
	})
	x := g.start(t, "x", withTLS(ca.Mutual(t, "x")))
	a.says(t, `\"x\" has no verified certificate`, func() { x.Send("a", []byte("no")) })
	assert.Zero(t, a.received())
}

func TestTLSWithoutClientCertificates(t *testing.T) {
	ca := tcptest.NewCA(t)
	anyClient := func(id string, roots *x509.CertPool) func(*Config, *Endpoint) {
		return func(c *Config, _ *Endpoint) {
			c.TLS = &tls.Config{Certificates: []tls.Certificate{ca.Certificate(t, id)}, RootCAs: roots}
			c.AnyClient = true
		}
	}
	g := newGroup()
	a, b := g.start(t, "a", anyClient("a", ca.Pool)), g.start(t, "b", anyClient("b", ca.Pool))
	a.reaches(t, b, "to b")
	b.reaches(t, a, "to a")
	wary := g.start(t, "c", anyClient("c", tcptest.NewCA(t).Pool))
	wary.says(t, "unknown authority", func() { wary.Send("a", []byte("to a stranger")) })
	assert.False(t, a.has("to a stranger"), "who dials still knows whom he talks to")
}

func TestTLSMeetsNone(t *testing.T) {
	ca := tcptest.NewCA(t)
	g := newGroup()
	a, b := g.start(t, "a", withTLS(ca.Mutual(t, "a"))), g.start(t, "b", nil)
	b.says(t, "not smr, or TLS on one side only", func() { a.Send("b", []byte("no")) })
	a.says(t, "first record does not look like a TLS handshake", func() { b.Send("a", []byte("no")) })
	assert.Zero(t, a.received()+b.received())
}
