package smr_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr"
	"github.com/smr-go/smr/internal/tcp/tcptest"
	"github.com/smr-go/smr/smrtest/conform"
)

func TestTCPConforms(t *testing.T) {
	conform.TestTransport(t, func(t *testing.T, id smr.ID) (smr.Transport, string) {
		tcp, err := smr.ListenTCP(smr.TCPConfig{Listen: "127.0.0.1:0"})
		require.NoError(t, err)
		return tcp, tcp.Addr().String()
	})
}

func TestTCPWithTLSConforms(t *testing.T) {
	ca := tcptest.NewCA(t)
	conform.TestTransport(t, func(t *testing.T, id smr.ID) (smr.Transport, string) {
		tcp, err := smr.ListenTCP(smr.TCPConfig{Listen: "127.0.0.1:0", TLS: ca.Mutual(t, string(id))})
		require.NoError(t, err)
		return tcp, tcp.Addr().String()
	})
}
