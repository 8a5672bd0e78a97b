package tcp

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"slices"
)

// completeTLS refuses configurations that would let a stranger pass for a member.
func (c *Config) completeTLS() error {
	if c.TLS == nil {
		if c.AnyClient {
			return errors.New("smr: TCPConfig.AnyClient is set, but TLS is not, so every client is accepted anyway: leave AnyClient out")
		}
		return nil
	}
	mutual := c.TLS.ClientAuth == tls.RequireAndVerifyClientCert
	switch {
	case c.TLS.InsecureSkipVerify:
		return errors.New("smr: TLS.InsecureSkipVerify is set, so any server could speak as a member: set RootCAs instead")
	case !mutual && !c.AnyClient:
		return fmt.Errorf("smr: TLS.ClientAuth is %v, so any client could speak as a member: "+
			"set it to tls.RequireAndVerifyClientCert, or set AnyClient if that is meant", c.TLS.ClientAuth)
	case mutual && c.AnyClient:
		return errors.New("smr: TCPConfig.AnyClient is set, but TLS.ClientAuth requires a certificate: choose one")
	case mutual && c.TLS.ClientCAs == nil:
		return errors.New("smr: TLS.ClientCAs is nil, so any public CA could make members: set the pool with your CA")
	case len(c.TLS.Certificates) == 0 && c.TLS.GetCertificate == nil && c.TLS.GetConfigForClient == nil:
		return errors.New("smr: TLS has no certificate: set Certificates, with the replica's ID as DNS name")
	}
	c.TLS = c.TLS.Clone()
	if c.TLS.MinVersion == 0 {
		c.TLS.MinVersion = tls.VersionTLS13
	}
	return nil
}

// checkOwnName returns an error if no certificate names this replica. Otherwise the other members would
// report that later. It does not see certificates that come from a callback.
func (c *Config) checkOwnName(id string) error {
	if c.TLS == nil || len(c.TLS.Certificates) == 0 {
		return nil
	}
	var seen []string
	for _, cert := range c.TLS.Certificates {
		leaf, err := leafOf(cert)
		if err != nil {
			return fmt.Errorf("smr: TLS.Certificates: %w", err)
		}
		if slices.Contains(leaf.DNSNames, id) {
			return nil
		}
		seen = append(seen, leaf.DNSNames...)
	}
	return fmt.Errorf("smr: the certificate has the DNS names %q, and this replica is %q: it needs a certificate with that name", seen, id)
}

// leafOf returns the parsed leaf of a certificate.
func leafOf(cert tls.Certificate) (*x509.Certificate, error) {
	if cert.Leaf != nil {
		return cert.Leaf, nil
	}
	if len(cert.Certificate) == 0 {
		return nil, errors.New("one is empty")
	}
	return x509.ParseCertificate(cert.Certificate[0])
}

// client returns the dialling side of a TLS connection. It verifies the name of the member, not the address.
func (c *Config) client(wire net.Conn, to string) *tls.Conn {
	config := c.TLS.Clone()
	config.ServerName = to
	return tls.Client(wire, config)
}

// server returns the accepting side of a TLS connection.
func (c *Config) server(wire net.Conn) *tls.Conn { return tls.Server(wire, c.TLS) }

// checkServer returns an error if the certificate of the accepting side does not name the member. TLS has
// verified the name already, but accepts wildcards.
func (c *Config) checkServer(secure *tls.Conn, to string) error {
	if secure == nil {
		return nil
	}
	return checkName(secure.ConnectionState(), to)
}

// checkClient returns an error if the certificate of the dialling side does not name the member. With
// AnyClient there need not be a certificate.
func (c *Config) checkClient(secure *tls.Conn, from string) error {
	if secure == nil || c.AnyClient && len(secure.ConnectionState().VerifiedChains) == 0 {
		return nil
	}
	return checkName(secure.ConnectionState(), from)
}

// checkName returns an error unless the verified certificate of the other side has id among its DNS names.
func checkName(state tls.ConnectionState, id string) error {
	if len(state.VerifiedChains) == 0 {
		return fmt.Errorf("%q has no verified certificate", id)
	}
	leaf := state.VerifiedChains[0][0]
	if !slices.Contains(leaf.DNSNames, id) {
		return fmt.Errorf("certificate %q has the DNS names %q, not %q", leaf.Subject, leaf.DNSNames, id)
	}
	return nil
}
