package smr

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

	"github.com/smr-go/smr/internal/tcp/tcptest"
	"github.com/smr-go/smr/internal/vfs"
	"github.com/smr-go/smr/internal/vsr"
)

// parcel is a state machine that keeps the number of its operations and the largest body.
type parcel struct {
	count    uint64
	largest  []byte
	restored int
}

func (p *parcel) Apply(op Op) []byte {
	if p.count++; len(op.Body) > len(p.largest) {
		p.largest = bytes.Clone(op.Body)
	}
	return binary.BigEndian.AppendUint64(nil, p.count)
}

func (p *parcel) Snapshot() (io.WriterTo, error) {
	return bytes.NewReader(append(binary.BigEndian.AppendUint64(nil, p.count), p.largest...)), nil
}

func (p *parcel) Restore(r io.Reader) error {
	p.restored++
	b, err := io.ReadAll(r)
	if len(b) >= 8 {
		p.count, p.largest = binary.BigEndian.Uint64(b), b[8:]
	}
	return err
}

// carriers are the transports of a group of three.
type carriers func(t *testing.T, id ID, addr string) (Transport, string)

func overMemory(t *testing.T) carriers {
	network := NewNetwork()
	return func(_ *testing.T, id ID, _ string) (Transport, string) { return network.Transport(id), "" }
}

func overTCP(t *testing.T) carriers {
	return func(t *testing.T, id ID, addr string) (Transport, string) {
		tcp, err := ListenTCP(TCPConfig{Listen: addr})
		require.NoError(t, err)
		return tcp, tcp.Addr().String()
	}
}

func overTLS(t *testing.T) carriers {
	ca := tcptest.NewCA(t)
	return func(t *testing.T, id ID, addr string) (Transport, string) {
		tcp, err := ListenTCP(TCPConfig{Listen: addr, TLS: ca.Mutual(t, string(id))})
		require.NoError(t, err)
		return tcp, tcp.Addr().String()
	}
}

// trio is a group of three real replicas.
type trio struct {
	t       *testing.T
	carry   carriers
	members []Member
	disks   map[ID]*vfs.Mem // the disk of a machine would only be slower
	running map[ID]*Replica
	states  map[ID]*parcel
	sizes   map[ID]int

	snapshotBytes int64 // of the members started from now on
}

func newTrio(t *testing.T, carry carriers) *trio {
	g := &trio{t: t, carry: carry, disks: map[ID]*vfs.Mem{}, running: map[ID]*Replica{}, states: map[ID]*parcel{}, sizes: map[ID]int{}, snapshotBytes: -1}
	for _, id := range []ID{"a", "b", "c"} {
		transport, addr := carry(t, id, "127.0.0.1:0")
		defer transport.Close() // the address is free again once all have one
		g.members = append(g.members, Member{ID: id, Addr: addr})
		g.disks[id] = vfs.NewMem()
	}
	t.Cleanup(func() {
		for _, r := range g.running {
			r.Close()
		}
	})
	return g
}

// start starts a member with that MaxOpSize.
func (g *trio) start(maxOp int, ids ...ID) {
	for _, id := range ids {
		i := slices.IndexFunc(g.members, func(m Member) bool { return m.ID == id })
		transport, _ := g.carry(g.t, id, g.members[i].Addr)
		g.states[id] = &parcel{}
		r, err := start(Config{ID: id, Members: g.members, StateMachine: g.states[id], Transport: transport, Dir: "data",
			MaxOpSize: maxOp, SnapshotEvery: 1000, SnapshotBytes: g.snapshotBytes, KeepLog: -1, Logger: hclog.NewNullLogger()}, g.disks[id], nil)
		require.NoError(g.t, err)
		g.running[id], g.sizes[id] = r, maxOp
	}
}

func (g *trio) stop(ids ...ID) {
	for _, id := range ids {
		require.NoError(g.t, g.running[id].Close())
		delete(g.running, id)
	}
}

