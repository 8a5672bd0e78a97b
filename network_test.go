package smr_test

import (
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/hashicorp/go-hclog"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr"
	"github.com/smr-go/smr/smrtest/conform"
)

func TestNetworkConforms(t *testing.T) {
	network := smr.NewNetwork()
	conform.TestTransport(t, func(t *testing.T, id smr.ID) (smr.Transport, string) {
		return network.Transport(id), ""
	})
}

// endpoint returns an Endpoint with all required fields.
func endpoint(id smr.ID, receive func(from smr.ID, msg []byte)) smr.Endpoint {
	return smr.Endpoint{
		ID:         id,
		Addr:       func(smr.ID) string { return "" },
		MaxMessage: 1 << 20,
		Receive:    receive,
		Logger:     hclog.NewNullLogger(),
	}
}

func ignore(smr.ID, []byte) {}

// In a synctest bubble a network blocks when no message waits, preserves the order, and leaves no goroutine.
func TestNetworkInVirtualTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := smr.NewNetwork()
		a, b := network.Transport("a"), network.Transport("b")
		var got []string
		require.NoError(t, a.Open(endpoint("a", ignore)))
		require.NoError(t, b.Open(endpoint("b", func(from smr.ID, msg []byte) { got = append(got, string(from)+string(msg)) })))
		var want []string
		for i := range 100 {
			a.Send("b", fmt.Append(nil, i))
			want = append(want, fmt.Sprint("a", i))
		}
		synctest.Wait()
		assert.Equal(t, want, got)
		require.NoError(t, a.Close())
		require.NoError(t, b.Close())
	})
}

func TestNetworkDropsWhatDoesNotFit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := smr.NewNetwork()
		a, b := network.Transport("a"), network.Transport("b")
		gate := make(chan struct{})
		count := 0
		require.NoError(t, a.Open(endpoint("a", ignore)))
		require.NoError(t, b.Open(endpoint("b", func(smr.ID, []byte) { <-gate; count++ })))
		msg := make([]byte, 1<<20-64) // 64 of them fit into 64 MiB
		for range 100 {
			a.Send("b", msg)
		}
		close(gate)
		synctest.Wait()
		assert.Equal(t, 64, count)
		a.Send("b", msg)
		synctest.Wait()
		assert.Equal(t, 65, count, "there is room again")
		require.NoError(t, a.Close())
		require.NoError(t, b.Close())
	})
}

func TestNetworkCloseDropsWhatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := smr.NewNetwork()
		a, b := network.Transport("a"), network.Transport("b")
		gate := make(chan struct{})
		count := 0
		require.NoError(t, a.Open(endpoint("a", ignore)))
		require.NoError(t, b.Open(endpoint("b", func(smr.ID, []byte) { <-gate; count++ })))
		a.Send("b", []byte("taken before the rest"))
		synctest.Wait()
		gate <- struct{}{}
		for range 3 {
			a.Send("b", []byte("waits"))
		}
		synctest.Wait() // in Receive with the first of three
		go func() {
			synctest.Wait() // in Close
			close(gate)
		}()
		require.NoError(t, b.Close())
		assert.LessOrEqual(t, count, 2)
		require.NoError(t, a.Close())
	})
}

func TestNetworkOpensAMemberOnce(t *testing.T) {
	network := smr.NewNetwork()
	first, second := network.Transport("a"), network.Transport("a")
	require.NoError(t, first.Open(endpoint("a", ignore)))
	assert.ErrorContains(t, second.Open(endpoint("a", ignore)), `"a" is already open`)
	require.NoError(t, second.Close(), "one that is not open may be closed")
	assert.ErrorContains(t, second.Open(endpoint("a", ignore)), `"a" is already open`, "that closes no other")
	require.NoError(t, first.Close())
	require.NoError(t, first.Close(), "twice")
	assert.ErrorContains(t, first.Open(endpoint("a", ignore)), "opened only once")
	require.NoError(t, second.Open(endpoint("a", ignore)))
	require.NoError(t, second.Close())
}

func TestOpenChecksTheEndpoint(t *testing.T) {
	for want, change := range map[string]func(e *smr.Endpoint){
		"must have 1 to 64":                          func(e *smr.Endpoint) { e.ID = "" },
		"MaxMessage is 0":                            func(e *smr.Endpoint) { e.MaxMessage = 0 },
		"Receive and Endpoint.Addr must be set":      func(e *smr.Endpoint) { e.Receive = nil },
		`replica "b" was given the transport of "a"`: func(e *smr.Endpoint) { e.ID = "b" },
	} {
		e := endpoint("a", ignore)
		change(&e)
		assert.ErrorContains(t, smr.NewNetwork().Transport("a").Open(e), want)
	}
}
