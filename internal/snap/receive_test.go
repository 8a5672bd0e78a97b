package snap

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr/internal/vfs"
)

// A snapshot is received completely, in any order of chunks and whatever the receiver's chunk size.
func TestTransfer(t *testing.T) {
	donor := open(t, vfs.NewMem())
	for i, n := range []int{0, 1, 20, 300, 5000} {
		op := uint64(i + 1)
		info := mustCreate(t, donor, op, state(n, op))
		m := vfs.NewMem()
		s, err := Open(m, dir, Options{Identity: "g"})
		require.NoError(t, err)
		in, err := s.Receive(bare(info))
		require.NoError(t, err)
		assert.Equal(t, bare(info), in.info(nil))
		for _, c := range rand.New(rand.NewPCG(1, op)).Perm(int(info.Chunks)) {
			data, err := donor.ReadChunk(info.ID, uint32(c))
			require.NoError(t, err)
			require.NoError(t, in.Put(uint32(c), data))
			require.NoError(t, in.Put(uint32(c), data), "twice")
		}
		got, err := in.Complete()
		require.NoError(t, err)
		require.Equal(t, info, got)
		requireLatest(t, s, info, state(n, op))
		requireFiles(t, m, complete)
		require.ErrorIs(t, in.Put(0, nil), fs.ErrClosed)
		require.NoError(t, in.Close())
		requireLatest(t, open(t, m), info, state(n, op))
		_, ok := unfinished(s)
		require.False(t, ok)
	}
}

// A description of no valid snapshot is refused before anything is allocated for it.
func TestRefusedDescription(t *testing.T) {
	m := vfs.NewMem()
	s := open(t, m)
	for _, info := range []Info{
		{}, {Size: 100}, {Chunks: 1}, {Size: -1, Chunks: 1}, {Size: 12, Chunks: 1}, {Size: MaxChunkSize + 1, Chunks: 1},
		{Size: 1 << 40, Chunks: 2}, {Size: 1 << 62, Chunks: MaxChunks + 1}, {Size: 1000, Chunks: 1 << 31}, {Size: 64 + 12, Chunks: 2},
	} {
		_, err := s.Receive(info)
		assert.ErrorIs(t, err, ErrRefused, "%+v", info)
	}
	requireFiles(t, m)
}

// A chunk that was changed, truncated or moved, or that belongs to another snapshot, is refused.
// The right chunk is accepted afterwards.
func TestRefusedChunk(t *testing.T) {
	donor, stranger := open(t, vfs.NewMem()), open(t, vfs.NewMem())
	info, other := mustCreate(t, donor, 9, state(300, 9)), mustCreate(t, stranger, 8, state(300, 9))
	good, err := donor.ReadChunk(info.ID, 1)
	require.NoError(t, err)
	next, err := donor.ReadChunk(info.ID, 2)
	require.NoError(t, err)
	strange, err := stranger.ReadChunk(other.ID, 1)
	require.NoError(t, err)

	s := open(t, vfs.NewMem())
	in, err := s.Receive(bare(info))
	require.NoError(t, err)
	for i, data := range [][]byte{nil, {}, good[:20], append(good[:64:64], 0), make([]byte, 64), next, strange} {
		require.ErrorIs(t, in.Put(1, data), ErrRefused, i)
	}
	for bit := range 8 * len(good) {
		good[bit/8] ^= 1 << (bit % 8)
		require.ErrorIs(t, in.Put(1, good), ErrRefused, bit)
		good[bit/8] ^= 1 << (bit % 8)
	}
	require.ErrorIs(t, in.Put(info.Chunks, good), ErrRefused)
	require.Equal(t, info.Chunks, in.missing)
	_, err = in.Complete()
	require.ErrorContains(t, err, fmt.Sprintf("%d of %d chunks are missing, the first is 0", info.Chunks, info.Chunks))
	require.NoError(t, fetch(in, donor, all))
	require.Zero(t, in.missing)
	_, err = in.Complete()
	require.NoError(t, err)
	requireLatest(t, s, info, state(300, 9))
}

