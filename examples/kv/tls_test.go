package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr"
)

// authority signs the certificates of a group and writes them to a directory.
type authority struct {
	t    *testing.T
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{t: t, dir: t.TempDir()}
	a.key = a.newKey()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &a.key.PublicKey, a.key)
	require.NoError(t, err)
	a.cert, err = x509.ParseCertificate(der)
	require.NoError(t, err)
	a.write("ca.crt", "CERTIFICATE", der)
	return a
}

func (a *authority) newKey() *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(a.t, err)
	return key
}

func (a *authority) write(name, kind string, der []byte) {
	require.NoError(a.t, os.WriteFile(a.path(name), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600))
}

func (a *authority) path(name string) string { return filepath.Join(a.dir, name) }

// issue writes a certificate of a member, for client and server, and its key.
func (a *authority) issue(id smr.ID) {
	a.t.Helper()
	key := a.newKey()
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(2), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{string(id)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
	}, a.cert, &key.PublicKey, a.key)
	require.NoError(a.t, err)
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(a.t, err)
	a.write(string(id)+".crt", "CERTIFICATE", der)
	a.write(string(id)+".key", "PRIVATE KEY", keyDER)
}

func (a *authority) options(id smr.ID, files string) options {
	return options{id: id, cert: a.path(files + ".crt"), key: a.path(files + ".key"), ca: a.path("ca.crt")}
}

func TestMutualTLS(t *testing.T) {
	a := newAuthority(t)
	a.issue("a")
	config, err := loadTLS(a.options("a", "a"))
	require.NoError(t, err)
	assert.Equal(t, tls.RequireAndVerifyClientCert, config.ClientAuth)
	_, err = config.Certificates[0].Leaf.Verify(x509.VerifyOptions{Roots: config.ClientCAs, DNSName: "a"})
	assert.NoError(t, err)

	config, err = loadTLS(options{})
	require.NoError(t, err)
	assert.Nil(t, config, "no flags, no TLS")
}

func TestAuthorityThatIsNone(t *testing.T) {
	a := newAuthority(t)
	a.issue("a")
	o := a.options("a", "a")
	o.ca = a.path("a.key")
	_, err := loadTLS(o)
	assert.ErrorContains(t, err, "holds no certificate")
	o.ca = a.path("none")
	_, err = loadTLS(o)
	assert.ErrorIs(t, err, os.ErrNotExist)
}
