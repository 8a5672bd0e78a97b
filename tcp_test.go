package smr_test

import (
	"bytes"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/stretchr/testify/assert"
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

// A certificate of the CA is not enough to be answered: a replica talks to members only, even if a stranger greets as a
// member does.
func TestAReplicaTalksToMembersOnly(t *testing.T) {
	ca := tcptest.NewCA(t)
	listen := func(id string) *smr.TCP {
		tcp, err := smr.ListenTCP(smr.TCPConfig{Listen: "127.0.0.1:0", TLS: ca.Mutual(t, id)})
		require.NoError(t, err)
		return tcp
	}
	a, x := &tapped{TCP: listen("a")}, listen("x")
	members := []smr.Member{{ID: "a", Addr: a.Addr().String()}, {ID: "b", Addr: "127.0.0.1:1"}}
	r, err := smr.Start(smr.Config{ID: "a", Members: members, StateMachine: &tally{}, Transport: a, Volatile: true,
		Logger: hclog.NewNullLogger()})
	require.NoError(t, err)
	defer r.Close()
	var (
		mu       sync.Mutex
		log      bytes.Buffer
		answered bool
	)
	require.NoError(t, x.Open(smr.Endpoint{ID: "x", MaxMessage: 1, Receive: ignore, Hello: a.endpoint.Hello,
		Addr:   func(smr.ID) string { return members[0].Addr },
		Check:  func(smr.ID, []byte) error { answered = true; return nil },
		Logger: hclog.New(&hclog.LoggerOptions{Output: &log, Mutex: &mu}),
	}))
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for range 5_000 {
		x.Send("a", nil)
		mu.Lock()
		refused := strings.Contains(log.String(), "refused by the other side")
		mu.Unlock()
		if refused {
			break
		}
		<-tick.C
	}
	require.NoError(t, x.Close())
	assert.Contains(t, log.String(), `\"x\" is not a member here`)
	assert.False(t, answered)
}

// tapped is a transport whose endpoint a test knows.
type tapped struct {
	*smr.TCP
	endpoint smr.Endpoint
}

func (t *tapped) Open(e smr.Endpoint) error {
	t.endpoint = e
	return t.TCP.Open(e)
}