// Chunks that are valid individually but do not form the snapshot are noticed at the end, and the
// snapshot is received from the start.
func TestWrongWhole(t *testing.T) {
	donor, stranger := open(t, vfs.NewMem()), open(t, vfs.NewMem())
	info, other := mustCreate(t, donor, 9, state(300, 9)), mustCreate(t, stranger, 9, state(300, 8))
	m := vfs.NewMem()
	s := open(t, m)
	five := mustCreate(t, s, 5, state(300, 5))
	in, err := s.Receive(bare(info))
	require.NoError(t, err)
	strange, err := stranger.ReadChunk(other.ID, 3)
	require.NoError(t, err)
	require.NoError(t, in.Put(3, strange))
	require.NoError(t, fetch(in, donor, all))
	_, err = in.Complete()
	require.ErrorIs(t, err, ErrCorrupt)
	_, ok := unfinished(s)
	require.False(t, ok)
	requireFiles(t, m, complete)
	requireLatest(t, s, five, state(300, 5))

	_, err = transfer(s, donor, bare(info))
	require.NoError(t, err)
	requireLatest(t, s, info, state(300, 9))
}

// A receiver that stopped later asks only for the missing chunks (C2), in the same run or the next.
func TestResume(t *testing.T) {
	donor := open(t, vfs.NewMem())
	info := mustCreate(t, donor, 9, state(1000, 9))
	for name, again := range map[string]func(*Store, *vfs.Mem) *Store{
		"the same run": func(s *Store, _ *vfs.Mem) *Store { return s },
		"the next":     func(_ *Store, m *vfs.Mem) *Store { m.Kill(); return open(t, m) },
	} {
		t.Run(name, func(t *testing.T) {
			m := vfs.NewMem()
			s := open(t, m)
			in, err := s.Receive(bare(info))
			require.NoError(t, err)
			require.NoError(t, fetch(in, donor, 7))
			_, err = s.Receive(bare(info))
			require.ErrorIs(t, err, ErrBusy)
			require.NoError(t, in.Close())
			require.ErrorIs(t, in.Put(9, nil), fs.ErrClosed)

			s = again(s, m)
			left, ok := unfinished(s)
			require.True(t, ok)
			require.Equal(t, bare(info), left)
			require.NoError(t, m.FlipBit(file(info, partial), fileHeaderSize+4*64+30, 0)) // a torn chunk
			in, err = s.Receive(left)
			require.NoError(t, err)
			require.Equal(t, info.Chunks-6, in.missing)
			first, _ := in.Next(0)
			second, _ := in.Next(first + 1)
			require.Equal(t, []uint32{4, 7}, []uint32{first, second})
			require.NoError(t, fetch(in, donor, all))
			_, err = in.Complete()
			require.NoError(t, err)
			requireLatest(t, s, info, state(1000, 9))
			requireFiles(t, m, complete)
		})
	}
}

// The store keeps at most one partly received snapshot, and none that it no longer needs.
func TestAnotherIsReceived(t *testing.T) {
	eightDonor, nineDonor := open(t, vfs.NewMem()), open(t, vfs.NewMem())
	eight, nine := mustCreate(t, eightDonor, 8, state(300, 8)), mustCreate(t, nineDonor, 9, state(300, 9))
	m := vfs.NewMem()
	s := open(t, m)
	begin := func(info Info, from *Store) {
		t.Helper()
		in, err := s.Receive(bare(info))
		require.NoError(t, err)
		require.NoError(t, fetch(in, from, 3))
		require.NoError(t, in.Close())
		requireFiles(t, m, partial)
	}
	begin(nine, nineDonor)
	begin(eight, eightDonor)
	begin(nine, nineDonor)
	left, ok := unfinished(s)
	require.True(t, ok)
	require.Equal(t, bare(nine), left)

	ten := mustCreate(t, s, 10, nil)
	_, ok = unfinished(s)
	require.False(t, ok)
	_, err := s.Receive(bare(nine))
	require.ErrorIs(t, err, ErrSuperseded)
	s = open(t, m)
	requireFiles(t, m, complete)
	requireLatest(t, s, ten, []byte{})
}

