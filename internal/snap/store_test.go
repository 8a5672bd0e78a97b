package snap

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr/internal/vfs"
)

// A snapshot of any size can be read, also after a restart.
func TestCreateAndRead(t *testing.T) {
	prefix := 4 + len(headerOf(7))
	payload := 64 - chunkHeadSize
	for _, n := range []int{0, 1, payload - prefix, payload - prefix + 1, 2*payload - prefix, 1000, 100_000} {
		m := vfs.NewMem()
		s := open(t, m)
		_, ok := s.Latest()
		require.False(t, ok)

		info := mustCreate(t, s, 7, state(n, 1))
		content := prefix + n
		assert.EqualValues(t, (content+payload-1)/payload, info.Chunks)
		assert.EqualValues(t, content+chunkHeadSize*int(info.Chunks), info.Size)
		assert.Equal(t, headerOf(7), info.Header)
		requireLatest(t, s, info, state(n, 1))
		requireLatest(t, open(t, m), info, state(n, 1))
		requireFiles(t, m, complete)
	}
}

// Two replicas that write the same bytes in the same chunks have the same snapshot. Any difference
// makes it another one.
func TestIdentity(t *testing.T) {
	hash := func(opt Options, view uint64, header, state string) [32]byte {
		s, err := Open(vfs.NewMem(), dir, opt)
		require.NoError(t, err)
		w, err := s.Create(ID{Epoch: 1, View: view, Op: 5}, []byte(header))
		require.NoError(t, err)
		_, err = io.WriteString(w, state)
		require.NoError(t, err)
		info, err := w.Commit()
		require.NoError(t, err)
		return info.ID.Hash
	}
	one := hash(small, 1, "h", "state")
	assert.Equal(t, one, hash(small, 1, "h", "state"))
	assert.NotEqual(t, one, hash(small, 2, "h", "state"))
	assert.NotEqual(t, one, hash(small, 1, "hs", "tate"))
	assert.NotEqual(t, one, hash(Options{Identity: "other", ChunkSize: 64}, 1, "h", "state"))
}

// The store works on the operating system's files as well as on those in memory.
func TestOperatingSystem(t *testing.T) {
	opt := Options{Identity: "g", ChunkSize: 4096}
	from, err := Open(vfs.OS(), t.TempDir(), opt)
	require.NoError(t, err)
	mustCreate(t, from, 5, state(100, 5))
	nine := mustCreate(t, from, 9, state(100_000, 9))
	place := t.TempDir()
	to, err := Open(vfs.OS(), place, opt)
	require.NoError(t, err)
	in, err := to.Receive(bare(nine))
	require.NoError(t, err)
	require.NoError(t, fetch(in, from, 10))
	require.NoError(t, in.Close())

	to, err = Open(vfs.OS(), place, opt)
	require.NoError(t, err)
	in, err = to.Receive(bare(nine))
	require.NoError(t, err)
	require.Equal(t, nine.Chunks-10, in.missing)
	require.NoError(t, fetch(in, from, all))
	_, err = in.Complete()
	require.NoError(t, err)
	requireLatest(t, to, nine, state(100_000, 9))
	to, err = Open(vfs.OS(), place, opt)
	require.NoError(t, err)
	requireLatest(t, to, nine, state(100_000, 9))
}

// A newer snapshot replaces an older one, and an older one is rejected.
func TestNewerReplacesOlder(t *testing.T) {
	m := vfs.NewMem()
	s := open(t, m)
	five := mustCreate(t, s, 5, state(300, 5))
	slow, err := s.Create(ID{Epoch: 1, View: 1, Op: 8}, nil)
	require.NoError(t, err)
	_, err = create(s, 9, nil)
	require.ErrorIs(t, err, ErrBusy)

	donor := open(t, vfs.NewMem())
	nine, err := transfer(s, donor, bare(mustCreate(t, donor, 9, state(300, 9))))
	require.NoError(t, err)
	_, err = slow.Commit()
	require.ErrorIs(t, err, ErrSuperseded)
	_, err = create(s, 9, nil)
	require.ErrorIs(t, err, ErrSuperseded)
	_, err = s.Receive(bare(five))
	require.ErrorIs(t, err, ErrSuperseded)

	requireLatest(t, s, nine, state(300, 9))
	_, _, err = s.Read(five.ID)
	assert.ErrorIs(t, err, fs.ErrNotExist)
	requireFiles(t, m, complete)
	_, err = s.Create(ID{Epoch: 2, Op: 1}, nil) // the epoch is compared first
	assert.NoError(t, err)
}

// A snapshot that is being sent or read stays until that ends.
func TestHold(t *testing.T) {
	m := vfs.NewMem()
	s := open(t, m)
	five := mustCreate(t, s, 5, state(300, 5))
	release, err := s.Hold(five.ID)
	require.NoError(t, err)
	r, _, err := s.Read(five.ID)
	require.NoError(t, err)
	six := mustCreate(t, s, 6, state(300, 6))

	requireLatest(t, s, six, state(300, 6))
	requireHeld(t, s, five, state(300, 5))
	_, err = s.ReadChunk(five.ID, 2)
	require.NoError(t, err)
	release()
	release()
	got, err := io.ReadAll(r)
	require.NoError(t, err)
	require.Equal(t, state(300, 5), got)
	requireFiles(t, m, complete, complete)
	require.NoError(t, r.Close())
	require.NoError(t, r.Close())

	requireFiles(t, m, complete)
	_, err = s.Hold(five.ID)
	assert.ErrorIs(t, err, fs.ErrNotExist)
	_, err = s.ReadChunk(five.ID, 0)
	assert.ErrorIs(t, err, fs.ErrNotExist)
	_, err = s.ReadChunk(six.ID, six.Chunks)
	assert.ErrorIs(t, err, fs.ErrNotExist)
}

