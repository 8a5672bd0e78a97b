package smr_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr"
	"github.com/smr-go/smr/internal/tcp/tcptest"
	"github.com/smr-go/smr/internal/vsr"
)

// parcel is a state machine that keeps the number of its operations and the latest body.
type parcel struct {
	count    uint64
	latest   []byte
	restored int
}

func (p *parcel) Apply(op smr.Op) []byte {
	p.count, p.latest = p.count+1, bytes.Clone(op.Body)
	return binary.BigEndian.AppendUint64(nil, p.count)
}

func (p *parcel) Snapshot() (io.WriterTo, error) {
	return bytes.NewReader(append(binary.BigEndian.AppendUint64(nil, p.count), p.latest...)), nil
}

func (p *parcel) Restore(r io.Reader) error {
	p.restored++
	b, err := io.ReadAll(r)
	if len(b) >= 8 {
		p.count, p.latest = binary.BigEndian.Uint64(b), b[8:]
	}
	return err
}

// carriers are the transports of a group of three.
type carriers func(t *testing.T, id smr.ID, addr string) (smr.Transport, string)

func overMemory(t *testing.T) carriers {
	network := smr.NewNetwork()
	return func(_ *testing.T, id smr.ID, _ string) (smr.Transport, string) { return network.Transport(id), "" }
}

func overTCP(t *testing.T) carriers {
	return func(t *testing.T, id smr.ID, addr string) (smr.Transport, string) {
		tcp, err := smr.ListenTCP(smr.TCPConfig{Listen: addr})
		require.NoError(t, err)
		return tcp, tcp.Addr().String()
	}
}

func overTLS(t *testing.T) carriers {
	ca := tcptest.NewCA(t)
	return func(t *testing.T, id smr.ID, addr string) (smr.Transport, string) {
		tcp, err := smr.ListenTCP(smr.TCPConfig{Listen: addr, TLS: ca.Mutual(t, string(id))})
		require.NoError(t, err)
		return tcp, tcp.Addr().String()
	}
}

// trio is a group of three real replicas.
type trio struct {
	t       *testing.T
	carry   carriers
	members []smr.Member
	dirs    map[smr.ID]string
	running map[smr.ID]*smr.Replica
	states  map[smr.ID]*parcel
	sizes   map[smr.ID]int
	every   int // SnapshotEvery
}

func newTrio(t *testing.T, carry carriers) *trio {
	g := &trio{t: t, carry: carry, dirs: map[smr.ID]string{}, running: map[smr.ID]*smr.Replica{}, states: map[smr.ID]*parcel{}, sizes: map[smr.ID]int{}, every: 1000}
	for _, id := range []smr.ID{"a", "b", "c"} {
		transport, addr := carry(t, id, "127.0.0.1:0")
		defer transport.Close() // the address is free again once all have one
		g.members = append(g.members, smr.Member{ID: id, Addr: addr})
		g.dirs[id] = t.TempDir()
	}
	t.Cleanup(func() {
		for _, r := range g.running {
			r.Close()
		}
	})
	return g
}

// start starts a member with that MaxOpSize.
func (g *trio) start(maxOp int, ids ...smr.ID) {
	for _, id := range ids {
		i := slices.IndexFunc(g.members, func(m smr.Member) bool { return m.ID == id })
		transport, _ := g.carry(g.t, id, g.members[i].Addr)
		g.states[id] = &parcel{}
		r, err := smr.Start(smr.Config{ID: id, Members: g.members, StateMachine: g.states[id], Transport: transport, Dir: g.dirs[id],
			MaxOpSize: maxOp, SnapshotEvery: g.every, SnapshotBytes: -1, KeepLog: -1, Logger: hclog.NewNullLogger()})
		require.NoError(g.t, err)
		g.running[id], g.sizes[id] = r, maxOp
	}
}

func (g *trio) stop(ids ...smr.ID) {
	for _, id := range ids {
		require.NoError(g.t, g.running[id].Close())
		delete(g.running, id)
	}
}

func (g *trio) propose(id smr.ID, size int) {
	g.t.Helper()
	ctx, cancel := context.WithTimeout(g.t.Context(), time.Minute)
	defer cancel()
	_, err := g.running[id].Propose(ctx, make([]byte, size))
	require.NoError(g.t, err)
}

// refuses proposes an operation that is too large for the member.
func (g *trio) refuses(id smr.ID, size int) {
	g.t.Helper()
	_, err := g.running[id].Propose(g.t.Context(), make([]byte, size))
	require.ErrorIs(g.t, err, smr.ErrTooLarge)
	require.ErrorIs(g.t, err, smr.ErrNotApplied)
	require.ErrorContains(g.t, err, fmt.Sprintf("%d bytes, the limit is %d", size, g.sizes[id]))
}

// reaches waits until a member has applied as much as another, and returns how often its state was restored.
func (g *trio) reaches(id, other smr.ID) (restored int) {
	g.t.Helper()
	ctx, cancel := context.WithTimeout(g.t.Context(), time.Minute)
	defer cancel()
	level := smr.AtLeast(g.running[other].Status().Applied)
	require.NoError(g.t, g.running[id].Read(ctx, level, func() { restored = g.states[id].restored }))
	return restored
}

// The largest operation that smr supports is carried on every path, also to a member with a lower MaxOpSize: from the
// primary, forwarded to it, from the log to a member that was away, and in a snapshot. One byte more is refused.
func TestLargestOperation(t *testing.T) {
	if testing.Short() {
		t.Skip("writes 1 GB")
	}
	for name, over := range map[string]func(*testing.T) carriers{"memory": overMemory, "TCP": overTCP, "TLS": overTLS} {
		t.Run(name, func(t *testing.T) {
			g := newTrio(t, over(t))
			g.start(vsr.MaxBody, "a", "b")
			g.start(100, "c")
			for _, id := range []smr.ID{"a", "b"} { // one of them forwards it
				g.propose(id, vsr.MaxBody)
				g.refuses(id, vsr.MaxBody+1)
			}
			g.propose("c", 100)
			g.refuses("c", 101)
			g.stop("c")
			g.propose("a", vsr.MaxBody)
			g.start(100, "c")
			require.Zero(t, g.reaches("c", "a"), "it has caught up from the log")

			g.stop("c", "b", "a")
			g.every = 2
			g.start(vsr.MaxBody, "a", "b")
			restored := 0
			for range 10 { // the logs of a and b are cut below a snapshot only once that is written
				g.propose("b", 100)
				g.propose("b", vsr.MaxBody)
				g.start(100, "c")
				if restored = g.reaches("c", "b"); restored > 0 {
					break
				}
				g.stop("c")
			}
			require.NotZero(t, restored, "it has received a snapshot")
		})
	}
}