// A crash may undo the removal of a partly received snapshot, so that there are two. The older one is removed again.
func TestTwoPartlyReceived(t *testing.T) {
	eightDonor, nineDonor := open(t, vfs.NewMem()), open(t, vfs.NewMem())
	eight, nine := mustCreate(t, eightDonor, 8, state(300, 8)), mustCreate(t, nineDonor, 9, state(300, 9))
	m := vfs.NewMem()
	s := open(t, m)
	receive := func(info Info) []byte {
		in, err := s.Receive(bare(info))
		require.NoError(t, err)
		b, err := m.ReadFile(file(info, partial))
		require.NoError(t, errors.Join(err, in.Close()))
		return b
	}
	removed := receive(eight)
	receive(nine)
	requireFiles(t, m, partial)
	f, err := m.OpenFile(file(eight, partial), os.O_CREATE)
	require.NoError(t, err)
	_, err = f.WriteAt(removed, 0)
	require.NoError(t, errors.Join(err, f.Close()))
	left, ok := unfinished(open(t, m))
	require.True(t, ok)
	require.Equal(t, bare(nine), left)
	requireFiles(t, m, partial)
}

// A snapshot that cannot be received for want of descriptors can be received later.
func TestReceiveAfterAShortage(t *testing.T) {
	donor := open(t, vfs.NewMem())
	nine := mustCreate(t, donor, 9, state(300, 9))
	m := vfs.NewMem()
	s := open(t, m)
	m.SetHook(func(op vfs.Op) error {
		if op.Kind == vfs.OpOpen {
			return syscall.EMFILE
		}
		return nil
	})
	_, err := s.Receive(bare(nine))
	require.True(t, vfs.IsShort(err), err)
	m.SetHook(nil)
	_, err = transfer(s, donor, bare(nine))
	require.NoError(t, err)
}

// A received snapshot is rejected if a newer one was created in the meantime.
func TestOvertaken(t *testing.T) {
	donor := open(t, vfs.NewMem())
	nine := mustCreate(t, donor, 9, state(300, 9))
	m := vfs.NewMem()
	s := open(t, m)
	in, err := s.Receive(bare(nine))
	require.NoError(t, err)
	require.Equal(t, fileHeaderSize+nine.Size, m.Used(), "reserved")
	require.NoError(t, fetch(in, donor, all))
	ten := mustCreate(t, s, 10, nil)
	_, err = in.Complete()
	require.ErrorIs(t, err, ErrSuperseded)
	requireFiles(t, m, complete)
	requireLatest(t, s, ten, []byte{})
}

// A partly received snapshot of another group is as foreign as a complete one.
func TestForeignPartial(t *testing.T) {
	donor := open(t, vfs.NewMem())
	m := vfs.NewMem()
	in, err := open(t, m).Receive(bare(mustCreate(t, donor, 9, nil)))
	require.NoError(t, err)
	require.NoError(t, in.Close())
	_, err = Open(m, dir, Options{Identity: "h"})
	require.ErrorIs(t, err, ErrForeign)
	requireFiles(t, m, partial)
}

// The chunks of another group's snapshot are refused because their checksums do not match.
func TestForeignDonor(t *testing.T) {
	donor, err := Open(vfs.NewMem(), dir, Options{Identity: "h", ChunkSize: 64})
	require.NoError(t, err)
	info := mustCreate(t, donor, 9, state(300, 9))
	_, err = transfer(open(t, vfs.NewMem()), donor, bare(info))
	require.ErrorIs(t, err, ErrRefused)
}

// Whatever bytes are put as a chunk, only the right ones are accepted.
func FuzzPut(f *testing.F) {
	donor := open(f, vfs.NewMem())
	info := mustCreate(f, donor, 9, state(200, 9))
	chunks := make([][]byte, info.Chunks)
	for i := range chunks {
		var err error
		chunks[i], err = donor.ReadChunk(info.ID, uint32(i))
		require.NoError(f, err)
		f.Add(uint32(i), chunks[i])
		f.Add(uint32(i+1), chunks[i])
	}
	f.Add(uint32(0), make([]byte, 64))
	s := open(f, vfs.NewMem())
	f.Fuzz(func(t *testing.T, i uint32, data []byte) {
		in, err := s.Receive(bare(info))
		require.NoError(t, err)
		defer func() { in.fail(fs.ErrClosed) }()
		if err := in.Put(i, data); err != nil {
			require.ErrorIs(t, err, ErrRefused)
			require.Equal(t, info.Chunks, in.missing)
			return
		}
		require.Equal(t, chunks[i], data)
		require.Equal(t, info.Chunks-1, in.missing)
	})
}