// A file that cannot be removed does not get in the way, and is removed with the next one.
func TestRemovalFails(t *testing.T) {
	m := vfs.NewMem()
	s := open(t, m)
	five := mustCreate(t, s, 5, nil)
	m.SetHook(func(op vfs.Op) error {
		if op.Kind == vfs.OpRemove {
			return fs.ErrPermission
		}
		return nil
	})
	six := mustCreate(t, s, 6, nil)
	requireLatest(t, s, six, []byte{})
	_, _, err := s.Read(five.ID)
	assert.ErrorIs(t, err, fs.ErrNotExist)
	requireFiles(t, m, complete, complete)
	m.SetHook(nil)
	mustCreate(t, s, 7, nil)
	requireFiles(t, m, complete)
}

// An aborted snapshot leaves no file.
func TestAbort(t *testing.T) {
	m := vfs.NewMem()
	s := open(t, m)
	five := mustCreate(t, s, 5, state(300, 5))
	w, err := s.Create(ID{Epoch: 1, View: 1, Op: 6}, nil)
	require.NoError(t, err)
	_, err = w.Write(state(300, 6))
	require.NoError(t, err)
	w.Abort()
	w.Abort()
	_, err = w.Write([]byte{1})
	require.ErrorIs(t, err, fs.ErrClosed)
	_, err = w.Commit()
	require.ErrorIs(t, err, fs.ErrClosed)
	requireFiles(t, m, complete)
	requireLatest(t, s, five, state(300, 5))

	w, err = s.Create(ID{Epoch: 1, View: 1, Op: 6}, nil)
	require.NoError(t, err)
	six, err := w.Commit()
	require.NoError(t, err)
	w.Abort()
	_, err = w.Write([]byte{1})
	require.ErrorIs(t, err, fs.ErrClosed)
	requireLatest(t, s, six, []byte{})
}

// The directory of another group is refused with both names in the error (F17), and so is that of
// another format version.
func TestForeignDirectory(t *testing.T) {
	m := vfs.NewMem()
	info := mustCreate(t, open(t, m), 5, state(300, 5))
	_, err := Open(m, dir, Options{Identity: "h"})
	require.ErrorIs(t, err, ErrForeign)
	assert.ErrorContains(t, err, `group "g", this replica to group "h"`)
	assert.ErrorContains(t, err, file(info, complete))

	l := layout{group: "g", id: info.ID, size: info.Size, chunks: info.Chunks}
	h := l.encode()
	h[8] = version - 1
	rechecksum(h)
	require.NoError(t, m.Damage(file(info, complete), 0, h))
	_, err = Open(m, dir, small)
	require.ErrorIs(t, err, ErrForeign)
	assert.ErrorContains(t, err, "version is 2, this program supports 3")
}

// Invalid options are refused, and files of others are left alone.
func TestOpen(t *testing.T) {
	m := vfs.NewMem()
	for _, opt := range []Options{
		{}, {Identity: string(make([]byte, 256))}, {Identity: "g", ChunkSize: -1}, {Identity: "g", ChunkSize: 32},
		{Identity: "g", ChunkSize: 100}, {Identity: "g", ChunkSize: 2 << 20},
	} {
		_, err := Open(m, dir, opt)
		assert.Error(t, err, "%+v", opt)
	}
	require.NoError(t, m.MkdirAll(dir))
	for _, name := range []string{"notes.snap", "0-0-0-00.snap", "x.new", fileName(ID{}, complete) + "~"} {
		f, err := m.OpenFile(dir+"/"+name, os.O_CREATE)
		require.NoError(t, err)
		require.NoError(t, f.Close())
	}
	_, ok := open(t, m).Latest()
	assert.False(t, ok)
	requireFiles(t, m, ".snap", ".snap", ".new", ".snap~")
	any, err := Any(m, dir)
	require.NoError(t, err)
	assert.False(t, any)
	any, err = Any(m, "nowhere")
	require.NoError(t, err)
	assert.False(t, any)

	unreadable := errors.New("unreadable")
	mustCreate(t, open(t, m), 1, nil)
	any, err = Any(m, dir)
	require.NoError(t, err)
	assert.True(t, any)
	m.SetHook(func(op vfs.Op) error {
		if op.Kind == vfs.OpOpen {
			return unreadable
		}
		return nil
	})
	_, err = Open(m, dir, small)
	assert.ErrorIs(t, err, unreadable)
}

// 11.10: a snapshot of any size is written and read with the memory of a few chunks.
func TestASnapshotTakesTheMemoryOfChunks(t *testing.T) {
	s, err := Open(vfs.OS(), t.TempDir(), Options{Identity: "g", ChunkSize: MaxChunkSize})
	require.NoError(t, err)
	allocates := func(f func()) int {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		f()
		runtime.ReadMemStats(&after)
		return int(after.TotalAlloc - before.TotalAlloc)
	}
	var info Info
	part := make([]byte, MaxChunkSize)
	require.Less(t, allocates(func() {
		w, err := s.Create(ID{Epoch: 1, View: 1, Op: 5}, nil)
		require.NoError(t, err)
		for range 32 {
			_, err = w.Write(part)
			require.NoError(t, err)
		}
		info, err = w.Commit()
		require.NoError(t, err)
	}), 4*MaxChunkSize)
	require.Less(t, allocates(func() {
		r, _, err := s.Read(info.ID)
		require.NoError(t, err)
		n, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, r, part)
		require.NoError(t, err)
		require.EqualValues(t, 32*MaxChunkSize, n)
		require.NoError(t, r.Close())
	}), 4*MaxChunkSize)
}
