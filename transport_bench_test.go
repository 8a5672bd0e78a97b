package smr_test

import (
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr"
)

// BenchmarkTransport sends messages in one direction, with at most 4 MiB of them in flight.
func BenchmarkTransport(b *testing.B) {
	for _, size := range []int{128, 64 << 10} {
		b.Run(fmt.Sprintf("memory/%d", size), func(b *testing.B) {
			network := smr.NewNetwork()
			oneWay(b, size, network.Transport("a"), network.Transport("b"), "")
		})
		b.Run(fmt.Sprintf("tcp/%d", size), func(b *testing.B) {
			one, other := listen(b, nil), listen(b, nil)
			oneWay(b, size, one, other, other.Addr().String())
		})
	}
}

func listen(t testing.TB, change func(c *smr.TCPConfig)) *smr.TCP {
	cfg := smr.TCPConfig{Listen: "127.0.0.1:0"}
	if change != nil {
		change(&cfg)
	}
	tcp, err := smr.ListenTCP(cfg)
	require.NoError(t, err)
	return tcp
}

func oneWay(b *testing.B, size int, from, to smr.Transport, addr string) {
	var received atomic.Int64
	progress := make(chan struct{}, 1)
	receiving := endpoint("b", func(smr.ID, []byte) {
		received.Add(1)
		select {
		case progress <- struct{}{}:
		default:
		}
	})
	sending := endpoint("a", ignore)
	sending.Addr = func(smr.ID) string { return addr }
	require.NoError(b, from.Open(sending))
	require.NoError(b, to.Open(receiving))
	msg := make([]byte, size)
	from.Send("b", msg)
	<-progress
	received.Store(0)
	window := int64(4 << 20 / size)
	b.SetBytes(int64(size))
	b.ReportAllocs()
	for sent := int64(1); b.Loop(); sent++ {
		from.Send("b", msg)
		for sent-received.Load() >= window {
			<-progress
		}
	}
	require.NoError(b, from.Close())
	require.NoError(b, to.Close())
}
