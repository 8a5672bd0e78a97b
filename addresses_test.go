package smr_test

import (
	"context"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr"
)

// TestAllAddressesMayChange stops a group of three over TCP and starts it at other addresses, all
// of them at once. In the first round each member takes a new port; in the second they trade ports.
func TestAllAddressesMayChange(t *testing.T) {
	const free = "127.0.0.1:0"
	group := movingGroup{dirs: []string{t.TempDir(), t.TempDir(), t.TempDir()}}
	group.start(t, listenAt(t, free, free, free))
	require.Equal(t, "1", group.propose(t, 0))

	others := listenAt(t, free, free, free) // while the first ports are still in use
	group.stop(t)
	group.start(t, others)
	require.Equal(t, "2", group.propose(t, 1))

	group.stop(t)
	group.start(t, listenAt(t, others[1].Addr().String(), others[2].Addr().String(), others[0].Addr().String()))
	require.Equal(t, "3", group.propose(t, 2))
}

func listenAt(t *testing.T, addrs ...string) (transports []*smr.TCP) {
	for _, addr := range addrs {
		transport, err := smr.ListenTCP(smr.TCPConfig{Listen: addr})
		require.NoError(t, err)
		transports = append(transports, transport)
	}
	return transports
}

// movingGroup is a group of durable replicas over TCP, named a, b and c.
type movingGroup struct {
	dirs     []string
	replicas []*smr.Replica
}

// start starts all members, one on each transport.
func (g *movingGroup) start(t *testing.T, transports []*smr.TCP) {
	var members []smr.Member
	g.replicas = nil
	for i, transport := range transports {
		members = append(members, smr.Member{ID: smr.ID('a' + rune(i)), Addr: transport.Addr().String()})
	}
	for i, m := range members {
		r, err := smr.Start(smr.Config{ID: m.ID, Members: members, StateMachine: &tally{}, Transport: transports[i], Dir: g.dirs[i],
			Logger: hclog.NewNullLogger()})
		require.NoError(t, err)
		t.Cleanup(func() { r.Close() })
		g.replicas = append(g.replicas, r)
	}
}

func (g *movingGroup) stop(t *testing.T) {
	for _, r := range g.replicas {
		require.NoError(t, r.Close())
	}
}

func (g *movingGroup) propose(t *testing.T, at int) string {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	result, err := g.replicas[at].Propose(ctx, []byte("count"))
	require.NoError(t, err)
	return string(result)
}

// tally counts operations.
type tally struct{ n int }

func (c *tally) Apply(smr.Op) []byte            { c.n++; return fmt.Append(nil, c.n) }
func (c *tally) Snapshot() (io.WriterTo, error) { return strings.NewReader(fmt.Sprint(c.n)), nil }
func (c *tally) Restore(r io.Reader) error      { _, err := fmt.Fscan(r, &c.n); return err }
