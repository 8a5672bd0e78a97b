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
		return errors.New("smr: TLS.ClientCAs is nil, so any public CA could issue members' certificates: set it to a pool with your CA")
	case len(c.TLS.Certificates) == 0 && c.TLS.GetCertificate == nil && c.TLS.GetConfigForClient == nil:
		return errors.New("smr: TLS has no certificate: set Certificates, with the replica's ID as DNS name")
	}
	c.TLS = c.TLS.Clone()
	if c.TLS.MinVersion == 0 {
		c.TLS.MinVersion = tls.VersionTLS13
	}
	return nil
}

// checkOwnName returns an error if no certificate proves the ID of this replica, or if one proves another member's
// too. Otherwise the other members would report that later. It does not see certificates that come from a callback.
func (t *Transport) checkOwnName(id string) error {
	if t.cfg.TLS == nil || len(t.cfg.TLS.Certificates) == 0 {
		return nil
	}
	if ip := asIP(id); ip != nil && ip.String() != id {
		return fmt.Errorf("smr: the ID %q is an IP address, which TLS writes as %q: use that as the ID", id, ip)
	}
	var seen []string
	for _, cert := range t.cfg.TLS.Certificates {
		leaf, err := leafOf(cert)
		if err != nil {
			return fmt.Errorf("smr: TLS.Certificates: %w", err)
		}
		seen = append(seen, names(leaf)...)
		if err := t.checkSingle(leaf); err != nil {
			return fmt.Errorf("smr: TLS.Certificates: %w", err)
		}
	}
	if !slices.Contains(seen, id) {
		return fmt.Errorf("smr: the certificate has the names %q, and this replica is %q: it needs a certificate with that %s",
			seen, id, nameKind(id))
	}
	return nil
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

// checkServer returns an error if the certificate of the accepting side does not prove the ID of the member. TLS has
// verified the name already, but accepts wildcards.
func (t *Transport) checkServer(secure *tls.Conn, to string) error {
	if secure == nil {
		return nil
	}
	return t.checkCertificate(secure.ConnectionState(), to)
}

// checkClient returns an error if the certificate of the dialling side does not prove the ID of the member. With
// AnyClient there need not be a certificate.
func (t *Transport) checkClient(secure *tls.Conn, from string) error {
	if secure == nil || t.cfg.AnyClient && len(secure.ConnectionState().VerifiedChains) == 0 {
		return nil
	}
	return t.checkCertificate(secure.ConnectionState(), from)
}

// checkCertificate returns an error unless the verified certificate of the other side proves id, and no other
// member's.
func (t *Transport) checkCertificate(state tls.ConnectionState, id string) error {
	if len(state.VerifiedChains) == 0 {
		return fmt.Errorf("%q has no verified certificate", id)
	}
	leaf := state.VerifiedChains[0][0]
	if !slices.Contains(names(leaf), id) {
		return fmt.Errorf("certificate %q has the names %q, not the %s %q", leaf.Subject, names(leaf), nameKind(id), id)
	}
	return t.checkSingle(leaf)
}

// checkSingle returns an error if a certificate names several members, because the holder of one member's key could
// otherwise pose as another member.
func (t *Transport) checkSingle(leaf *x509.Certificate) error {
	members := slices.DeleteFunc(names(leaf), func(name string) bool { return !t.member(name) })
	if slices.Sort(members); len(slices.Compact(members)) > 1 {
		return fmt.Errorf("certificate %q names the members %q: give each member a certificate of its own", leaf.Subject, members)
	}
	return nil
}

// names returns the IDs that a certificate proves: its DNS names, and its IP addresses as text. TLS does not search
// the DNS names for an ID that is an IP address.
func names(leaf *x509.Certificate) []string {
	all := slices.DeleteFunc(slices.Clone(leaf.DNSNames), func(name string) bool { return asIP(name) != nil })
	for _, ip := range leaf.IPAddresses {
		all = append(all, ip.String())
	}
	return all
}

// asIP returns the IP address that TLS takes a name for, or nil.
func asIP(name string) net.IP {
	if len(name) > 2 && name[0] == '[' && name[len(name)-1] == ']' {
		name = name[1 : len(name)-1]
	}
	return net.ParseIP(name)
}

// nameKind returns what a certificate must have to prove an ID.
func nameKind(id string) string {
	if asIP(id) != nil {
		return "IP address"
	}
	return "DNS name"
}