func (g *trio) propose(id ID, size int) {
	g.t.Helper()
	ctx, cancel := context.WithTimeout(g.t.Context(), time.Minute)
	defer cancel()
	_, err := g.running[id].Propose(ctx, make([]byte, size))
	require.NoError(g.t, err)
}

// refuses proposes an operation that is too large for the member.
func (g *trio) refuses(id ID, size int) {
	g.t.Helper()
	_, err := g.running[id].Propose(g.t.Context(), make([]byte, size))
	require.ErrorIs(g.t, err, ErrTooLarge)
	require.ErrorIs(g.t, err, ErrNotApplied)
	require.ErrorContains(g.t, err, fmt.Sprintf("%d bytes, the limit is %d", size, g.sizes[id]))
}

// reaches waits until a member has applied as much as another, and returns how often its state was restored.
func (g *trio) reaches(id, other ID) (restored int) {
	g.t.Helper()
	ctx, cancel := context.WithTimeout(g.t.Context(), time.Minute)
	defer cancel()
	level := AtLeast(g.running[other].Status().Applied)
	require.NoError(g.t, g.running[id].Read(ctx, level, func() { restored = g.states[id].restored }))
	return restored
}

// largest returns the largest body that the state of a member contains.
func (g *trio) largest(id ID) (body []byte) {
	g.t.Helper()
	require.NoError(g.t, g.running[id].Read(g.t.Context(), Local, func() { body = g.states[id].largest }))
	return body
}

// The largest operation that smr supports is carried on every path, also to a member with a lower MaxOpSize: from the
// primary, forwarded to it, from the log to a member that was away, and in a snapshot. One byte more is refused.
func TestLargestOperation(t *testing.T) {
	if testing.Short() {
		t.Skip("copies 2 GB")
	}
	for name, over := range map[string]func(*testing.T) carriers{"memory": overMemory, "TCP": overTCP, "TLS": overTLS} {
		t.Run(name, func(t *testing.T) {
			g := newTrio(t, over(t))
			g.start(vsr.MaxBody, "a", "b")
			g.start(100, "c")
			g.propose("a", vsr.MaxBody) // a or b forwards it to the other
			g.propose("c", 100)
			g.refuses("c", 101)
			g.stop("c")
			g.propose("b", vsr.MaxBody)
			for _, id := range []ID{"a", "b"} {
				g.refuses(id, vsr.MaxBody+1)
			}
			g.start(100, "c")
			require.Zero(t, g.reaches("c", "a"), "it has caught up from the log")

			g.stop("c", "b", "a")
			g.snapshotBytes = 1 << 20 // and a segment of the log has a quarter of it
			g.start(vsr.MaxBody, "a", "b")
			restored := 0
			for range 20 { // the logs of a and b are cut only once a snapshot is written, and not while c was there lately
				for range 5 {
					g.propose("b", 300<<10)
				}
				g.start(100, "c")
				if restored = g.reaches("c", "b"); restored > 0 {
					break
				}
				g.stop("c")
			}
			require.NotZero(t, restored, "it has received a snapshot")
			require.Len(t, g.largest("c"), vsr.MaxBody)
		})
	}
}

// The largest operation is written to the machine's disk too, and read back by the next start.
func TestLargestOperationOnTheDisk(t *testing.T) {
	if testing.Short() {
		t.Skip("writes 100 MB")
	}
	cfg := Config{ID: "a", Members: []Member{{ID: "a"}}, Dir: t.TempDir(), Logger: hclog.NewNullLogger()}
	for _, cfg.MaxOpSize = range []int{vsr.MaxBody, 100} {
		state := &parcel{}
		cfg.StateMachine = state
		r, err := Start(cfg)
		require.NoError(t, err)
		if cfg.MaxOpSize == vsr.MaxBody {
			_, err = r.Propose(t.Context(), make([]byte, vsr.MaxBody))
			require.NoError(t, err)
		}
		require.NoError(t, r.Read(t.Context(), Linearizable, func() { require.Len(t, state.largest, vsr.MaxBody) }))
		require.NoError(t, r.Close())
	}
}
