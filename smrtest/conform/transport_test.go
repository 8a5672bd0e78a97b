package conform

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr"
)

// Every check of the suite fails on a transport that has the fault it is made for. The transport
// without a fault is smr.Network, which passes the suite in its own tests.
func TestTransportFindsFaults(t *testing.T) {
	for _, fault := range transportFaults {
		t.Run(fault.name, func(t *testing.T) {
			open := fault.plant(t, smr.NewNetwork())
			err := checkNamed(t, fault.check).try(fault.seen, func(id smr.ID) (smr.Transport, string) {
				return open(id), ""
			})
			require.ErrorContains(t, err, fault.want)
		})
	}
	for _, c := range transportChecks {
		planted := slices.ContainsFunc(transportFaults, func(f transportFault) bool { return f.check == c.name })
		assert.True(t, planted, "no fault shows that the check %q can fail", c.name)
	}
}

func checkNamed(t *testing.T, name string) transportCheck {
	i := slices.IndexFunc(transportChecks, func(c transportCheck) bool { return c.name == name })
	require.GreaterOrEqual(t, i, 0, "no check %q", name)
	return transportChecks[i]
}

// bent is a transport of a Network with one fault. Functions that are nil have none.
type bent struct {
	smr.Transport
	endpoint func(e smr.Endpoint) smr.Endpoint // what Open gets in place of e
	send     func(to smr.ID, msg []byte)
	close    func() error
}

func (b *bent) Open(e smr.Endpoint) error {
	if b.endpoint != nil {
		e = b.endpoint(e)
	}
	return b.Transport.Open(e)
}

func (b *bent) Send(to smr.ID, msg []byte) {
	if b.send != nil {
		b.send(to, msg)
		return
	}
	b.Transport.Send(to, msg)
}

func (b *bent) Close() error {
	if b.close != nil {
		return b.close()
	}
	return b.Transport.Close()
}

// opener is a network with a fault.
type opener func(id smr.ID) smr.Transport

// bendEndpoint plants a fault into what Open gets.
func bendEndpoint(f func(e smr.Endpoint) smr.Endpoint) func(*testing.T, *smr.Network) opener {
	return func(_ *testing.T, n *smr.Network) opener {
		return func(id smr.ID) smr.Transport { return &bent{Transport: n.Transport(id), endpoint: f} }
	}
}

// bendReceive plants a fault between the network and Receive.
func bendReceive(f func(e smr.Endpoint, from smr.ID, msg []byte)) func(*testing.T, *smr.Network) opener {
	return bendEndpoint(func(e smr.Endpoint) smr.Endpoint {
		inner := e
		inner.Receive = func(from smr.ID, msg []byte) { f(e, from, msg) }
		return inner
	})
}

// bendSend plants a fault into Send. stuck is closed when the test ends.
func bendSend(f func(good smr.Transport, stuck <-chan struct{}) func(to smr.ID, msg []byte)) func(*testing.T, *smr.Network) opener {
	return func(t *testing.T, n *smr.Network) opener {
		stuck := make(chan struct{})
		t.Cleanup(func() { close(stuck) })
		return func(id smr.ID) smr.Transport {
			good := n.Transport(id)
			return &bent{Transport: good, send: f(good, stuck)}
		}
	}
}

// bendClose plants a fault into Close. The good transport is closed when the test ends.
func bendClose(f func(good smr.Transport) error) func(*testing.T, *smr.Network) opener {
	return func(t *testing.T, n *smr.Network) opener {
		return func(id smr.ID) smr.Transport {
			good := n.Transport(id)
			t.Cleanup(func() { assert.NoError(t, good.Close()) })
			return &bent{Transport: good, close: func() error { return f(good) }}
		}
	}
}
